#pragma once

namespace gmr::cuda {

// Slices that a thread turns with one sample, whose coordinates take some thirty operations in double: as many as keep
// the sums of the gradient in registers.
constexpr int rotate_slices_a_thread = 8;

// Rows and columns of a tile that is turned in shared memory: a warp's lanes.
constexpr int rotate_tile = 32;

}  // namespace gmr::cuda
