#pragma once

#include <cstdint>

#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

struct Schedule {
  uint64_t seed = 0;                      // 0: warps in order, each as far as it gets
  uint64_t instruction_limit = 1u << 30;  // of one block; a kernel that needs more is taken for one that hangs
};

// Runs `block` from start to end; throws Fault.
void run_block(Block& block, const Schedule& schedule, uint64_t block_number);

// Another order of the numbers below `count` for each seed; 0 keeps them in order.
std::vector<uint64_t> schedule_order(uint64_t count, uint64_t seed);

}  // namespace gmr::cuda_sim
