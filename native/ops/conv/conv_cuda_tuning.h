#pragma once

#include <cstdint>

namespace gmr::cuda {

// Outputs of a thread of the direct convolution, one below the other: two reads of shared memory for four
// multiply-adds. Eight would need twice the rows a tile, more than most layers have.
constexpr int direct_rows = 4;

// Groups of up to so many channels and outputs are convolved directly; beyond, a product's tiles are full enough.
constexpr int64_t direct_most_channels = 4;

// A channel's weights are in shared memory: 31 x 31, 9 x 9 x 9 and 15 x 15 x 15 fit, and leave room for a window.
constexpr int64_t direct_most_taps = 4096;

// What the choice of a box weighs, in instructions: copying a float of the window, and four outputs' tap in a thread.
constexpr double direct_window_cost = 30;
constexpr double direct_tap_cost = 8;

}  // namespace gmr::cuda
