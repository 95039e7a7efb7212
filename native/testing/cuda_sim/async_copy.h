#pragma once

#include <cstddef>

#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

// The `index`th of the block's bulk copies arrives and completes its bytes at its mbarrier.
void land_bulk_copy(Block& block, size_t index);

// All cp.async of `lane` arrive.
void land_copies(Warp& warp, int lane);

// What the mbarrier at shared address `address` of `lane` is; ends the launch where there is none.
Mbarrier& mbarrier_at(Warp& warp, int lane, uint64_t address);

// A phase ends when all threads have arrived and all bytes have landed.
void complete_phase(Block& block, Mbarrier& barrier);

}  // namespace gmr::cuda_sim
