// Convolution of groups of few channels and outputs (depthwise layers), where a product would be mostly padding: a
// block copies the window of one channel to shared memory (box_tiling.cuh), and each thread slides down a column of it
// and makes four outputs, one below the other, so that a value and a weight that are read once serve four
// multiply-adds.
#pragma once

#include "cuda/box_tiling.cuh"
#include "cuda/implicit_product.cuh"
#include "ops/conv/conv_cuda_tuning.h"

namespace gmr::cuda {

template <typename T>
struct DirectConv {
  ProductShape shape;
  BoxTiling tiling;
  ProductWeights weights;
  const T* x;
  Epilogue epilogue;
  T* y;
  int taps;
  Divisor by_all_outputs, by_outputs;
  SmallDivisor box_x, row_groups, box_z;

  DirectConv(const ProductShape& shape, const WindowGeometry& window, const Box& box, const ProductWeights& weights,
             const T* x, const Epilogue& epilogue, T* y)
      : shape(shape),
        tiling(window, box, shape.images),
        weights(weights),
        x(x),
        epilogue(epilogue),
        y(y),
        taps(static_cast<int>(weights.rows)),
        by_all_outputs(shape.groups * shape.outputs),
        by_outputs(shape.outputs),
        box_x(box.extent[2]),
        row_groups((box.extent[1] + direct_rows - 1) / direct_rows),
        box_z(box.extent[0]) {}

  __host__ __device__ int64_t items() const { return tiling.tiles * shape.groups * shape.outputs; }
};

// Whether a convolution is one for this kernel, and with which box; extent 0: it is not.
inline Box choose_direct_box(const ProductShape& shape, const WindowGeometry& window) {
  const int64_t taps = volume(window.kernel);
  if (shape.channels > direct_most_channels || shape.outputs > direct_most_channels || taps > direct_most_taps)
    return {};
  return choose_box(window, shape.images, block_threads * direct_rows, {1, direct_rows, 1},
                    product_shared_floats - taps, [&](const Box& box) {
                      const int threads = box.images * box.extent[0] * box.extent[2] *
                                          ((box.extent[1] + direct_rows - 1) / direct_rows);
                      const int warps = (threads + warp_threads - 1) / warp_threads;
                      return direct_window_cost * box.window_floats() +
                             direct_tap_cost * static_cast<double>(taps) * warps * warp_threads;
                    });
}

// sum[j] += sum over t < height of w[t] column[t + j], rows of each `pitch` and `w_pitch` apart: four neighbours that
// see the same `rows` rows of the column. What a sum does not see is not multiplied by zero: it may be infinite.
__device__ inline void slide(float (&sum)[direct_rows], const float* column, int pitch, const float* w, int w_pitch,
                             int height, int rows) {
  float tap[direct_rows] = {};  // that row r meets in each sum
  const auto meet = [&](int r, auto is_seen) {
    const float value = column[r * pitch];
#pragma unroll
    for (int j = direct_rows - 1; j > 0; --j) tap[j] = tap[j - 1];
    tap[0] = r < height ? w[r * w_pitch] : 0;
#pragma unroll
    for (int j = 0; j < direct_rows; ++j) {
      if (is_seen(r, j)) sum[j] += tap[j] * value;
    }
  };
  const auto by_some = [&](int row, int j) { return row >= j && row - j < height; };
  const auto by_all = [](int, int) { return true; };
  int r = 0;
  for (; r < min(direct_rows - 1, rows); ++r) meet(r, by_some);
#pragma unroll 4
  for (; r < height; ++r) meet(r, by_all);
  for (; r < rows; ++r) meet(r, by_some);
}

// A thread's four outputs, from the window of one channel.
template <typename T>
struct DirectColumn {
  const DirectConv<T>& p;
  int image, z, row, x;  // in the tile; row is the first of four
  bool is_in_box;
  float sum[direct_rows] = {};

  __device__ explicit DirectColumn(const DirectConv<T>& conv) : p(conv) {
    const auto thread = static_cast<int>(threadIdx.x);
    const int rows = p.box_x.divide(thread), slices = p.row_groups.divide(rows);
    image = p.box_z.divide(slices);
    z = slices - image * p.box_z.divisor();
    row = (rows - slices * p.row_groups.divisor()) * direct_rows;
    x = thread - rows * p.box_x.divisor();
    is_in_box = image < p.tiling.box.images;
  }

  __device__ void add_channel(const float* window, const float* weights) {
    const Window& g = p.tiling.window;
    const int depth = g.kernel[0], height = g.kernel[1], width = g.kernel[2];
    const int pitch = p.tiling.box.span[2];
    for (int tz = 0; tz < depth; ++tz) {
      const int slice = image * p.tiling.box.span[0] + z * g.stride[0] + tz * g.dilation[0];
      const int first_row = slice * p.tiling.box.span[1] + row * g.stride[1];
      for (int tx = 0; tx < width; ++tx) {
        const float* column = window + first_row * pitch + x * g.stride[2] + tx * g.dilation[2];
        const float* w = weights + tz * height * width + tx;
        if (g.stride[1] == 1 && g.dilation[1] == 1) {
          slide(sum, column, pitch, w, width, height, height + direct_rows - 1);
        } else {
          for (int ty = 0; ty < height; ++ty) {
#pragma unroll
            for (int j = 0; j < direct_rows; ++j) {
              sum[j] += w[ty * width] * column[(j * g.stride[1] + ty * g.dilation[1]) * pitch];
            }
          }
        }
      }
    }
  }
};

template <typename T>
__device__ void direct_conv(const DirectConv<T>& p) {
  extern __shared__ float4 shared_memory[];
  float* window = reinterpret_cast<float*>(shared_memory);
  float* weights = window + p.tiling.box.window_floats();
  const int64_t all_channels = p.shape.groups * p.shape.channels, all_outputs = p.shape.groups * p.shape.outputs;
  const auto& out = p.tiling.window.out;
  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [tile, o] = p.by_all_outputs.divide(item);
    const auto [group, output] = p.by_outputs.divide(o);
    const BoxTiling::Corner corner = p.tiling.corner(tile);
    DirectColumn column(p);
    for (int64_t c = 0; c < p.shape.channels; ++c) {
      p.tiling.copy_windows(p.x, all_channels, group * p.shape.channels + c, 1, corner, window);
      for (int t = static_cast<int>(threadIdx.x); t < p.taps; t += block_threads) {
        weights[t] = p.weights.first_output(group, c * p.taps + t)[output * p.weights.output_step];
      }
      wait_for_copies();
      __syncthreads();
      if (column.is_in_box) column.add_channel(window, weights);
      __syncthreads();
    }
    const int64_t image = corner.image + column.image;
    const int z = corner.z + column.z, x = corner.x + column.x;
    if (!column.is_in_box || image >= p.shape.images || z >= out[0] || x >= out[2]) continue;
    const float bias = p.epilogue.bias_of(o);
    T* plane = p.y + (image * all_outputs + o) * p.shape.out_plane;
#pragma unroll
    for (int j = 0; j < direct_rows; ++j) {
      const int y = corner.y + column.row + j;
      if (column.row + j < p.tiling.box.extent[1] && y < out[1]) {
        const float sum = column.sum[j] + bias;
        plane[(int64_t{z} * out[1] + y) * out[2] + x] =
            rounded<T>(p.epilogue.normalises() ? p.epilogue.norm_of(o)(sum) : sum);
      }
    }
  }
}

}  // namespace gmr::cuda
