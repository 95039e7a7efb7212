// Outputs cut into tiles: a box of output positions of one image, or of several images where they are small; and the
// window of the input that a tile sees, copied to shared memory with its zero border, so that the loops after it need
// no bounds.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cuda/async_copy.cuh"
#include "cuda/bfloat16.cuh"
#include "cuda/divisor.h"
#include "cuda/grid_index.h"
#include "cuda/launch.h"
#include "cuda/window.h"

namespace gmr::cuda {

struct Box {
  int extent[3];  // of the outputs; 0: none fits
  int images;
  int span[3];  // the window's extents

  __host__ __device__ int window_floats() const { return images * span[0] * span[1] * span[2]; }
};

// Extents of an axis that cut it into equal parts, up to rounding.
inline std::vector<int64_t> balanced_extents(int64_t out, int64_t most) {
  std::vector<int64_t> extents;
  for (int64_t extent = 1; extent <= std::min(out, most); ++extent) {
    const int64_t parts = (out + extent - 1) / extent;
    if ((out + parts - 1) / parts == extent) extents.push_back(extent);
  }
  return extents;
}

// The box of the least cost(box) * tiles, of those with at most `most_positions` outputs and `most_floats` of window;
// infinite costs are not taken. A thread has `group` outputs of each axis: what counts, and what the window must hold,
// is whole groups.
template <typename Cost>
Box choose_box(const WindowGeometry& g, int64_t images, int64_t most_positions, const std::array<int64_t, 3>& group,
               int64_t most_floats, Cost&& cost) {
  Box best{};
  double least_cost = std::numeric_limits<double>::infinity();
  for (const int64_t z : balanced_extents(g.out[0], most_positions)) {
    for (const int64_t y : balanced_extents(g.out[1], most_positions / z)) {
      for (const int64_t x : balanced_extents(g.out[2], most_positions / (z * y))) {
        const std::array<int64_t, 3> extent = {z, y, x};
        std::array<int64_t, 3> covered;
        for (int axis = 0; axis < 3; ++axis)
          covered[axis] = (extent[axis] + group[axis] - 1) / group[axis] * group[axis];
        if (volume(covered) > most_positions) continue;
        Box box{{static_cast<int>(z), static_cast<int>(y), static_cast<int>(x)}, 1, {}};
        if (extent == g.out) box.images = static_cast<int>(std::min(images, most_positions / volume(covered)));
        double tiles = std::ceil(static_cast<double>(images) / box.images), window = box.images;
        for (int axis = 0; axis < 3; ++axis) {
          int64_t span = (covered[axis] - 1) * g.stride[axis] + (g.kernel[axis] - 1) * g.dilation[axis] + 1;
          if (axis == 2) span |= 1;  // odd, so that neighbouring rows lie in different banks
          tiles *= std::ceil(static_cast<double>(g.out[axis]) / static_cast<double>(extent[axis]));
          window *= static_cast<double>(span);
          box.span[axis] = static_cast<int>(std::min<int64_t>(span, std::numeric_limits<int>::max()));
        }
        if (window > static_cast<double>(most_floats)) continue;
        const double total = cost(box) * tiles;
        if (total < least_cost) {
          least_cost = total;
          best = box;
        }
      }
    }
  }
  return best;
}

class BoxTiling {
 public:
  BoxTiling(const WindowGeometry& g, const Box& box, int64_t images)
      : window(g),
        box(box),
        images(images),
        in_plane(volume(g.in)),
        tiles((images + box.images - 1) / box.images * parts(0) * parts(1) * parts(2)),
        tiles_z_(parts(0)),
        tiles_y_(parts(1)),
        tiles_x_(parts(2)),
        span_z_(box.span[0]),
        span_y_(box.span[1]),
        span_x_(box.span[2]) {}

  Window window;
  Box box;
  int64_t images, in_plane;
  int64_t tiles;

  // The first image and output position of a tile.
  struct Corner {
    int64_t image;
    int z, y, x;
  };

  __device__ Corner corner(int64_t tile) const {
    const auto [rows_of_tiles, x_part] = tiles_x_.divide(tile);
    const auto [slices_of_tiles, y_part] = tiles_y_.divide(rows_of_tiles);
    const auto [image_part, z_part] = tiles_z_.divide(slices_of_tiles);
    return {image_part * box.images, static_cast<int>(z_part) * box.extent[0], static_cast<int>(y_part) * box.extent[1],
            static_cast<int>(x_part) * box.extent[2]};
  }

  // Rows of the windows of a channel.
  __device__ int window_rows() const { return box.images * box.span[0] * box.span[1]; }

  // Starts to copy [channel][image][span z][span y][span x] of channels first_channel .. + channels - 1 of x [images,
  // all_channels, in], see async_copy.cuh; bfloat16 becomes float32, at once. A thread works out where a place of the
  // window lies and copies it for all channels.
  template <typename T>
  __device__ void copy_windows(const T* x, int64_t all_channels, int64_t first_channel, int channels,
                               const Corner& corner, float* windows) const {
    const int count = window_rows() * box.span[2];
    const bool is_spread = window.is_spread();
    const int z0 = corner.z * window.stride[0] - window.padding[0],
              y0 = corner.y * window.stride[1] - window.padding[1],
              x0 = corner.x * window.stride[2] - window.padding[2];
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
      const int row = span_x_.divide(i), slice = span_y_.divide(row), box_image = span_z_.divide(slice);
      const int64_t image = corner.image + box_image;
      int z = z0 + slice - box_image * span_z_.divisor(), y = y0 + row - slice * span_y_.divisor(),
          x_at = x0 + i - row * span_x_.divisor();
      if (is_spread) {
        z = window.input_index(0, z);
        y = window.input_index(1, y);
        x_at = window.input_index(2, x_at);
      }
      const bool is_there = window.is_inside(z, y, x_at) && image < images;
      const T* from = is_there ? x + (image * all_channels + first_channel) * in_plane + window.offset(z, y, x_at) : x;
      float* to = windows + i;
#pragma unroll 4
      for (int channel = 0; channel < channels; ++channel) {
        if constexpr (std::is_same_v<T, float>) {
          copy_or_zero(to + channel * count, from + channel * in_plane, is_there);
        } else {
          to[channel * count] = is_there ? to_float(from[channel * in_plane]) : 0;
        }
      }
    }
  }

 private:
  int64_t parts(int axis) const { return (int64_t{window.out[axis]} + box.extent[axis] - 1) / box.extent[axis]; }

  Divisor tiles_z_, tiles_y_, tiles_x_;
  SmallDivisor span_z_, span_y_, span_x_;
};

}  // namespace gmr::cuda
