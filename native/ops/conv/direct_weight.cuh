// The weight gradient of groups of few channels and outputs, directly: a block copies the window of one channel and dy
// of one output to shared memory, tile by tile; a thread has four taps, one below the other, and a share of the tile's
// columns. The shares are added up in order at the end.
#pragma once

#include "ops/conv/direct_conv.cuh"

namespace gmr::cuda {

// Groups of four taps of a kernel, one below the other.
inline int direct_tap_items(const WindowGeometry& g) {
  return static_cast<int>(g.kernel[0] * ((g.kernel[1] + direct_rows - 1) / direct_rows) * g.kernel[2]);
}

template <typename T>
struct DirectWeight {
  ProductShape shape;
  BoxTiling tiling;
  const T* x;
  const T* dy;
  float* partials;  // [splits][groups][outputs][channels][taps]
  int taps, tap_items, shares;
  int64_t pairs, splits;  // pairs of an output and a channel
  Divisor by_pairs, by_channels, by_outputs;
  SmallDivisor by_tap_items, kernel_x, tap_rows, box_x, box_y, box_z;

  DirectWeight(const ProductShape& shape, const WindowGeometry& g, const Box& box, const T* x, const T* dy)
      : shape(shape),
        tiling(g, box, shape.images),
        x(x),
        dy(dy),
        partials(nullptr),
        taps(static_cast<int>(volume(g.kernel))),
        tap_items(direct_tap_items(g)),
        shares(block_threads / tap_items),
        pairs(shape.groups * shape.outputs * shape.channels),
        splits(std::clamp<int64_t>(weight_gradient_blocks / pairs, 1, tiling.tiles)),
        by_pairs(pairs),
        by_channels(shape.channels),
        by_outputs(shape.outputs),
        by_tap_items(tap_items),
        kernel_x(g.kernel[2]),
        tap_rows((g.kernel[1] + direct_rows - 1) / direct_rows),
        box_x(box.extent[2]),
        box_y(box.extent[1]),
        box_z(box.extent[0]) {}

  int64_t size() const { return pairs * taps; }
  int64_t items() const { return pairs * splits; }

  __host__ __device__ int gradient_floats() const {
    return tiling.box.images * tiling.box.extent[0] * tiling.box.extent[1] * tiling.box.extent[2];
  }
  int shared_floats() const { return tiling.box.window_floats() + gradient_floats() + block_threads * direct_rows; }
};

// Whether a weight gradient is one for this kernel, and with which box; extent 0: it is not.
inline Box choose_direct_weight_box(const ProductShape& shape, const WindowGeometry& g) {
  const bool is_direct = shape.channels <= direct_most_channels && shape.outputs <= direct_most_channels;
  if (!is_direct || volume(g.kernel) > direct_most_taps || direct_tap_items(g) > block_threads) return {};
  constexpr int64_t most_positions = block_threads * direct_rows;
  const int64_t most_floats = product_shared_floats - block_threads * direct_rows - most_positions;
  const Box box = choose_box(g, shape.images, most_positions, {1, 1, 1}, most_floats, [&](const Box& box) {
    const double positions = static_cast<double>(box.images) * box.extent[0] * box.extent[1] * box.extent[2];
    const double copied = box.window_floats() + positions;
    return direct_window_cost * copied +
           direct_tap_cost / direct_rows * static_cast<double>(volume(g.kernel)) * positions;
  });
  if (box.extent[0] == 0) return box;
  const int items = direct_tap_items(g), width = static_cast<int>(g.kernel[2]);
  const int tap_rows = static_cast<int>((g.kernel[1] + direct_rows - 1) / direct_rows);
  return spread_rows(box, block_threads / items * items, most_floats, [&](const Box& b, int thread) {  // as DirectTaps
    const int column = thread / items, tap_column = thread % items / tap_rows;
    const int slices = column / b.extent[2], image = slices / b.extent[0];
    const int slice = image * b.span[0] + slices % b.extent[0] * static_cast<int>(g.stride[0]) +
                      tap_column / width * static_cast<int>(g.dilation[0]);
    const int row = slice * b.span[1] + thread % items % tap_rows * direct_rows * static_cast<int>(g.dilation[1]);
    return row * b.span[2] + column % b.extent[2] * static_cast<int>(g.stride[2]) +
           tap_column % width * static_cast<int>(g.dilation[2]);
  });
}

// What a thread has of a block's work.
struct DirectTaps {
  int z, y, x;  // the first of four taps
  int count;    // of these four, those that the kernel has
  int share;
  float sum[direct_rows] = {};

  template <typename T>
  __device__ explicit DirectTaps(const DirectWeight<T>& p) {
    const auto thread = static_cast<int>(threadIdx.x);
    share = p.by_tap_items.divide(thread);
    const int item = thread - share * p.by_tap_items.divisor();
    // Rows change fastest: eight of them, and four columns, meet all banks.
    const int column = p.tap_rows.divide(item);
    y = (item - column * p.tap_rows.divisor()) * direct_rows;
    z = p.kernel_x.divide(column);
    x = column - z * p.kernel_x.divisor();
    count = min(direct_rows, p.tiling.window.kernel[1] - y);
  }

  // Adds what the share's columns of a tile give.
  template <typename T>
  __device__ void add_tile(const DirectWeight<T>& p, const BoxTiling::Corner& corner, const float* window,
                           const float* gradient) {
    const Window& g = p.tiling.window;
    const Box& box = p.tiling.box;
    const int height = min(box.extent[1], g.out[1] - corner.y), pitch = box.span[2];
    for (int column = share; column < box.images * box.extent[0] * box.extent[2]; column += p.shares) {
      const int slices = p.box_x.divide(column), image = p.box_z.divide(slices);
      const int cx = column - slices * box.extent[2], cz = slices - image * box.extent[0];
      // Nothing is multiplied by zero that no output sees: it may be infinite.
      if (corner.image + image >= p.shape.images || corner.z + cz >= g.out[0] || corner.x + cx >= g.out[2]) continue;
      const int slice = image * box.span[0] + cz * g.stride[0] + z * g.dilation[0];
      const float* values =
          window + (slice * box.span[1] + y * g.dilation[1]) * pitch + cx * g.stride[2] + x * g.dilation[2];
      const float* dy = gradient + (image * box.extent[0] + cz) * box.extent[1] * box.extent[2] + cx;
      if (g.stride[1] == 1 && g.dilation[1] == 1) {
        slide(sum, {values, pitch}, {dy, box.extent[2]}, height, height + count - 1);
      } else {
        for (int row = 0; row < height; ++row) {
#pragma unroll
          for (int j = 0; j < direct_rows; ++j) {
            if (j < count) {
              sum[j] += dy[row * box.extent[2]] * values[(row * g.stride[1] + j * g.dilation[1]) * pitch];
            }
          }
        }
      }
    }
  }
};

// dy of one output over a tile, as [image][z][y][x].
template <typename T>
__device__ void load_gradient(const DirectWeight<T>& p, const BoxTiling::Corner& corner, int64_t output,
                              float* gradient) {
  const auto& out = p.tiling.window.out;
  const int64_t all_outputs = p.shape.groups * p.shape.outputs;
  for (int i = static_cast<int>(threadIdx.x); i < p.gradient_floats(); i += block_threads) {
    const int row = p.box_x.divide(i), slice = p.box_y.divide(row), image = p.box_z.divide(slice);
    const int x = corner.x + i - row * p.box_x.divisor(), y = corner.y + row - slice * p.box_y.divisor(),
              z = corner.z + slice - image * p.box_z.divisor();
    const bool is_there = corner.image + image < p.shape.images && z < out[0] && y < out[1] && x < out[2];
    const int64_t plane = (corner.image + image) * all_outputs + output;
    gradient[i] = is_there ? to_float(p.dy[plane * p.shape.out_plane + (int64_t{z} * out[1] + y) * out[2] + x]) : 0;
  }
}

template <typename T>
__device__ void direct_weight(const DirectWeight<T>& p) {
  extern __shared__ float4 shared_memory[];
  float* window = reinterpret_cast<float*>(shared_memory);
  float* gradient = window + p.tiling.box.window_floats();
  float* sums = gradient + p.gradient_floats();  // [share][taps of an item][item]
  const int64_t all_channels = p.shape.groups * p.shape.channels;
  for (int64_t item = blockIdx.x; item < p.pairs * p.splits; item += gridDim.x) {
    const auto [split, pair] = p.by_pairs.divide(item);
    const auto [output, channel] = p.by_channels.divide(pair);
    const int64_t group = p.by_outputs.divide(output).quotient;
    DirectTaps taps(p);
    const int64_t last_tile = p.tiling.tiles * (split + 1) / p.splits;
    for (int64_t tile = p.tiling.tiles * split / p.splits; tile < last_tile; ++tile) {
      const BoxTiling::Corner corner = p.tiling.corner(tile);
      p.tiling.copy_windows(p.x, all_channels, group * p.shape.channels + channel, 1, corner, window);
      load_gradient(p, corner, output, gradient);
      wait_for_copies();
      __syncthreads();
      if (taps.share < p.shares) taps.add_tile(p, corner, window, gradient);
      __syncthreads();
    }
    const int in_item = static_cast<int>(threadIdx.x) - taps.share * p.tap_items;
    if (taps.share < p.shares) {
#pragma unroll
      for (int j = 0; j < direct_rows; ++j) sums[(taps.share * direct_rows + j) * p.tap_items + in_item] = taps.sum[j];
    }
    __syncthreads();
    // The first share's threads have the taps; they add what the others found.
    if (taps.share == 0) {
#pragma unroll
      for (int j = 0; j < direct_rows; ++j) {
        if (j >= taps.count) continue;
        float total = 0;
        for (int share = 0; share < p.shares; ++share) total += sums[(share * direct_rows + j) * p.tap_items + in_item];
        const auto& kernel = p.tiling.window.kernel;
        const int tap = (taps.z * kernel[1] + taps.y + j) * kernel[2] + taps.x;
        p.partials[(split * p.pairs + pair) * p.taps + tap] = total;
      }
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
