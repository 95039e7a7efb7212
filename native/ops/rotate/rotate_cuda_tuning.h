#pragma once

namespace gmr::cuda {

// Slices that a thread turns with one sample, whose coordinates take some thirty operations in double: as many as keep
// the sums of the gradient in registers.
constexpr int rotate_slices_a_thread = 8;

}  // namespace gmr::cuda
