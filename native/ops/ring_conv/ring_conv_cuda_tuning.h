#pragma once

#include <cstdint>

#include "cuda/product_tuning.h"

namespace gmr::cuda {

// What an operand row and pixel of the product costs a block, in additions of ring sums: with a full tile 64
// multiply-adds, of which a multiprocessor does four in the time of one addition whose operands come from shared
// memory.
constexpr double ring_product_cost = 16;

// Columns of a tile that a thread makes, side by side in a row of outputs: what it moves in shared memory is 16 bytes,
// and what it works out about a place serves four columns.
constexpr int ring_columns = 4;

// Outputs that a tile must have: with fewer, ever more of the product's 64 columns are empty, and windows overlap so
// much that reading taps where they lie costs no more.
constexpr int ring_least_positions = 8;

// Blocks of RingColumns: eight threads a channel, each with two columns, and 16 channels, the depth of one product of
// bfloat16. Warp tiles of the product are 32 or 64 outputs x 56 pixels, as many as 128 threads have registers for: of
// smaller ones operands would be read more often than shared memory can give them. 112 pixels are 14 x 8 of 56 x 56,
// 14 x 7 of 28 x 28 and 14 x 14, two images of 7 x 7.
constexpr int columns_threads = 128;
constexpr int columns_pixels = 112;
constexpr int columns_channels = 16;
constexpr int columns_slots = columns_threads / columns_channels;
constexpr int columns_most = 2 * columns_slots;

// Rows that a thread makes, or one less: all of them are unrolled. With eight outputs of a column its window has twice
// the rows at k = 9.
constexpr int columns_most_rows = 8;

// Words from row to row of a window: 16 columns, what k = 9 sees on both sides, and up to six columns more, so that
// pieces of 16 bytes are aligned.
constexpr int columns_row_words = 16;

// Rows of the windows of several images in a box: two of 7 x 7 at k = 5. More would not fit into 64 KiB, which is what
// every GPU has for a block.
constexpr int columns_most_window_rows = 24;

// Fewer blocks of wide tiles would leave multiprocessors of the largest GPUs (100 and more) without one.
constexpr int columns_least_wide_blocks = 96;

// Results of the weight gradient that a thread has registers for beside its ring sums.
constexpr int columns_most_weight_sums = 96;

// Blocks of RingRowsWeight: four warps, so that the block beside it multiplies while one copies. A warp has as many
// sums as there are registers for beside its ring sums, `outputs` x 8 channels of all rings, and the warps of the same
// channels share the steps of a tile. Tiles are as high as it takes for dy to be whole sectors, but for the ends, in
// at most 99 KiB with the windows.
template <int width>
struct RowsWeightBlock;
template <>
struct RowsWeightBlock<56> {
  static constexpr int channels = 16, outputs = 64, tile_rows = 7;
};
template <>
struct RowsWeightBlock<28> {
  static constexpr int channels = 16, outputs = 64, tile_rows = 14;
};
template <>
struct RowsWeightBlock<14> {
  static constexpr int channels = 32, outputs = 128, tile_rows = 14;
};
constexpr int rows_weight_threads = 128;

// What the choice of a box weighs, in instructions of a thread: a row of its window, a ring of a row of its outputs,
// and the product of a ring of 16 channels.
constexpr double columns_row_cost = 30;
constexpr double columns_ring_cost = 10;
constexpr double columns_product_cost = 20;

// Boxes of RingRows: seven rows, which divide 56, 28, 14 and 7; rows are copied in seven pieces, of 16, 8 or 4 bytes.
constexpr int rows_box_rows = 7;
constexpr int rows_row_pieces = 7;

// Blocks of RingRows. Warp tiles are 64 outputs x 56 pixels: larger ones have no registers left for ring sums. Where 32
// outputs x all pixels are as many, weights need not go through shared memory (Bfloat16StreamedTile). Pixels
// are what the warps take, at least seven rows; slots and the step of channels are such that two channels or more that
// are written at a time meet different banks, and so are the elements from row to row of a window.
template <int width>
struct RowsBlock;
template <>
struct RowsBlock<56> {
  static constexpr int threads = 224, channels = 16, outputs = 64, output_warps = 1, pixels = 392;
  static constexpr bool streams_weights = false;
  static constexpr int slots = 14, channel_step = 7, row_elements = 64;
};
template <>
struct RowsBlock<28> {
  static constexpr int threads = 256, channels = 32, outputs = 128, output_warps = 2, pixels = 224;
  static constexpr bool streams_weights = false;
  static constexpr int slots = 8, channel_step = 4, row_elements = 32;
};
template <>
struct RowsBlock<14> {
  static constexpr int threads = 128, channels = 32, outputs = 128, output_warps = 4, pixels = 112;
  static constexpr bool streams_weights = true;
  static constexpr int slots = 4, channel_step = 2, row_elements = 16;
};

// Blocks of RingPlanes: a thread sums the rings of one plane of a chunk, of two images and 64 channels. The channels are
// cut in two, so that 32 images of 512 channels are 128 blocks; with fewer channels a half would be less than a chunk.
constexpr int planes_threads = 128;
constexpr int planes_images = 2;
constexpr int planes_outputs = 128;
constexpr int planes_splits = 2;
constexpr int planes_least_channels = 128;

// Outputs of which a block adds up the halves: their planes are whole sectors.
constexpr int planes_sum_outputs = 16;

// Blocks of RingPlanesWeight: two teams of four warps, each with images of its own, so that one multiplies while the
// other one copies. A block has all images of 64 outputs x 32 channels, of which 512 x 512 are 128, one for each
// multiprocessor of an H100: more outputs or channels would be fewer blocks, and sums in pieces; other shapes of as many
// would copy more of x and dy.
constexpr int planes_weight_threads = 256;
constexpr int planes_weight_teams = 2;
constexpr int planes_weight_outputs = 64;
constexpr int planes_weight_channels = 32;
constexpr int planes_weight_blocks_at_a_time = 132;

// With fewer channels more than half of the 32 would be empty.
constexpr int planes_weight_least_channels = 17;

// Fewer would leave more than half of a tile empty.
constexpr int rows_least_outputs(int outputs) { return outputs == 64 ? 17 : outputs / 2 + 1; }

// Tiles of StripsProduct: 64 outputs x 56 x 56 at 32 images are 784 of four strips of eight rows, six for each
// multiprocessor of an H100 but for a hundredth, and 256 > 256 14 x 14 are 128 of 128 outputs and seven rows.
constexpr int strip_columns = 4;
constexpr int strips_a_tile = 4;

// Of fewer columns a tile might be in more than two rows of strips.
constexpr int strips_least_columns = strip_columns + 1;

// Fewer blocks of wide tiles would leave multiprocessors of the largest GPUs (100 and more) without one.
constexpr int64_t strips_least_wide_blocks = 96;

// Where fewer of the results would stand for an output, other boxes suit the shape better.
constexpr double strips_least_share = 0.5;

// Blocks of RingStripsWeight, of 64 or 128 outputs: as many channels as a thread has registers for sums of beside its
// ring sums, 80 at k = 9 and 96 at k = 5. Rows that a strip lacks are not multiplied, so that eight suit all heights.
constexpr int strips_weight_rows = 8;
constexpr int strips_weight_channels(int side, int outputs) { return (side == 9 ? 2048 : 4096) / outputs; }

// Three on each multiprocessor of an H100: two multiply while one sums rings.
constexpr int64_t strips_weight_blocks_at_a_time = 396;

// With fewer than this share of a block's channels RingGather, whose chunks are smaller, takes less time.
constexpr int64_t strips_weight_channel_share = 4;

// Tiles of 3-D ring convolutions: four rows of four columns, as much as a thread of each row has registers for; of
// RingShells eight slices, of which k = 5 sees 6 times as many voxels and k = 9 18 times, or fewer, but not so few that
// most of a product were of nothing. A product takes about as long as ring sums of some slices.
constexpr int shells_rows = 4;
constexpr int shells_columns = 4;
constexpr int shells_most_slices = 8, shells_least_slices = 4;
constexpr int shells_product_slices = 4;
constexpr int shells_pixels = shells_most_slices * shells_rows * shells_columns;

// Where fewer of the voxels of 4 x 4 x 4 are there, RingGather, which has several images in a tile, suits the shape better.
constexpr double shells_least_share = 0.2;

// Groups of so few outputs would leave half of a float32 tile of 64 empty, which then takes 1.2 times as long as one of
// 32; of weight gradients always.
constexpr int shells_few_outputs = 32;
constexpr double shells_half_empty_cost = 1.2;

// Chunks whose sums a block of the float32 weight gradient has registers for, beside the 100 ring sums of k = 9 that are
// not whole. Of 32 outputs a second one would save 6 % of what shared memory does, by the model, and cost a block on
// each multiprocessor.
constexpr int shells_weight_chunks(int side, int outputs) { return side == 9 || outputs == shells_few_outputs ? 1 : 2; }

// Channels of a thread: with two, at k = 9, there would be 80 sums.
constexpr int shells_weight_lane_channels(int side) { return side == 9 ? 1 : 2; }

// Blocks of the float32 weight gradient that an H100 runs beside each other: at k = 9 shared memory is the limit, at
// k = 5 registers.
constexpr int64_t shells_weight_blocks_at_a_time(int side, int outputs) {
  if (side == 9) return outputs == shells_few_outputs ? 264 : 132;
  if (outputs == shells_few_outputs) return 528;
  return side == 5 ? 264 : 396;
}

// How RingSweep cuts the slices: blocks beyond which they are as good as evenly loaded, and in slices, as the product of
// four is, what a block costs to begin with and a slice that only begins sums.
constexpr int64_t sweep_most_blocks = 16 * h100_multiprocessors;
constexpr double sweep_start_cost = 2;
constexpr double sweep_halo_cost = 0.8;

// Blocks of its weight gradient: 32 channels are 128 threads, whose results are as many registers as there are outputs
// and rings: of 64 outputs 80 at k = 9, which has none left for them beside the 100 sums that are not whole.
constexpr int sweep_weight_channels = 32;
constexpr int sweep_weight_outputs(int side) { return side == 9 ? 32 : 64; }

}  // namespace gmr::cuda
