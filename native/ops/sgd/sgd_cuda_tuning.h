#pragma once

#include <cstdint>

namespace gmr::cuda {

// Elements that a block steps: four accesses of 16 bytes a thread and operand, which keep enough bytes on their way,
// and a hundred times what a block costs to start. A multiple of four, so that every piece of an aligned tensor is.
constexpr int64_t sgd_piece = 4096;

}  // namespace gmr::cuda
