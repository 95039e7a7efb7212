// Barriers of the block: bar.sync, barrier.sync, bar.arrive, bar.red.
#pragma once

#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

enum class BarrierKind : uint32_t { sync, arrive, red_popc, red_and, red_or };

// `lanes` arrive at the barrier of the instruction; they wait unless it is an arrive or they were the last.
void arrive_at_barrier(Warp& warp, const Instruction& instruction, uint32_t lanes);

}  // namespace gmr::cuda_sim
