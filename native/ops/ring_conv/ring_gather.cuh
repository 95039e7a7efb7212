// Ring sums for a tile: a box of output positions of one image, or of several where images are small. Channel by
// channel in shared memory:
//   window      what the box sees of the input, with its zero border
//   run_w       x[-w] + ... + x[+w] along each row of the window, each from the one before by two additions
//   disc_l      sum over the rows of disc l of a run each
//   ring_l      disc_l - disc_{l-1}, in float32, into the product's panel
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "cuda/bfloat16_product.cuh"
#include "cuda/box_tiling.cuh"
#include "ops/ring_conv/disc_table.h"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"

namespace gmr::cuda {

// Half-widths of runs: 0 .. floor(k / 2).
inline int run_count(const WindowGeometry& g) { return static_cast<int>(g.kernel[2] / 2 + 1); }

// Columns that a row of a box takes, of which the last may stand for nothing.
inline int row_columns(const Box& box) { return (box.extent[2] + ring_columns - 1) / ring_columns * ring_columns; }

// Floats from one row of a window's runs to the next: an odd number of rows of columns, so that eight threads that read
// 16 bytes each meet different banks also where they stand in several rows of 4, 8 or 16 columns.
inline int run_pitch(const WindowGeometry& g, const Box& box) { return (run_count(g) | 1) * row_columns(box); }

inline int64_t runs_floats(const WindowGeometry& g, const Box& box) {
  return int64_t{box.images} * box.span[0] * box.span[1] * run_pitch(g, box);
}

// Of the windows of `channels` channels; what lies behind them is read 16 bytes at a time.
inline int64_t windows_floats(const Box& box, int64_t channels) { return (channels * box.window_floats() + 3) / 4 * 4; }

inline int64_t work_floats(const WindowGeometry& g, const Box& box, int64_t channels) {
  return windows_floats(box, channels) + channels * runs_floats(g, box);
}

// Channels whose windows and runs fit.
inline int64_t channels_that_fit(const WindowGeometry& g, const Box& box, int64_t most_floats) {
  return (most_floats - 3) / (box.window_floats() + runs_floats(g, box));
}

// The box that takes the fewest additions and products; extent 0: there is none worth it.
inline Box choose_ring_box(const WindowGeometry& g, int64_t images, int64_t rings, int64_t most_floats) {
  const double least_positions =
      std::min<double>(ring_least_positions, static_cast<double>(images) * static_cast<double>(volume(g.out)));
  return choose_box(g, images, product_pixels, {1, 1, ring_columns}, most_floats, [&](const Box& box) {
    const int positions = box.images * box.extent[0] * box.extent[1] * box.extent[2];
    if (channels_that_fit(g, box, most_floats) < 1 || positions < least_positions) {
      return std::numeric_limits<double>::infinity();
    }
    return box.window_floats() + 2.0 * static_cast<double>(runs_floats(g, box)) +
           ring_product_cost * static_cast<double>(rings * product_pixels);
  });
}

// Of each disc, where its terms end and which they are: table[l] .. table[l + 1] are offsets from a position's first
// run. A disc that adds no ring has none.
inline std::vector<int32_t> disc_terms(const WindowGeometry& g, const RingKernel& rings, const Box& box) {
  const DiscTable discs(g.kernel, rings);
  std::vector<int32_t> table(static_cast<size_t>(rings.rings) + 1);
  for (int64_t l = 0; l < rings.rings; ++l) {
    table[l] = static_cast<int32_t>(table.size());
    if (discs.is_empty(l)) continue;
    for (int64_t z = 0; z < g.kernel[0]; ++z) {
      for (int64_t y = 0; y < g.kernel[1]; ++y) {
        const int32_t width = discs.half_width(l, z, y);
        if (width < 0) continue;
        const int64_t row = z * g.dilation[0] * box.span[1] + y * g.dilation[1];
        table.push_back(static_cast<int32_t>(row * run_pitch(g, box) + width * row_columns(box)));
      }
    }
  }
  table[rings.rings] = static_cast<int32_t>(table.size());
  return table;
}

template <typename T>
struct RingGather {
  static constexpr int threads = block_threads, pixels = product_pixels, panel_rows = product_depth;
  static constexpr bool is_interleaved = false;

  const T* x;
  const int32_t* terms;  // of disc_terms
  BoxTiling tiling;
  int64_t all_channels, tiles;
  int rows, chunk_depth, steps, work_floats, windows_floats;
  int channels_a_chunk, runs, run_pitch;
  Divisor by_rows;
  SmallDivisor box_volume, box_y, box_x, row_threads;  // of columns; box_x / ring_columns

  // `terms` lies on the device. `most_floats`: the shared memory for windows and runs.
  RingGather(const T* x, const int32_t* terms, const WindowGeometry& window, const Box& box, int64_t rings,
             int64_t images, int64_t all_channels, int64_t group_channels, int64_t most_floats)
      : x(x),
        terms(terms),
        tiling(window, box, images),
        all_channels(all_channels),
        tiles(tiling.tiles),
        rows(static_cast<int>(rings)),
        channels_a_chunk(static_cast<int>(std::min({group_channels, std::max<int64_t>(product_depth / rings, 1),
                                                    channels_that_fit(window, box, most_floats)}))),
        runs(run_count(window)),
        run_pitch(cuda::run_pitch(window, box)),
        by_rows(rings),
        box_volume(int64_t{box.extent[0]} * box.extent[1] * row_columns(box)),
        box_y(box.extent[1]),
        box_x(row_columns(box)),
        row_threads(row_columns(box) / ring_columns) {
    chunk_depth = channels_a_chunk * rows;
    steps = steps_of(chunk_depth);
    work_floats = static_cast<int>(cuda::work_floats(window, box, channels_a_chunk));
    windows_floats = static_cast<int>(cuda::windows_floats(box, channels_a_chunk));
  }

  __host__ __device__ int steps_of(int depth) const { return (depth + bfloat16_depth - 1) / bfloat16_depth; }

  // A column's place in the tile.
  struct Column {
    int image, z, y, x;
  };

  __device__ Column column_of(int column) const {
    const int image = box_volume.divide(column), rest = column - image * box_volume.divisor();
    const int row = box_x.divide(rest), slice = box_y.divide(row);
    return {image, slice, row - slice * box_y.divisor(), rest - row * box_x.divisor()};
  }

  class AtTile;
};

template <typename T>
class RingGather<T>::AtTile {
 public:
  __device__ AtTile(const RingGather& gather, int64_t tile, float* work)
      : g_(gather),
        corner_(gather.tiling.corner(tile)),
        windows_(work),
        runs_(work + gather.windows_floats),
        first_column_(static_cast<int>(threadIdx.x) % column_threads * ring_columns) {
    const Column c = g_.column_of(first_column_);
    const Box& box = g_.tiling.box;
    columns_ = place(first_column_).image < 0 ? 0 : min(box.extent[2] - c.x, g_.tiling.window.out[2] - corner_.x - c.x);
    const int row =
        (c.image * box.span[0] + c.z * g_.tiling.window.stride[0]) * box.span[1] + c.y * g_.tiling.window.stride[1];
    first_run_ = c.image < box.images ? row * g_.run_pitch + c.x : 0;
  }

  __device__ Place place(int column) const {
    const Column c = g_.column_of(column);
    const Box& box = g_.tiling.box;
    const auto& out = g_.tiling.window.out;
    const int z = corner_.z + c.z, y = corner_.y + c.y, x = corner_.x + c.x;
    const int64_t image = corner_.image + c.image;
    const bool is_there = c.image < box.images && image < g_.tiling.images && z < out[0] && y < out[1] &&
                          c.x < box.extent[2] && x < out[2];
    return {is_there ? image : -1, (int64_t{z} * out[1] + y) * out[2] + x};
  }

  __device__ PlacePair pair(int column) const {
    return pair_of(place(column), place(column + 1), g_.tiling.window.out_plane());
  }

  __device__ void start(int64_t first_channel, const Chunk& chunk) const {
    if (chunk.depth > 0) {
      const int64_t first = first_channel + g_.by_rows.divide(chunk.first_row).quotient;
      g_.tiling.copy_windows(g_.x, g_.all_channels, first, chunk.depth / g_.rows, corner_, windows_);
    }
    finish_group();
  }

  __device__ void fill(T* panel, int64_t first_channel, const Chunk& chunk, const Chunk& next) const {
    const int channels = chunk.depth / g_.rows;
    wait_for_all_groups_but<1>();
    __syncthreads();
    if (g_.tiling.window.stride[2] == 1 && g_.tiling.window.dilation[2] == 1) {
      make_runs(channels, [](Pack<ring_columns>& left, Pack<ring_columns>& right, const float* centre, int w) {
#pragma unroll
        for (int j = ring_columns - 1; j > 0; --j) left.v[j] = left.v[j - 1];
        left.v[0] = centre[-w];
#pragma unroll
        for (int j = 0; j < ring_columns - 1; ++j) right.v[j] = right.v[j + 1];
        right.v[ring_columns - 1] = centre[ring_columns - 1 + w];
      });
    } else {
      const int stride = g_.tiling.window.stride[2], dilation = g_.tiling.window.dilation[2];
      make_runs(channels, [=](Pack<ring_columns>& left, Pack<ring_columns>& right, const float* centre, int w) {
#pragma unroll
        for (int j = 0; j < ring_columns; ++j) {
          left.v[j] = centre[j * stride - w * dilation];
          right.v[j] = centre[j * stride + w * dilation];
        }
      });
    }
    __syncthreads();
    start(first_channel, next);  // the windows are free again
    sum_discs(panel, channels);
    if constexpr (!std::is_same_v<T, float>) zero_rows(panel, chunk.depth);
  }

 private:
  // A thread makes the runs about four neighbours of one row of the windows. step(left, right, centre, w) replaces what
  // lies w - 1 to the left and right of each by what lies w away.
  template <typename Step>
  __device__ void make_runs(int channels, Step&& step) const {
    const Window& window = g_.tiling.window;
    const int count = channels * g_.tiling.window_rows() * g_.row_threads.divisor();
    const int to_centre = window.kernel[2] / 2 * window.dilation[2];
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
      const int row = g_.row_threads.divide(i), x = (i - row * g_.row_threads.divisor()) * ring_columns;
      const float* centre = windows_ + row * g_.tiling.box.span[2] + x * window.stride[2] + to_centre;
      float* out = runs_ + row * g_.run_pitch + x;
      Pack<ring_columns> run;
#pragma unroll
      for (int j = 0; j < ring_columns; ++j) run.v[j] = centre[j * window.stride[2]];
      store_pack(out, run);
      Pack<ring_columns> left = run, right = run;
#pragma unroll 4
      for (int w = 1; w < g_.runs; ++w) {
        step(left, right, centre, w);
#pragma unroll
        for (int j = 0; j < ring_columns; ++j) run.v[j] += left.v[j] + right.v[j];
        store_pack(out + w * g_.box_x.divisor(), run);
      }
    }
  }

  // A thread makes the rings of its columns, channel by channel.
  __device__ void sum_discs(T* panel, int channels) const {
    const int channel_runs = g_.tiling.window_rows() * g_.run_pitch;
    for (int channel = static_cast<int>(threadIdx.x) / column_threads; channel < channels;
         channel += block_threads / column_threads) {
      const float* runs = runs_ + channel * channel_runs + first_run_;
      T* out = panel + channel * g_.rows * panel_pitch<T> + first_column_;
      Pack<ring_columns> inner{};
      int32_t term = g_.terms[0];
      for (int l = 0; l < g_.rows; ++l) {
        const int32_t end = g_.terms[l + 1];
        Pack<ring_columns> outer{}, ring;
        if (term == end) outer = inner;
        for (; term < end; ++term) {
          const auto run = load_pack<ring_columns>(runs + g_.terms[term]);
#pragma unroll
          for (int j = 0; j < ring_columns; ++j) outer.v[j] += run.v[j];
        }
#pragma unroll
        for (int j = 0; j < ring_columns; ++j) ring.v[j] = j < columns_ ? outer.v[j] - inner.v[j] : 0;
        store_pack(out + l * panel_pitch<T>, ring);
        inner = outer;
      }
    }
  }

  static constexpr int column_threads = product_pixels / ring_columns;  // that make a channel's columns

  const RingGather& g_;
  BoxTiling::Corner corner_;
  float* windows_;  // [channel][image][span]
  float* runs_;     // [channel][image][span z][span y][half-width][columns of a row], rows run_pitch apart
  int first_column_;
  int columns_;  // that stand for something: they come first
  int first_run_;
};

}  // namespace gmr::cuda
