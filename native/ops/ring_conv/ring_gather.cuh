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

#include "cuda/box_tiling.cuh"
#include "cuda/implicit_product.cuh"
#include "ops/ring_conv/disc_table.h"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"

namespace gmr::cuda {

// Runs of a channel of a tile: half-widths 0 .. floor(k / 2) about each output column of each row of its windows.
inline int run_count(const WindowGeometry& g) { return static_cast<int>(g.kernel[2] / 2 + 1); }

inline int64_t runs_floats(const WindowGeometry& g, const Box& box) {
  return int64_t{box.images} * box.span[0] * box.span[1] * run_count(g) * box.extent[2];
}

inline int64_t channel_floats(const WindowGeometry& g, const Box& box) {
  return box.window_floats() + runs_floats(g, box);
}

// The box that takes the fewest additions and products; extent 0: there is none worth it.
inline Box choose_ring_box(const WindowGeometry& g, int64_t images, int64_t rings, int64_t most_floats) {
  const double least_positions =
      std::min<double>(ring_least_positions, static_cast<double>(images) * static_cast<double>(volume(g.out)));
  return choose_box(g, images, product_pixels, 1, most_floats, [&](const Box& box) {
    const int positions = box.images * box.extent[0] * box.extent[1] * box.extent[2];
    if (channel_floats(g, box) > most_floats || positions < least_positions) {
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
        table.push_back(static_cast<int32_t>((row * run_count(g) + width) * box.extent[2]));
      }
    }
  }
  table[rings.rings] = static_cast<int32_t>(table.size());
  return table;
}

struct RingGather {
  const float* x;
  const int32_t* terms;  // of disc_terms
  BoxTiling tiling;
  int64_t all_channels, tiles;
  int rows, chunk_depth, work_floats;
  int channels_a_chunk, runs;
  Divisor by_rows;
  SmallDivisor box_volume, box_y, box_x;

  // `terms` lies on the device. `most_floats`: the shared memory for windows and runs.
  RingGather(const float* x, const int32_t* terms, const WindowGeometry& window, const Box& box, int64_t rings,
             int64_t images, int64_t all_channels, int64_t group_channels, int64_t most_floats)
      : x(x),
        terms(terms),
        tiling(window, box, images),
        all_channels(all_channels),
        tiles(tiling.tiles),
        rows(static_cast<int>(rings)),
        channels_a_chunk(static_cast<int>(std::min(
            {group_channels, std::max<int64_t>(product_depth / rings, 1), most_floats / channel_floats(window, box)}))),
        runs(run_count(window)),
        by_rows(rings),
        box_volume(int64_t{box.extent[0]} * box.extent[1] * box.extent[2]),
        box_y(box.extent[1]),
        box_x(box.extent[2]) {
    chunk_depth = channels_a_chunk * rows;
    work_floats = static_cast<int>(channels_a_chunk * channel_floats(window, box));
  }

  // A column's place in the tile.
  struct Column {
    int image, z, y, x;
  };

  __device__ Column column_of(int column) const {
    const int image = box_volume.divide(column), rest = column - image * box_volume.divisor();
    const int row = box_x.divide(rest), slice = box_y.divide(row);
    return {image, slice, row - slice * box_y.divisor(), rest - row * box_x.divisor()};
  }

  __device__ Place place(int64_t tile, int column) const {
    const BoxTiling::Corner corner = tiling.corner(tile);
    const Column c = column_of(column);
    const auto& out = tiling.window.out;
    const int z = corner.z + c.z, y = corner.y + c.y, x = corner.x + c.x;
    const bool is_there =
        c.image < tiling.box.images && corner.image + c.image < tiling.images && z < out[0] && y < out[1] && x < out[2];
    return {is_there ? corner.image + c.image : -1, (int64_t{z} * out[1] + y) * out[2] + x};
  }

  class AtTile;
};

class RingGather::AtTile {
 public:
  __device__ AtTile(const RingGather& gather, int64_t tile, float* work)
      : g_(gather),
        corner_(gather.tiling.corner(tile)),
        windows_(work),
        runs_(work + gather.channels_a_chunk * gather.tiling.window_rows() * gather.tiling.box.span[2]),
        column_(static_cast<int>(threadIdx.x) % product_pixels),
        is_column_there_(gather.place(tile, column_).image >= 0) {
    const Column c = g_.column_of(column_);
    const Box& box = g_.tiling.box;
    const int row =
        (c.image * box.span[0] + c.z * g_.tiling.window.stride[0]) * box.span[1] + c.y * g_.tiling.window.stride[1];
    first_run_ = row * g_.runs * box.extent[2] + c.x;
  }

  __device__ void fill(float* panel, int64_t first_channel, int64_t k0, int depth) const {
    const int64_t first = first_channel + g_.by_rows.divide(k0).quotient;
    const int channels = depth / g_.rows;
    g_.tiling.fill_windows(g_.x, g_.all_channels, first, channels, corner_, windows_);
    __syncthreads();
    make_runs(channels);
    __syncthreads();
    sum_discs(panel, channels);
  }

 private:
  // A thread makes the runs about one position of one row of the windows.
  __device__ void make_runs(int channels) const {
    const Window& window = g_.tiling.window;
    const int count = channels * g_.tiling.window_rows() * g_.tiling.box.extent[2], box_x = g_.tiling.box.extent[2];
    const int dilation = window.dilation[2], stride = window.stride[2];
    const int to_centre = window.kernel[2] / 2 * dilation;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
      const int row = g_.box_x.divide(i), x = i - row * box_x;
      const float* centre = windows_ + row * g_.tiling.box.span[2] + x * stride + to_centre;
      float* out = runs_ + row * g_.runs * box_x + x;
      float run = *centre;
      *out = run;
      for (int w = 1; w < g_.runs; ++w) {
        run += centre[-w * dilation] + centre[w * dilation];
        out[w * box_x] = run;
      }
    }
  }

  // A thread makes the rings of one column, channel by channel.
  __device__ void sum_discs(float* panel, int channels) const {
    const int channel_runs = g_.tiling.window_rows() * g_.runs * g_.tiling.box.extent[2];
    for (int channel = static_cast<int>(threadIdx.x) / product_pixels; channel < channels;
         channel += block_threads / product_pixels) {
      const float* runs = runs_ + channel * channel_runs + first_run_;
      float* out = panel + channel * g_.rows * product_pitch + column_;
      float inner = 0;
      int32_t term = g_.terms[0];
      for (int l = 0; l < g_.rows; ++l) {
        const int32_t end = g_.terms[l + 1];
        float outer = term == end ? inner : 0;
        for (; term < end && is_column_there_; ++term) outer += runs[g_.terms[term]];
        term = end;
        out[l * product_pitch] = is_column_there_ ? outer - inner : 0;
        inner = outer;
      }
    }
  }

  const RingGather& g_;
  BoxTiling::Corner corner_;
  float* windows_;  // [channel][image][span]
  float* runs_;     // [channel][image][span z][span y][half-width][box x]
  int column_;
  bool is_column_there_;
  int first_run_;
};

}  // namespace gmr::cuda
