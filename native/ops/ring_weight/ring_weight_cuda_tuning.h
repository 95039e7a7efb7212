#pragma once

#include <cstdint>

namespace gmr::cuda {

// Rows of a partial sum of dlog_sigmas: four a thread, so that a layer of 512 x 512 weights makes 256 blocks a ring.
constexpr int64_t ring_weight_piece = 1024;

}  // namespace gmr::cuda
