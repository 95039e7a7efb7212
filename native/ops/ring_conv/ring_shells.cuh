// Ring sums of standard 3-D kernels at stride 1, in registers (shell_sums.cuh), for a tile of eight slices or fewer of
// four rows of four columns. A thread has four columns of a row of a channel and goes through the slices of its window.
//
//   windows  [channels][slices][rows][columns]    by cp.async, during the product before
//   panel    [channels of each ring][slices][4 rows][4 columns]
//
// Slices of the window that no input has are neither copied nor added.
#pragma once

#include "cuda/shared_floats.cuh"
#include "cuda/weight_product.cuh"
#include "cuda/window.h"
#include "ops/conv/float_results.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/shell_sums.cuh"

namespace gmr::cuda {

// `pitch`: elements from row to row of the panel.
template <int side, typename T, int block_size, int pitch>
struct RingShells {
  using Sums = ShellSums<side>;
  static constexpr bool is_float = std::is_same_v<T, float>;
  static constexpr int half = Sums::half, rings = Sums::rings;
  static constexpr int threads = block_size, warps = threads / warp_threads, pixels = shells_pixels;
  static constexpr int channels = is_float ? 8 : bfloat16_depth;  // of a chunk
  static constexpr int panel_rows = channels * rings, steps = rings;
  static constexpr bool is_interleaved = !is_float;
  static constexpr int channel_step = 2;
  static_assert(shells_columns == Sums::columns);

  // Rows of a window are read 16 bytes at a time by eight threads, each for a channel; of bfloat16 8 bytes by sixteen,
  // four for each of four channels. Pitches are such that these meet different banks.
  static constexpr int row_words = is_float ? Sums::window : 6;
  static constexpr int window_rows = shells_rows + 2 * half, slice_words = window_rows * row_words;
  static_assert(is_float ? row_words % 4 == 0 && pitch % 8 == 4 : 2 * row_words >= Sums::window);

  // Warps that sum rings take turns, so that all schedulers get as much.
  static constexpr int summing_warps = channels * shells_rows / warp_threads;
  static_assert(summing_warps * warp_threads == channels * shells_rows && warps % summing_warps == 0);

  const T* x;
  Window window;
  int64_t images, all_channels, in_plane, tiles;
  int rows, chunk_depth, slices, channel_words, work_floats;
  int piece_elements;  // that are copied at a time: 16, 8 or 4 bytes; of bfloat16 1: neighbours are no words
  Divisor tiles_z, tiles_y, tiles_x;

  RingShells(const T* x, const WindowGeometry& g, int slices, int64_t images, int64_t all_channels)
      : x(x),
        window(g),
        images(images),
        all_channels(all_channels),
        in_plane(volume(g.in)),
        tiles(tiles_of(g, images, slices)),
        rows(rings),
        chunk_depth(panel_rows),
        slices(slices),
        channel_words(channel_words_of(slices)),
        work_floats(channels * channel_words),
        piece_elements(piece_of(g)),
        tiles_z(parts_of(g.out[0], slices)),
        tiles_y(parts_of(g.out[1], shells_rows)),
        tiles_x(parts_of(g.out[2], shells_columns)) {}

  static int64_t tiles_of(const WindowGeometry& g, int64_t images, int slices) {
    return images * parts_of(g.out[0], slices) * parts_of(g.out[1], shells_rows) * parts_of(g.out[2], shells_columns);
  }
  static int channel_words_of(int slices) {
    const int words = (slices + 2 * half) * slice_words;
    return is_float ? odd_packs(words) : padded_words(words, 24);
  }

  // The longest pieces of which every row of x is a whole number, wherever a window begins.
  static int piece_of(const WindowGeometry& g) {
    const int64_t extents = g.in[2] | (g.padding[2] + Sums::margin - half);
    return extents % 4 == 0 ? 4 : extents % 2 == 0 ? 2 : 1;
  }

  // The slices of a tile that waste least, of those for which a block has shared memory, `other_bytes` of which are for
  // other things; 0: too few.
  static int choose_slices(const WindowGeometry& g, int64_t other_bytes, int64_t most_bytes) {
    int best = 0;
    int64_t least_cost = std::numeric_limits<int64_t>::max();
    for (int slices = shells_most_slices; slices >= std::min<int64_t>(shells_least_slices, g.out[0]); --slices) {
      const int64_t bytes = other_bytes + int64_t{channels} * channel_words_of(slices) * 4;
      const int64_t cost = tiles_of(g, 1, slices) * (slices + 2 * half + shells_product_slices);
      if (bytes > most_bytes || cost >= least_cost) continue;
      least_cost = cost;
      best = slices;
    }
    return best;
  }

  __host__ __device__ int steps_of(int) const { return rings; }

  class AtTile;
};

template <int side, typename T, int block_size, int pitch>
class RingShells<side, T, block_size, pitch>::AtTile {
 public:
  __device__ AtTile(const RingShells& gather, int64_t tile, float* work)
      : g_(gather), windows_(reinterpret_cast<uint32_t*>(work)) {
    const auto [rows_of_tiles, x_part] = g_.tiles_x.divide(tile);
    const auto [slices_of_tiles, y_part] = g_.tiles_y.divide(rows_of_tiles);
    const auto [image, z_part] = g_.tiles_z.divide(slices_of_tiles);
    image_ = image;
    z_ = static_cast<int>(z_part) * g_.slices;
    y_ = static_cast<int>(y_part) * shells_rows;
    x_ = static_cast<int>(x_part) * shells_columns;
    const int before = g_.window.padding[0] - z_;  // slices of the window before the input
    first_slice_ = max(before, 0);
    end_slice_ = min(g_.slices + 2 * half, g_.window.in[0] + before);
  }

  __device__ Place place(int column) const {
    const int slice = column / (shells_rows * shells_columns);
    const int z = z_ + slice, y = y_ + column / shells_columns % shells_rows, x = x_ + column % shells_columns;
    const auto& out = g_.window.out;
    const bool is_there = slice < g_.slices && z < out[0] && y < out[1] && x < out[2];
    return {is_there ? image_ : -1, (int64_t{z} * out[1] + y) * out[2] + x};
  }

  __device__ PlacePair pair(int column) const {
    return pair_of(place(column), place(column + 1), g_.window.out_plane());
  }

  // Where the columns of a row of the tile lie, and how many slices of them there are.
  __device__ StripPlace strip(int row) const {
    const auto& out = g_.window.out;
    const int y = y_ + row;
    return {image_, (int64_t{z_} * out[1] + y) * out[2] + x_, y < out[1] ? out[0] - z_ : 0, out[2] - x_};
  }

  __device__ void start(int64_t first_channel, const Chunk& chunk) const {
    if (chunk.depth > 0) {
      const int64_t first = first_channel + chunk.first_row / rings;
      const int there = chunk.depth / rings;
      if (g_.piece_elements == 4) {
        copy_windows<4>(first, there);
      } else if (g_.piece_elements == 2) {
        copy_windows<2>(first, there);
      } else {
        copy_windows<1>(first, there);
      }
    }
    finish_group();
  }

  __device__ void fill(T* panel, int64_t first_channel, const Chunk& chunk, const Chunk& next) const {
    wait_for_all_groups_but<1>();
    __syncthreads();
    const auto turn = static_cast<unsigned>(chunk.first_row / panel_rows) + blockIdx.x;
    const int first_warp = static_cast<int>(turn % (warps / summing_warps)) * summing_warps;
    const int warp = (static_cast<int>(threadIdx.x) / warp_threads + first_warp) % warps;
    if (warp < summing_warps) {
      const int place = warp * warp_threads + static_cast<int>(threadIdx.x) % warp_threads;
      const int channel = is_float ? place % channels : place / shells_rows;
      const int row = is_float ? place / channels : place % shells_rows;
      sum_rings(channel, row, chunk.depth / rings, panel);
    }
    __syncthreads();
    start(first_channel, next);  // the windows are free again
  }

 private:
  template <int elements>
  __device__ void copy_windows(int64_t first_channel, int there) const {
    constexpr int bytes = elements * static_cast<int>(sizeof(T)), row_pieces = Sums::window / elements;
    const Window& w = g_.window;
    const int count = (end_slice_ - first_slice_) * window_rows * row_pieces;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
      const int row = i / row_pieces, column = i % row_pieces * elements;
      const int slice = first_slice_ + row / window_rows, slice_row = row % window_rows;
      const int z = z_ - w.padding[0] + slice, y = y_ - w.padding[1] + slice_row;
      const int x = x_ - w.padding[2] - (Sums::margin - half) + column;
      const T* first = g_.x + (image_ * g_.all_channels + first_channel) * g_.in_plane + w.offset(z, y, x);
      uint32_t to =
          shared_address(windows_ + slice * slice_words + slice_row * row_words) + column * static_cast<int>(sizeof(T));
      const int to_step = g_.channel_words * static_cast<int>(sizeof(uint32_t));
      if constexpr (bytes >= 4) {
        using Piece = std::conditional_t<bytes == 16, uint4, std::conditional_t<bytes == 8, uint2, uint32_t>>;
        const bool is_there = w.is_inside(z, y, x);
        const T* from = is_there ? first : g_.x;
        const int64_t step = is_there ? g_.in_plane : 0;
#pragma unroll 4
        for (int channel = 0; channel < there; ++channel) {
          copy_or_zero_at<Piece, 0, 0>(to, from, is_there);
          to += to_step;
          from += step;
        }
      } else if (column % 2 == 0) {  // a word
        const bool has_first = w.is_inside(z, y, x), has_second = w.is_inside(z, y, x + 1);
#pragma unroll 4
        for (int channel = 0; channel < there; ++channel) {
          const uint32_t low = has_first ? first[0].bits : 0, high = has_second ? first[1].bits : 0;
          store_word<0>(to, high << 16 | low);
          to += to_step;
          first += g_.in_plane;
        }
      }
    }
  }

  // The rings of a channel, of which the first `there` are, in a row of the tile.
  __device__ void sum_rings(int channel, int row, int there, T* panel) const {
    const auto& out = g_.window.out;
    const bool is_there = channel < there && y_ + row < out[1];
    const int columns = is_there ? out[2] - x_ : 0, out_slices = out[0] - z_;
    int panel_row = channel;
    if constexpr (!is_float) panel_row = ChunkOrder::place_of<channel_step>(channel);
    const uint32_t to = shared_address(panel + panel_row * pitch + row * shells_columns);
    const uint32_t window = shared_address(windows_ + channel * g_.channel_words + row * row_words);
    Sums sums;
#pragma unroll 1
    for (int slice = min(first_slice_, half); slice < g_.slices + 2 * half; ++slice) {
      if (is_there && slice >= first_slice_ && slice < end_slice_) {
        const uint32_t at = window + slice * slice_words * static_cast<int>(sizeof(uint32_t));
        sums.add_slice([&](auto dy, float(&x)[Sums::window]) {
          constexpr int distance = (half + dy) * row_words * 4;
          if constexpr (is_float) {
            load_floats<distance>(at, x);
          } else {
            Sums::template load_bfloat16<distance>(at, x);
          }
        });
      } else {
        sums.skip_slice();
      }
      unroll<rings>([&](auto l) {
        const int z = slice - half - Sums::reach(l);
        if (z < 0 || z >= g_.slices) return;
        constexpr int row_bytes = pitch * static_cast<int>(sizeof(T));
        const uint32_t at = to + z * shells_rows * shells_columns * static_cast<int>(sizeof(T));
        store_sums<l * channels * row_bytes>(at, sums.sum(l), z < out_slices ? columns : 0);
      });
    }
  }

  // Zeros where a column stands for nothing.
  template <int distance>
  __device__ static void store_sums(uint32_t address, const float (&sum)[shells_columns], int columns) {
    float value[shells_columns];
#pragma unroll
    for (int c = 0; c < shells_columns; ++c) value[c] = c < columns ? sum[c] : 0;
    if constexpr (is_float) {
      store_floats<distance>(address, value);
    } else {
      store_two_words<distance>(address, {rounded_pair(value[0], value[1]), rounded_pair(value[2], value[3])});
    }
  }

  const RingShells& g_;
  uint32_t* windows_;  // [channel][slice][row][word]
  int64_t image_;
  int z_, y_, x_;                // of the tile's first output
  int first_slice_, end_slice_;  // of the window, that the input has
};

}  // namespace gmr::cuda
