#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace gmr::cuda {

// A block makes outputs x pixels. Operand rows are made anew for every tile of outputs, and take about as long as a
// product of 64 outputs: groups of more get tiles of 128, which halves that. More pixels a tile would leave more of it
// empty: 8 x 8 divides 56 x 56, no box of 128 does.
constexpr int product_pixels = 64;
constexpr int product_outputs = 64;
constexpr int product_wide_outputs = 128;

// The same for groups of few outputs: one result a thread.
constexpr int product_few_outputs = 4;

// Operand rows that are in shared memory at a time: with the weights 17 KiB, in wide tiles 25, so that what a gather
// needs (21 KiB for k = 9) fits beside them in the 48 KiB that every GPU gives.
constexpr int product_depth = 32;

// Floats from row to row of a tile: a multiple of four for 16-byte accesses, and four more than 64, so that eight lanes
// that read four floats each of eight rows meet 32 different banks.
constexpr int product_pitch = 68;
static_assert(product_pitch >= product_pixels && product_pitch % 4 == 0);

// The same for the tile of weights.
constexpr int weights_pitch(int outputs) { return outputs + 4; }

// Products of bfloat16: what one instruction takes of the common axis, and elements from row to row of a tile, an odd
// multiple of 16 bytes, so that eight rows of a matrix meet different banks.
constexpr int bfloat16_depth = 16;
constexpr int bfloat16_pitch(int columns) { return columns % 16 == 8 ? columns : columns + 8; }

// Of groups of few outputs tiles of one product.
constexpr int bfloat16_few_outputs = 16;

// Blocks of pack_weights, a row of a chunk a thread: chunks of rings are cut to 48 to 96 rows, of which 16 blocks take up
// to 58 KiB of the 64 that every multiprocessor has. Chunks of more than 9 x 9 taps of 16 channels, 46 KiB, do not go
// through shared memory.
constexpr int pack_threads = 64;
constexpr int pack_cut_depth = 96;
constexpr int pack_most_depth = 1296;

// Those of an H100, which blocks are counted for.
constexpr int64_t h100_multiprocessors = 132;

// Blocks that the weight gradient of groups of few channels is cut into where there are pixels enough: several for each
// multiprocessor of the largest GPU. A constant, so that the order of additions does not depend on the GPU.
constexpr int64_t weight_gradient_blocks = 1024;

// The same for products: blocks that an H100 runs beside each other, two on a multiprocessor; the most rounds of them;
// and what a block's sums cost, written and added up, in tiles of pixels. They are 40 KB in general, twice through L2,
// of which a multiprocessor gets 39 bytes a clock; a tile takes about 2700.
constexpr int64_t weight_blocks_at_a_time = 264;
constexpr int64_t weight_most_waves = 8;
constexpr double weight_sums_cost = 0.8;

// Chunks whose sums a block of a convolution has registers for: 3 divide the 18 of 64 channels of 3 x 3.
constexpr int tap_weight_chunks = 3;

// Dynamic shared memory of a block, and what the panel and the tile of weights, or of dy, take of it.
constexpr int64_t product_shared_bytes = 48 * 1024;
constexpr int64_t product_shared_floats = product_shared_bytes / 4;
constexpr int64_t forward_floats(int outputs) { return product_depth * (product_pitch + weights_pitch(outputs)); }
constexpr int64_t backward_weight_floats(int outputs) { return (product_depth + outputs) * product_pitch; }

}  // namespace gmr::cuda
