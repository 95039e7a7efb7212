#pragma once

#include <cstdint>

#include "cuda/product_tuning.h"

namespace gmr::cuda {

// Outputs of a thread of the direct convolution, one below the other: two reads of shared memory for four
// multiply-adds. Eight would need twice the rows a tile, more than most layers have.
constexpr int direct_rows = 4;

// Groups of up to so many channels and outputs are convolved without a product; beyond, a product's tiles are full enough.
constexpr int64_t direct_most_channels = 4;

// A channel's weights are in shared memory: 31 x 31, 9 x 9 x 9 and 15 x 15 x 15 fit, and leave room for a window.
constexpr int64_t direct_most_taps = 4096;

// What the choice of a box weighs, in instructions: copying a float of the window, and four outputs' tap in a thread.
constexpr double direct_window_cost = 30;
constexpr double direct_tap_cost = 8;

// Depthwise layers of whole rows. A thread's rows: heights of 56, 28, 14 and 7 are multiples.
constexpr int depthwise_rows = 7;

// Of fewer rows or columns most of a thread's would be empty. Longer ones have no tile of whole rows.
constexpr int64_t depthwise_least_extent = 4;
constexpr int64_t depthwise_most_extent = 1 << 15;

// What blocks have without asking; a multiprocessor of an H100 holds four of them.
constexpr int64_t depthwise_shared_floats = 12 * 1024;

// Four blocks for each multiprocessor before several planes are one block's.
constexpr int64_t depthwise_least_blocks = 512;

// Of a block of a weight gradient, to hide what some of them wait for.
constexpr int64_t depthwise_least_warps = 4;

// Blocks that a weight gradient is cut into where there are tiles enough: four for each multiprocessor of an H100, which
// all are there at a time. With twice as many, sums of half as many tiles are added up and written.
constexpr int64_t depthwise_weight_items = 512;

// What a tile of a weight gradient costs, in percent, where bands of its rows meet banks twice, and where its planes are
// no whole sectors.
constexpr int64_t depthwise_conflicts_percent = 110;
constexpr int64_t depthwise_sectors_percent = 105;

// Products of one tap. Columns of a tile: with 128 outputs the reads of both operands take about as long as the tensor
// cores, and where there are 64 outputs x goes through memory once. Channels of a chunk of bfloat16, two products deep, and
// chunks in shared memory, of which all but one are on their way: 37.5 or 49.5 KiB; of float32, which has 8 channels, 16 to 32.
constexpr int pointwise_columns = 128;
constexpr int pointwise_depth = 32;
constexpr int pointwise_stages = 3;
constexpr int float_pointwise_stages = 4;

// What tiles are chosen by: instructions of a multiply-add in tiles of 128 and 64 outputs of float32, by the model; and
// in bfloat16 that x is read twice as often by tiles of 64.
constexpr double float_pointwise_wide_cost = 1.16;
constexpr double float_pointwise_cost = 1.32;
constexpr double pointwise_narrow_cost = 1.05;

// Of the weight gradient: outputs and channels of a block, of which the pieces of 264 blocks take 4 MB, and its threads.
constexpr int pointwise_weight_side = 64;
constexpr int pointwise_weight_threads = 128;

// Of fewer channels most of a chunk would be empty, of fewer outputs most of a tile; planes of fewer pixels, such as the one
// of a linear layer, do not lie in rows.
constexpr int64_t pointwise_least_channels = 8;
constexpr int64_t pointwise_least_outputs = 17;
constexpr int64_t pointwise_least_plane = 16;

// Products from windows. Shared memory of a block: what every GPU has.
constexpr int window_shared_bytes = 64 * 1024;
constexpr int window_most_places = 1024;

// Of float32 the places of a window at most, so that two parts with their weights are 48 KiB or less: 14 x 8 outputs see
// 352 at 9 x 9, 28 x 8 at 5 x 5 384.
constexpr int float_window_places(int pixels) { return pixels > 112 ? 424 : 360; }

// Taps whose weights are copied at a time: 12 KiB, of fewer outputs less.
constexpr int window_slice_taps(int outputs) { return outputs == 16 ? 9 : outputs == 64 ? 5 : 3; }
constexpr int float_window_slice_taps = 3;

// Weight gradients of bfloat16: a warp has 32 outputs x 8 channels of the taps of 3 x 3, 72 sums a thread, which leave
// registers for three blocks on a multiprocessor.
constexpr int window_weight_outputs = 64;
constexpr int window_weight_pixels = 112;
constexpr int window_weight_taps = 9;

// Of chunks of 16 channels of bfloat16 and 8 of float32; with fewer than these most of a chunk would be empty.
constexpr int window_least_channels = 8;
constexpr int float_window_least_channels = 5;

// Of fewer outputs most of a tile would be empty.
constexpr int window_least_outputs = 5;

// Fewer blocks of larger tiles would leave multiprocessors of the largest GPUs (100 and more) without one.
constexpr int64_t window_least_blocks = 96;

// Blocks that a weight gradient from windows is cut into where there are tiles enough: two for each multiprocessor of an
// H100, of float32 six. More would write more partial sums.
constexpr int64_t window_weight_blocks = 264;
constexpr int64_t float_window_weight_blocks = 792;

// What the choice of a box weighs, in clocks of a multiprocessor, as the model counts them: a part of the kernel, a
// place of its window, and a tap for a tile.
constexpr double window_part_cost = 100;
constexpr double window_place_cost = 1;
constexpr double window_tap_cost = 120;
constexpr double window_weight_part_cost = 900;
constexpr double float_window_part_cost = 200;
constexpr double float_window_place_cost = 1;
constexpr double float_window_tap_cost = 8.0 / 128;  // for an output and pixel

}  // namespace gmr::cuda
