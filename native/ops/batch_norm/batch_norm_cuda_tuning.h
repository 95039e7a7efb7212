#pragma once

#include <cstdint>

namespace gmr::cuda {

// Groups of 16 bytes of a channel that one block sums: four a thread, which hides the reduction at the end, and in
// float32 1568 blocks for 64 channels of 32 images of 56 x 56, enough for every multiprocessor.
constexpr int64_t batch_norm_piece_groups = 1024;

// Elements that a thread reads at once, in two or four groups; the gradient's sums read three tensors, and have registers
// for half.
constexpr int batch_norm_forward_ahead = 16;
constexpr int batch_norm_backward_ahead = 8;

}  // namespace gmr::cuda
