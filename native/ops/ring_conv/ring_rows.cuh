// Ring sums of standard 2-D kernels for the bfloat16 product where a box of outputs is whole rows: `width` columns, same
// padding, stride and dilation 1. A thread has four columns of a channel and slides down seven rows (ring_sums.cuh).
// With the width known all places are constants, rows are copied and stored in whole sectors, and blocks can be made so
// that every lane has work; ring_columns.cuh takes the other shapes.
#pragma once

#include "cuda/bfloat16_product.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/ring_sums.cuh"

namespace gmr::cuda {

template <int side, int width>
struct RingRows {
  using Block = RowsBlock<width>;
  static constexpr int half = side / 2, rings = half + 1;
  static constexpr int threads = Block::threads, pixels = Block::pixels, channels = Block::channels;
  static constexpr int panel_rows = channels * rings;
  static constexpr int steps = panel_rows / bfloat16_depth;
  static constexpr bool is_interleaved = true, streams_weights = Block::streams_weights;
  static constexpr int channel_step = Block::channel_step;

  // Threads of a channel: a slot has four columns, the last few may have none.
  static constexpr int slots = Block::slots, slot_columns = 4;
  static constexpr int panel_columns = (width + slot_columns - 1) / slot_columns * slot_columns;
  static constexpr int slot_window = slot_columns + 2 * half;  // columns that a thread reads
  static constexpr int written_pixels = panel_columns * rows_box_rows;
  static_assert(threads == channels * slots && written_pixels <= pixels);

  // Windows are [channel][row][column]. What lies left of a row are zeros, which are also what lies right of the row
  // before; what is left of a box begins at 8 bytes, pieces at their own size.
  static constexpr int piece_elements = width / rows_row_pieces;
  using Piece =
      std::conditional_t<piece_elements == 8, uint4, std::conditional_t<piece_elements == 4, uint2, uint32_t>>;
  static constexpr int margin = std::max(piece_elements, half), row_elements = Block::row_elements;
  static constexpr int window_rows = rows_box_rows + 2 * half, row_words = row_elements / 2;
  static_assert(width % rows_row_pieces == 0 && margin % piece_elements == 0 && (margin - half) % 4 == 0);
  static_assert(margin + width + half <= row_elements + margin && row_words % 4 == 0);
  // Slots of neighbouring channels read neighbouring banks.
  static constexpr int channel_words = padded_words(window_rows * row_words, 2 * slots);

  static constexpr int window_words = channels * channel_words + 4;  // what lies right of the last row

  // A warp copies four rows at a time, of which eight lanes each have a piece or, the last, none: so pieces of a phase
  // lie in different banks. They begin where a sector does, if any few rows are whole sectors.
  static constexpr int sector_rows = piece_elements == 8 ? 2 : piece_elements == 4 ? 4 : 1;
  static constexpr int row_lanes = 8, copy_rows = warp_threads / row_lanes;
  // Of pieces of a word it copies three sectors at a time instead, which with the gaps between rows are 32 banks. From
  // one channel of a warp to its next there are whole sectors if the height is even.
  static constexpr bool copies_sectors = piece_elements == 2;
  static constexpr int sector_words = 8, copy_words = 3 * sector_words, row_pieces = width / 2;
  static constexpr int copies = copies_sectors
                                    ? (window_rows * row_pieces + sector_words - 1 + copy_words - 1) / copy_words
                                    : (window_rows + sector_rows - 1 + copy_rows - 1) / copy_rows;

  const bfloat16* x;
  int height, rows, chunk_depth, work_floats;
  int64_t all_channels, tiles;
  Divisor by_bands;

  RingRows(const bfloat16* x, int64_t images, int64_t height, int64_t all_channels)
      : x(x),
        height(static_cast<int>(height)),
        rows(rings),
        chunk_depth(panel_rows),
        work_floats(window_words),
        all_channels(all_channels),
        tiles(images * bands_of(height)),
        by_bands(bands_of(height)) {}

  // Boxes that an image is cut into.
  static int64_t bands_of(int64_t height) { return (height + rows_box_rows - 1) / rows_box_rows; }

  __host__ __device__ int steps_of(int depth) const {
    return (depth / rings + bfloat16_depth - 1) / bfloat16_depth * rings;
  }

  // See store_runs.
  struct Runs {
    using Piece = RingRows::Piece;
    int64_t image;
    int first, count;

    __device__ static unsigned pixel(unsigned piece) {
      if constexpr (panel_columns == width) return piece * piece_elements;
      const unsigned row = piece / rows_row_pieces;
      return row * panel_columns + (piece - row * rows_row_pieces) * piece_elements;
    }
  };

  class AtTile;
};

template <int side, int width>
class RingRows<side, width>::AtTile {
 public:
  __device__ AtTile(const RingRows& gather, int64_t tile, float* work)
      : g_(gather), windows_(reinterpret_cast<uint32_t*>(work)) {
    const auto [image, band] = g_.by_bands.divide(tile);
    image_ = image;
    y_ = static_cast<int>(band) * rows_box_rows;
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < window_words / 4; i += threads) {
      reinterpret_cast<uint4*>(windows_)[i] = {0, 0, 0, 0};
    }
    // What this thread copies of each channel.
    const int lane = static_cast<int>(threadIdx.x) % warp_threads, above = y_ - half;
    const int top = max(above, 0), end = min(above + window_rows, g_.height);
    from_ = g_.x + image * g_.all_channels * plane();
    if constexpr (copies_sectors) {
      from_ += int64_t{top} * width;
      const auto first_word = reinterpret_cast<uintptr_t>(from_ + threadIdx.x / warp_threads * plane()) / sizeof(Piece);
      const int begin = lane - static_cast<int>(first_word % sector_words);
      from_ += begin * piece_elements;
#pragma unroll
      for (int i = 0; i < copies; ++i) {
        const int word = begin + i * copy_words, row = word / row_pieces;
        copied_[i] = lane < copy_words && word >= 0 && word < (end - top) * row_pieces;
        to_[i] = (top - above + row) * row_words + margin / 2 + word - row * row_pieces;
      }
    } else {
      const int aligned = above & ~(sector_rows - 1), first = aligned + lane / row_lanes, piece = lane % row_lanes;
      from_ += int64_t{first} * width + piece * piece_elements;
#pragma unroll
      for (int i = 0; i < copies; ++i) {
        const int y = first + i * copy_rows;
        copied_[i] = piece < rows_row_pieces && y >= top && y < end;
        to_[i] = (y - above) * row_words + (margin + piece * piece_elements) / 2;
      }
    }
    // So that these are not worked out anew for every chunk.
    asm volatile("" : "+r"(y_), "+l"(image_), "+l"(from_));
    __syncthreads();
  }

  __device__ Runs runs() const { return {image_, y_ * width, min(rows_box_rows, g_.height - y_) * width}; }

  // The windows of a chunk's channels, with zeros where there is no channel.
  __device__ void start(int64_t first_channel, const Chunk& chunk) const {
    if (chunk.depth > 0) {
      constexpr int warps = threads / warp_threads, element = static_cast<int>(sizeof(bfloat16));
      const int there = chunk.depth / rings, first = static_cast<int>(threadIdx.x) / warp_threads;
      const int64_t channel = first_channel + static_cast<unsigned>(chunk.first_row) / rings + min(first, there - 1);
      const bfloat16* from = from_ + channel * plane();
      uint32_t to = shared_address(windows_ + first * channel_words);
      for (int c = first; c < channels; c += warps) {
        unroll<copies>([&](auto i) {
          if (!copied_[i]) return;
          if constexpr (copies_sectors) {
            copy_or_zero_at<Piece, 0, i * copy_words * sizeof(Piece)>(to + 4 * to_[i], from, c < there);
          } else {
            copy_or_zero_at<Piece, i * copy_rows * row_words * 4, i * copy_rows * width * element>(to + 4 * to_[0],
                                                                                                   from, c < there);
          }
        });
        to += warps * channel_words * 4;
        if (c + warps < there) from += warps * plane();
      }
    }
    finish_group();
  }

  __device__ void fill(bfloat16* panel, int64_t first_channel, const Chunk&, const Chunk& next) const {
    wait_for_all_groups_but<1>();
    __syncthreads();
    const int channel = static_cast<int>(threadIdx.x) / slots, slot = static_cast<int>(threadIdx.x) % slots;
    if (slot * slot_columns < width) {
      constexpr int pitch = bfloat16_pitch(pixels), element = static_cast<int>(sizeof(bfloat16));
      const uint32_t window =
          shared_address(windows_ + channel * channel_words + (margin - half + slot * slot_columns) / 2);
      const int row = channel / bfloat16_depth * rings * bfloat16_depth +
                      ChunkOrder::place_of<channel_step>(channel % bfloat16_depth);
      const uint32_t out = shared_address(panel + row * pitch + slot * slot_columns);
      RingSums<side, slot_columns, rows_box_rows, half> sums;
      sums.make(
          half - y_, g_.height - y_ + half,
          [&](auto r, float(&x)[slot_window]) {
            unroll<slot_window / 4>([&](auto i) {
              const uint2 two = load_two_words<(r * row_words + 2 * i) * 4>(window);
              x[4 * i] = first_of(two.x);
              x[4 * i + 1] = second_of(two.x);
              x[4 * i + 2] = first_of(two.y);
              x[4 * i + 3] = second_of(two.y);
            });
          },
          [&](auto l, auto y, const float(&sum)[slot_columns]) {
            store_two_words<(l * bfloat16_depth * pitch + y * panel_columns) * element>(
                out, {rounded_pair(sum[0], sum[1]), rounded_pair(sum[2], sum[3])});
          });
    }
    __syncthreads();
    start(first_channel, next);  // the windows are free again
  }

 private:
  __device__ int64_t plane() const { return int64_t{g_.height} * width; }

  const RingRows& g_;
  uint32_t* windows_;
  int64_t image_;
  int y_;                 // of the tile's first output
  bool copied_[copies];   // whether there is something to copy
  const bfloat16* from_;  // what this thread copies first of channel 0
  int to_[copies];        // where to, in words
};

}  // namespace gmr::cuda
