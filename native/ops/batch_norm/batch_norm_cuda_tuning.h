#pragma once

#include <cstdint>

namespace gmr::cuda {

// Positions of a channel that one block sums: sixteen a thread, which hides the reduction at the end, and 1568 blocks
// for 64 channels of 32 images of 56 x 56, enough for every multiprocessor.
constexpr int64_t batch_norm_piece = 4096;

}  // namespace gmr::cuda
