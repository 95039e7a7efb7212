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

#include "cuda/divisor.h"
#include "cuda/implicit_product.cuh"
#include "ops/conv/window_geometry.h"
#include "ops/ring_conv/disc_table.h"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"

namespace gmr::cuda {

// How outputs are cut into tiles, and what a tile needs of shared memory.
struct RingTiling {
  int box[3];  // output positions
  int images;
  int span[3];  // the window's extents
  int runs;     // half-widths 0 .. runs - 1

  int window_floats() const { return images * span[0] * span[1] * span[2]; }
  int runs_floats() const { return images * span[0] * span[1] * runs * box[2]; }
  int channel_floats() const { return window_floats() + runs_floats(); }
};

// The tiling that takes the fewest additions and products, or one with box[0] = 0 where a channel of no tile fits into
// `most_floats`. R is the number of rings.
inline RingTiling choose_tiling(const WindowGeometry& g, int64_t images, int64_t rings, int64_t most_floats) {
  RingTiling best{};
  double least_cost = std::numeric_limits<double>::infinity();
  const auto candidates = [&](int axis, int64_t most) { return std::min(g.out[axis], most); };
  for (int64_t z = 1; z <= candidates(0, product_pixels); ++z) {
    for (int64_t y = 1; y <= candidates(1, product_pixels / z); ++y) {
      for (int64_t x = 1; x <= candidates(2, product_pixels / (z * y)); ++x) {
        const std::array<int64_t, 3> box = {z, y, x};
        RingTiling tiling{{static_cast<int>(z), static_cast<int>(y), static_cast<int>(x)}, 1, {}, 0};
        if (box == g.out)
          tiling.images = static_cast<int>(std::clamp<int64_t>(images, 1, product_pixels / (z * y * x)));
        double tiles = std::ceil(static_cast<double>(images) / tiling.images), window = tiling.images;
        for (int axis = 0; axis < 3; ++axis) {
          const int64_t span = (box[axis] - 1) * g.stride[axis] + (g.kernel[axis] - 1) * g.dilation[axis] + 1;
          tiles *= std::ceil(static_cast<double>(g.out[axis]) / static_cast<double>(box[axis]));
          window *= static_cast<double>(span);
          tiling.span[axis] = static_cast<int>(std::min<int64_t>(span, std::numeric_limits<int>::max()));
        }
        tiling.runs = static_cast<int>(g.kernel[2] / 2 + 1);
        if (window > static_cast<double>(most_floats) || tiling.channel_floats() > most_floats) continue;
        const double cost = tiles * (tiling.window_floats() + 2.0 * tiling.runs_floats() +
                                     ring_product_cost * static_cast<double>(rings * product_pixels));
        if (cost < least_cost) {
          least_cost = cost;
          best = tiling;
        }
      }
    }
  }
  return best;
}

// Of each disc, where its terms end and which they are: table[l] .. table[l + 1] are offsets from a position's first
// run. A disc that adds no ring has none.
inline std::vector<int32_t> disc_terms(const WindowGeometry& g, const RingKernel& rings, const RingTiling& tiling) {
  const DiscTable discs(g.kernel, rings);
  std::vector<int32_t> table(static_cast<size_t>(rings.rings) + 1);
  for (int64_t l = 0; l < rings.rings; ++l) {
    table[l] = static_cast<int32_t>(table.size());
    if (discs.is_empty(l)) continue;
    for (int64_t z = 0; z < g.kernel[0]; ++z) {
      for (int64_t y = 0; y < g.kernel[1]; ++y) {
        const int32_t width = discs.half_width(l, z, y);
        if (width < 0) continue;
        const int64_t row = z * g.dilation[0] * tiling.span[1] + y * g.dilation[1];
        table.push_back(static_cast<int32_t>((row * tiling.runs + width) * tiling.box[2]));
      }
    }
  }
  table[rings.rings] = static_cast<int32_t>(table.size());
  return table;
}

struct RingGather {
  const float* x;
  const int32_t* terms;  // of disc_terms
  WindowGeometry window;
  RingTiling tiling;
  int64_t all_channels, images, in_plane;
  int64_t tiles;
  int rows, chunk_depth, work_floats;
  int channels_a_chunk, half_pitch;  // half_pitch: the row's centre tap
  Divisor tiles_z, tiles_y, tiles_x, by_rows;
  SmallDivisor box_volume, box_z, box_y, box_x, span_z, span_y, span_x, images_a_tile;

  // `terms` lies on the device. `most_floats`: the shared memory for windows and runs.
  RingGather(const float* x, const int32_t* terms, const WindowGeometry& window, const RingTiling& tiling,
             int64_t rings, int64_t images, int64_t all_channels, int64_t group_channels, int64_t most_floats)
      : x(x),
        terms(terms),
        window(window),
        tiling(tiling),
        all_channels(all_channels),
        images(images),
        in_plane(window.in[0] * window.in[1] * window.in[2]),
        tiles((images + tiling.images - 1) / tiling.images * parts(0) * parts(1) * parts(2)),
        rows(static_cast<int>(rings)),
        channels_a_chunk(static_cast<int>(std::min(
            {group_channels, std::max<int64_t>(product_depth / rings, 1), most_floats / tiling.channel_floats()}))),
        half_pitch(static_cast<int>(window.kernel[2] / 2 * window.dilation[2])),
        tiles_z(parts(0)),
        tiles_y(parts(1)),
        tiles_x(parts(2)),
        by_rows(rings),
        box_volume(int64_t{tiling.box[0]} * tiling.box[1] * tiling.box[2]),
        box_z(tiling.box[0]),
        box_y(tiling.box[1]),
        box_x(tiling.box[2]),
        span_z(tiling.span[0]),
        span_y(tiling.span[1]),
        span_x(tiling.span[2]),
        images_a_tile(tiling.images) {
    chunk_depth = channels_a_chunk * rows;
    work_floats = channels_a_chunk * tiling.channel_floats();
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

  // The first image and output position of a tile.
  struct Corner {
    int64_t image, z, y, x;
  };

  __device__ Corner corner_of(int64_t tile) const {
    const auto [rows_of_tiles, x_part] = tiles_x.divide(tile);
    const auto [slices_of_tiles, y_part] = tiles_y.divide(rows_of_tiles);
    const auto [image_part, z_part] = tiles_z.divide(slices_of_tiles);
    return {image_part * tiling.images, z_part * tiling.box[0], y_part * tiling.box[1], x_part * tiling.box[2]};
  }

  __device__ Place place(int64_t tile, int column) const {
    const Corner corner = corner_of(tile);
    const Column c = column_of(column);
    const int64_t z = corner.z + c.z, y = corner.y + c.y, x = corner.x + c.x;
    const bool is_there = c.image < tiling.images && corner.image + c.image < images && z < window.out[0] &&
                          y < window.out[1] && x < window.out[2];
    return {is_there ? corner.image + c.image : -1, (z * window.out[1] + y) * window.out[2] + x};
  }

  class AtTile;

 private:
  int64_t parts(int axis) const { return (window.out[axis] + tiling.box[axis] - 1) / tiling.box[axis]; }
};

class RingGather::AtTile {
 public:
  __device__ AtTile(const RingGather& gather, int64_t tile, float* work)
      : g_(gather),
        corner_(gather.corner_of(tile)),
        windows_(work),
        runs_(work + gather.channels_a_chunk * gather.tiling.images * gather.tiling.span[0] * gather.tiling.span[1] *
                         gather.tiling.span[2]),
        column_(static_cast<int>(threadIdx.x) % product_pixels),
        is_column_there_(gather.place(tile, column_).image >= 0) {
    const Column c = g_.column_of(column_);
    const int row = (c.image * g_.tiling.span[0] + c.z * static_cast<int>(g_.window.stride[0])) * g_.tiling.span[1] +
                    c.y * static_cast<int>(g_.window.stride[1]);
    first_run_ = row * g_.tiling.runs * g_.tiling.box[2] + c.x;
  }

  __device__ void fill(float* panel, int64_t first_channel, int64_t k0, int depth) const {
    const int64_t first = first_channel + g_.by_rows.divide(k0).quotient;
    const int channels = depth / g_.rows;
    fill_windows(first, channels);
    __syncthreads();
    make_runs(channels);
    __syncthreads();
    sum_discs(panel, channels);
  }

 private:
  // Position `from` + `at` of the spread-out input along an axis, in the input; -1 where there is nothing.
  __device__ int64_t source(int axis, int64_t corner, int at) const {
    const int64_t spread = g_.window.spread[axis];
    int64_t i = corner * g_.window.stride[axis] - g_.window.padding[axis] + at;
    if (spread != 1 && i > 0) {
      const int64_t quotient = i / spread;
      i = quotient * spread == i ? quotient : -1;
    }
    return i < g_.window.in[axis] ? i : -1;
  }

  __device__ void fill_windows(int64_t first_channel, int channels) const {
    const int rows = channels * g_.tiling.images * g_.tiling.span[0] * g_.tiling.span[1];
    for (int i = static_cast<int>(threadIdx.x); i < rows * g_.tiling.span[2]; i += block_threads) {
      const int row = g_.span_x.divide(i), slice = g_.span_y.divide(row), volume = g_.span_z.divide(slice);
      const int channel = g_.images_a_tile.divide(volume);
      const int64_t image = corner_.image + (volume - channel * g_.images_a_tile.divisor());
      const int64_t z = source(0, corner_.z, slice - volume * g_.span_z.divisor());
      const int64_t y = source(1, corner_.y, row - slice * g_.span_y.divisor());
      const int64_t x = source(2, corner_.x, i - row * g_.span_x.divisor());
      const bool is_there = z >= 0 && y >= 0 && x >= 0 && image < g_.images;
      const int64_t plane = image * g_.all_channels + first_channel + channel;
      windows_[i] = is_there ? g_.x[plane * g_.in_plane + (z * g_.window.in[1] + y) * g_.window.in[2] + x] : 0;
    }
  }

  // A thread makes the runs about one position of one row of the windows.
  __device__ void make_runs(int channels) const {
    const int rows = channels * g_.tiling.images * g_.tiling.span[0] * g_.tiling.span[1];
    const int box_x = g_.tiling.box[2];
    const int dilation = static_cast<int>(g_.window.dilation[2]), stride = static_cast<int>(g_.window.stride[2]);
    for (int i = static_cast<int>(threadIdx.x); i < rows * box_x; i += block_threads) {
      const int row = g_.box_x.divide(i), x = i - row * box_x;
      const float* centre = windows_ + row * g_.tiling.span[2] + x * stride + g_.half_pitch;
      float* out = runs_ + row * g_.tiling.runs * box_x + x;
      float run = *centre;
      *out = run;
      for (int w = 1; w < g_.tiling.runs; ++w) {
        run += centre[-w * dilation] + centre[w * dilation];
        out[w * box_x] = run;
      }
    }
  }

  // A thread makes the rings of one column, channel by channel.
  __device__ void sum_discs(float* panel, int channels) const {
    const int channel_runs =
        g_.tiling.images * g_.tiling.span[0] * g_.tiling.span[1] * g_.tiling.runs * g_.tiling.box[2];
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
  Corner corner_;
  float* windows_;  // [channel][image][span]
  float* runs_;     // [channel][image][span z][span y][half-width][box x]
  int column_;
  bool is_column_there_;
  int first_run_;
};

}  // namespace gmr::cuda
