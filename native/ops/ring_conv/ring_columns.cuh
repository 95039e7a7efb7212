// Ring sums of standard 2-D kernels at stride 1 for the bfloat16 product, without runs in shared memory: a thread has
// two neighbouring columns of a channel and slides down the rows of its window. What a row adds to the rings that meet
// it,
//   pairs   e_w = x[-w] + x[+w]
//   runs    x[-w] + ... + x[+w], each from the one before
//   a ring's share   a run where the ring is whole, else the pairs between its inner and its outer disc
// goes to the sums of all output rows that it belongs to, at once; a sum is rounded and stored in the row that completes
// it. Everything but the window is in registers. Rings are never differences, so that they lose no digits.
#pragma once

#include <utility>

#include "cuda/bfloat16_product.cuh"
#include "cuda/box_tiling.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/standard_discs.h"

namespace gmr::cuda {

// A box of the outputs of RingColumns; extent 0: none.
Box choose_columns_box(const WindowGeometry& g, int64_t images, int rings);

// The least number >= words that is `rest` modulo the 32 banks.
inline int padded_words(int words, int rest) { return words + (rest - words % 32 + 32) % 32; }

// Calls f(std::integral_constant<int, i>) for i = 0..count - 1.
template <int count, typename F>
__device__ inline void unroll(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) { (f(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, count>{});
}

// is_masked: columns that stand for nothing are zero, as a sum over columns wants it.
template <int side, bool is_masked>
struct RingColumns {
  using Discs = StandardDiscs<side>;
  static constexpr int half = Discs::half, rings = Discs::rings;
  static constexpr int threads = columns_threads, pixels = columns_pixels;
  static constexpr int panel_rows = columns_channels * rings;
  static constexpr int steps = rings;  // 16 channels of a ring each
  static constexpr bool is_interleaved = true;
  // Columns of the window to the left of the box: even, so that its pairs are words.
  static constexpr int margin = (half + 1) / 2 * 2;
  static constexpr int words_a_pair = (margin + half + 3) / 2;  // that a thread reads of a row
  static constexpr int row_words = columns_most / 2 - 1 + words_a_pair;

  const bfloat16* x;
  Window window;
  int box_images, box_rows, box_columns;  // columns even
  int64_t images, all_channels, in_plane, tiles;
  int rows, chunk_depth, work_floats;
  int pairs, words, image_words, channel_words;  // a box's; words of a window's row that are used
  bool has_words;                                // whether two neighbours of x are an aligned word
  Divisor tiles_y, tiles_x;
  SmallDivisor by_pairs, by_image_columns, by_columns, by_words, by_window_rows;

  RingColumns(const bfloat16* x, const WindowGeometry& g, const Box& box, int64_t images, int64_t all_channels)
      : x(x),
        window(g),
        box_images(box.images),
        box_rows(box.extent[1]),
        box_columns((box.extent[2] + 1) / 2 * 2),
        images(images),
        all_channels(all_channels),
        in_plane(volume(g.in)),
        rows(rings),
        chunk_depth(panel_rows),
        pairs(box_columns / 2),
        words(pairs - 1 + words_a_pair),
        has_words(g.in[2] % 2 == 0 && (g.padding[2] - half) % 2 == 0),
        tiles_y(parts(g.out[1], box_rows)),
        tiles_x(parts(g.out[2], box_columns)),
        by_pairs(pairs),
        by_image_columns(box_rows * box_columns),
        by_columns(box_columns),
        by_words(words),
        by_window_rows(window_rows()) {
    tiles = parts(images, box_images) * parts(g.out[1], box_rows) * parts(g.out[2], box_columns);
    // The lanes of a warp, pairs of images of channels, read neighbouring banks.
    int lanes = 1;
    while (lanes < pairs) lanes *= 2;
    image_words = padded_words(window_rows() * row_words, lanes);
    channel_words = padded_words(box_images * image_words, columns_slots);
    work_floats = columns_channels * channel_words;
  }

  static int64_t parts(int64_t extent, int64_t part) { return (extent + part - 1) / part; }
  __host__ __device__ int window_rows() const { return box_rows + 2 * half; }
  __host__ __device__ int steps_of(int) const { return rings; }

  class AtTile;
};

template <int side, bool is_masked>
class RingColumns<side, is_masked>::AtTile {
 public:
  __device__ AtTile(const RingColumns& gather, int64_t tile, float* work)
      : g_(gather), windows_(reinterpret_cast<uint32_t*>(work)) {
    const auto [rows_of_tiles, x_part] = g_.tiles_x.divide(tile);
    const auto [image_part, y_part] = g_.tiles_y.divide(rows_of_tiles);
    first_image_ = image_part * g_.box_images;
    y_ = static_cast<int>(y_part) * g_.box_rows;
    x_ = static_cast<int>(x_part) * g_.box_columns;
    const int columns = g_.window.out[2] - x_ - 2 * (slot() - image_of_slot() * g_.pairs);
    mask_ = columns <= 0 ? 0 : columns == 1 ? 0xffff : 0xffffffff;
    rows_there_ = g_.window.out[1] - y_;
  }

  __device__ PlacePair pair(int column) const {
    const int image = g_.by_image_columns.divide(column), rest = column - image * g_.by_image_columns.divisor();
    const int row = g_.by_columns.divide(rest);
    const int y = y_ + row, x = x_ + rest - row * g_.box_columns, width = g_.window.out[2];
    const bool is_there =
        image < g_.box_images && first_image_ + image < g_.images && y < g_.window.out[1] && x < width;
    const int64_t pixel = int64_t{y} * width + x;
    const int64_t at = is_there ? first_image_ + image : -1;
    const bool has_second = x + 1 < width;
    return {{at, pixel}, {has_second ? at : -1, pixel + 1}, is_there && has_second && width % 2 == 0};
  }

  // The windows of 16 channels, with zeros where there is no input or no channel.
  __device__ void start(int64_t first_channel, const Chunk& chunk) const {
    if (chunk.depth > 0) {
      const int64_t first = first_channel + chunk.first_row / rings;
      const int channels = chunk.depth / rings;
      const int count = g_.box_images * g_.window_rows() * g_.words;
      const int first_y = y_ - g_.window.padding[1], first_x = x_ - g_.window.padding[2] - (margin - half);
      for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
        const int all_rows = g_.by_words.divide(i), image = g_.by_window_rows.divide(all_rows);
        const int row = all_rows - image * g_.window_rows(), word = i - all_rows * g_.words;
        const int y = first_y + row, x = first_x + 2 * word;
        const bool has_row = first_image_ + image < g_.images && is_below(y, g_.window.in[1]);
        const int64_t plane = ((first_image_ + image) * g_.all_channels + first) * g_.in_plane;
        const bfloat16* from = g_.x + (has_row ? plane + int64_t{y} * g_.window.in[2] : 0);
        uint32_t* to = windows_ + image * g_.image_words + row * row_words + word;
        const bool has_first = has_row && is_below(x, g_.window.in[2]);
        const bool has_second = has_row && is_below(x + 1, g_.window.in[2]);
        if (g_.has_words) {
          copy_words(from + (has_first ? x : 0), has_first, channels, to);
        } else {
          copy_elements(from + x, has_first, has_second, channels, to);
        }
      }
    }
    finish_group();
  }

  __device__ void fill(bfloat16* panel, int64_t first_channel, const Chunk& chunk, const Chunk& next) const {
    wait_for_all_groups_but<1>();
    __syncthreads();
    const int channel = static_cast<int>(threadIdx.x) / columns_slots;
    const int image = image_of_slot(), pair = slot() - image * g_.pairs;
    if (image < g_.box_images) {
      const uint32_t* window = windows_ + channel * g_.channel_words + image * g_.image_words + pair;
      bfloat16* out = panel + ChunkOrder::interleaved_row(channel) * bfloat16_pitch(pixels) +
                      image * g_.by_image_columns.divisor() + 2 * pair;
      Sums sum;
      add_rows<0>(sum, window, out);
    }
    __syncthreads();
    start(first_channel, next);  // the windows are free again
  }

 private:
  static __device__ int slot() { return static_cast<int>(threadIdx.x) % columns_slots; }
  __device__ int image_of_slot() const { return g_.by_pairs.divide(slot()); }
  static __device__ bool is_below(int i, int extent) {
    return static_cast<unsigned>(i) < static_cast<unsigned>(extent);
  }

  __device__ void copy_words(const bfloat16* from, bool is_there, int channels, uint32_t* to) const {
    const auto* source = reinterpret_cast<const uint32_t*>(from);
    const int64_t step = is_there ? g_.in_plane / 2 : 0;
#pragma unroll
    for (int channel = 0; channel < columns_channels; ++channel) {
      copy_or_zero(to + channel * g_.channel_words, source, is_there && channel < channels);
      if (channel + 1 < channels) source += step;
    }
  }

  __device__ void copy_elements(const bfloat16* from, bool has_first, bool has_second, int channels,
                                uint32_t* to) const {
#pragma unroll 4
    for (int channel = 0; channel < columns_channels; ++channel) {
      const bfloat16* at = from + channel * g_.in_plane;
      const uint32_t first = has_first && channel < channels ? at[0].bits : 0;
      const uint32_t second = has_second && channel < channels ? at[1].bits : 0;
      to[channel * g_.channel_words] = second << 16 | first;
    }
  }

  // What a row of the window adds to ring l of the output row that lies dy rows away.
  struct Shares {
    float pair[half + 1], run[half + 1];

    __device__ Shares(const float (&x)[2 * words_a_pair], int column) {
      const int centre = margin + column;
      run[0] = x[centre];
#pragma unroll
      for (int w = 1; w <= half; ++w) {
        pair[w] = x[centre - w] + x[centre + w];
        run[w] = run[w - 1] + pair[w];
      }
    }

    template <int inner, int outer>
    __device__ float between() const {
      if constexpr (inner < 0) {
        return run[outer];
      } else if constexpr (inner + 1 == outer) {
        return pair[outer];
      } else {
        return between<inner, outer - 1>() + pair[outer];
      }
    }
  };

  using Sums = float[rings][columns_most_rows][2];

  // Row r of the window and those behind it.
  template <int r>
  __device__ void add_rows(Sums& sum, const uint32_t* window, bfloat16* out) const {
    if constexpr (r < columns_most_rows + 2 * half) {
      if (r > 2 * half && r >= g_.window_rows()) return;
      float x[2 * words_a_pair];
#pragma unroll
      for (int i = 0; i < words_a_pair; ++i) {
        const uint32_t word = window[r * row_words + i];
        x[2 * i] = first_of(word);
        x[2 * i + 1] = second_of(word);
      }
      const Shares shares[2] = {{x, 0}, {x, 1}};
      unroll<rings>([&](auto l) {
        constexpr int reach = Discs::reach(l);
        unroll<2 * reach + 1>([&](auto i) {
          constexpr int dy = i - reach, y = r - half - dy, distance = dy < 0 ? -dy : dy;
          if constexpr (y >= 0 && y < columns_most_rows) {
            constexpr int outer = Discs::half_width(l, distance);
            constexpr int inner = l == 0 ? -1 : Discs::half_width(l - 1, distance);
#pragma unroll
            for (int c = 0; c < 2; ++c) {
              const float share = shares[c].template between<inner, outer>();
              sum[l][y][c] = dy == -reach ? share : sum[l][y][c] + share;
            }
            if (dy == reach && y < g_.box_rows) store(out, l, y, sum[l][y]);
          }
        });
      });
      add_rows<r + 1>(sum, window, out);
    }
  }

  __device__ void store(bfloat16* out, int l, int y, const float (&sum)[2]) const {
    uint32_t pair = rounded_pair(sum[0], sum[1]);
    if constexpr (is_masked) pair &= y < rows_there_ ? mask_ : 0;
    *reinterpret_cast<uint32_t*>(out + l * bfloat16_depth * bfloat16_pitch(pixels) + y * g_.box_columns) = pair;
  }

  const RingColumns& g_;
  uint32_t* windows_;  // [channel][image][row][word]
  int64_t first_image_;
  int y_, x_;  // of the tile's first output
  // What of a thread's columns stands for an output; kept where is_masked.
  uint32_t mask_;
  int rows_there_;
};

}  // namespace gmr::cuda
