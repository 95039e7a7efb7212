// The implicit matrix product behind every convolution: y[o, p] = bias[o] + sum_k a[o, k] operand[k, p], and its weight
// gradient dw[o, k] = sum_p dy[o, p] operand[k, p]. A gather makes the operand rows, tile by tile, in shared memory.
//
// A gather is a plain struct with
//   int rows                                 operand rows a channel
//   int chunk_depth                          operand rows that are made together, at most product_depth
//   int work_floats                          shared memory that it needs
//   int64_t tiles                            of product_pixels columns each
//   Place place(tile, column)                the output that a column of a tile stands for
//   AtTile(gather, tile, work)               made by all threads of a block for a tile; then, for any group and chunk,
//     fill(panel, first_channel, k0, depth)  writes rows k0 .. k0 + depth - 1 of the group's channels, with zeros in
//                                            columns that stand for nothing; all threads come, and synchronise after
#pragma once

#include <algorithm>

#include "cuda/divisor.h"
#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/product_tuning.h"
#include "cuda/sums.h"
#include "ops/conv/conv_geometry.h"

namespace gmr::cuda {

// An output position; image -1: none.
struct Place {
  int64_t image, pixel;
};

struct ProductShape {
  int64_t images, groups;
  int64_t channels, outputs;  // of a group
  int64_t in_plane, out_plane;
};

inline ProductShape forward_shape(const ConvGeometry& g) {
  return {g.n, g.groups, g.c / g.groups, g.o / g.groups, volume(g.in), volume(g.out)};
}

inline ProductShape adjoint_shape(const ConvGeometry& g) {
  return {g.n, g.groups, g.o / g.groups, g.c / g.groups, volume(g.out), volume(g.in)};
}

// a[o, k] of a group: the weights as they lie in memory, forward or transposed.
struct ProductWeights {
  const float* data;
  int64_t group_step, output_step, channel_step;
  int64_t rows;
  Divisor by_rows;
  bool is_reversed;  // a channel's rows in reverse

  // a[0, k] of a group; a[o, k] lies o * output_step behind it.
  __device__ const float* first_output(int64_t group, int64_t k) const {
    const auto [channel, row] = by_rows.divide(k);
    return data + group * group_step + channel * channel_step + (is_reversed ? rows - 1 - row : row);
  }
};

enum class RowOrder { kept, reversed };

// w: [groups][outputs][channels][rows].
inline ProductWeights forward_weights(const ProductShape& s, const float* w, int64_t rows) {
  const int64_t output_step = s.channels * rows;
  return {w, s.outputs * output_step, output_step, rows, rows, Divisor(rows), false};
}

// The same with channels and outputs exchanged: w is [groups][channels of s][outputs of s][rows].
inline ProductWeights transposed_weights(const ProductShape& s, const float* w, int64_t rows, RowOrder order) {
  const int64_t channel_step = s.outputs * rows;
  return {w, s.channels * channel_step, rows, channel_step, rows, Divisor(rows), order == RowOrder::reversed};
}

// How a block's threads share outputs x pixels.
template <int outputs>
struct ThreadTile {
  static constexpr int outputs_a_thread = outputs == product_outputs ? 4 : 1;
  static constexpr int pixels_a_thread = outputs_a_thread;
  static constexpr int pixel_threads = product_pixels / pixels_a_thread;
  static constexpr int weights_pitch = outputs + 4;
  static_assert(pixel_threads * (outputs / outputs_a_thread) == block_threads);
};

template <int outputs>
constexpr int64_t forward_floats = product_depth * (product_pitch + ThreadTile<outputs>::weights_pitch);
template <int outputs>
constexpr int64_t backward_weight_floats = (product_depth + outputs) * product_pitch;

template <typename Gather>
struct ForwardProduct {
  ProductShape shape;
  Gather gather;
  ProductWeights weights;
  const float* bias;  // or nullptr
  float* y;
  int64_t output_parts;
  Divisor by_parts, by_groups;

  __host__ __device__ int64_t items() const { return gather.tiles * shape.groups * output_parts; }
};

template <int outputs, typename Gather>
__device__ void forward_product(const ForwardProduct<Gather>& p) {
  using Threads = ThreadTile<outputs>;
  constexpr int outputs_a_thread = Threads::outputs_a_thread, pixels_a_thread = Threads::pixels_a_thread;
  extern __shared__ float4 shared_memory[];
  float* panel = reinterpret_cast<float*>(shared_memory);
  float* weights = panel + product_depth * product_pitch;
  float* work = weights + product_depth * Threads::weights_pitch;
  const int pixel0 = static_cast<int>(threadIdx.x) % Threads::pixel_threads * pixels_a_thread;
  const int output0 = static_cast<int>(threadIdx.x) / Threads::pixel_threads * outputs_a_thread;
  const int64_t all_rows = p.shape.channels * p.gather.rows;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, part] = p.by_parts.divide(item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const int64_t first_output = part * outputs;
    typename Gather::AtTile at_tile(p.gather, tile, work);
    float sum[outputs_a_thread][pixels_a_thread] = {};
    for (int64_t k0 = 0; k0 < all_rows; k0 += p.gather.chunk_depth) {
      const int depth = static_cast<int>(min(int64_t{p.gather.chunk_depth}, all_rows - k0));
      at_tile.fill(panel, group * p.shape.channels, k0, depth);
      if (const int k = static_cast<int>(threadIdx.x) % product_depth; k < depth) {
        const float* from = p.weights.first_output(group, k0 + k) + first_output * p.weights.output_step;
        for (int o = static_cast<int>(threadIdx.x) / product_depth; o < outputs; o += block_threads / product_depth) {
          weights[k * Threads::weights_pitch + o] =
              first_output + o < p.shape.outputs ? from[o * p.weights.output_step] : 0;
        }
      }
      __syncthreads();
#pragma unroll 4
      for (int k = 0; k < depth; ++k) {
        const auto a = load_pack<outputs_a_thread>(weights + k * Threads::weights_pitch + output0);
        const auto b = load_pack<pixels_a_thread>(panel + k * product_pitch + pixel0);
#pragma unroll
        for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
          for (int j = 0; j < pixels_a_thread; ++j) sum[i][j] += a.v[i] * b.v[j];
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < pixels_a_thread; ++j) {
      const Place place = p.gather.place(tile, pixel0 + j);
      if (place.image < 0) continue;
#pragma unroll
      for (int i = 0; i < outputs_a_thread; ++i) {
        if (first_output + output0 + i >= p.shape.outputs) continue;
        const int64_t o = group * p.shape.outputs + first_output + output0 + i;
        const float offset = p.bias == nullptr ? 0 : p.bias[o];
        p.y[(place.image * p.shape.groups * p.shape.outputs + o) * p.shape.out_plane + place.pixel] =
            sum[i][j] + offset;
      }
    }
  }
}

template <typename Gather>
struct BackwardWeightProduct {
  ProductShape shape;
  Gather gather;
  const float* dy;
  float* partials;  // [splits][groups][outputs][channels][rows]
  int64_t output_parts, chunks, splits;
  Divisor by_parts, by_chunks, by_groups;

  __host__ __device__ int64_t items() const { return splits * shape.groups * chunks * output_parts; }
};

template <int outputs, typename Gather>
__device__ void backward_weight_product(const BackwardWeightProduct<Gather>& p) {
  // Threads share outputs x product_depth.
  constexpr int row_threads = 16, rows_a_thread = product_depth / row_threads;
  constexpr int output_threads = block_threads / row_threads;
  constexpr int outputs_a_thread = outputs < output_threads ? 1 : outputs / output_threads;
  extern __shared__ float4 shared_memory[];
  float* panel = reinterpret_cast<float*>(shared_memory);
  float* gradient = panel + product_depth * product_pitch;  // dy, [outputs][pixels]
  float* work = gradient + outputs * product_pitch;
  const int row0 = static_cast<int>(threadIdx.x) % row_threads;
  const int output0 = static_cast<int>(threadIdx.x) / row_threads;
  const int column = static_cast<int>(threadIdx.x) % product_pixels;
  const int64_t all_rows = p.shape.channels * p.gather.rows;
  const int64_t size = p.shape.groups * p.shape.outputs * all_rows;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [rest, part] = p.by_parts.divide(item);
    const auto [split_and_group, chunk] = p.by_chunks.divide(rest);
    const auto [split, group] = p.by_groups.divide(split_and_group);
    const int64_t first_output = part * outputs, k0 = chunk * p.gather.chunk_depth;
    const int depth = static_cast<int>(min(int64_t{p.gather.chunk_depth}, all_rows - k0));
    float sum[outputs_a_thread][rows_a_thread] = {};
    const int64_t last_tile = p.gather.tiles * (split + 1) / p.splits;
    for (int64_t tile = p.gather.tiles * split / p.splits; tile < last_tile; ++tile) {
      typename Gather::AtTile at_tile(p.gather, tile, work);
      at_tile.fill(panel, group * p.shape.channels, k0, depth);
      const Place place = p.gather.place(tile, column);
      for (int o = static_cast<int>(threadIdx.x) / product_pixels; o < outputs; o += block_threads / product_pixels) {
        const bool is_there = place.image >= 0 && first_output + o < p.shape.outputs;
        const int64_t output = group * p.shape.outputs + first_output + o;
        const int64_t plane = place.image * p.shape.groups * p.shape.outputs + output;
        gradient[o * product_pitch + column] = is_there ? p.dy[plane * p.shape.out_plane + place.pixel] : 0;
      }
      __syncthreads();
      if (output0 < outputs) {
        for (int pixel = 0; pixel < product_pixels; pixel += 4) {
          Pack<4> a[outputs_a_thread], b[rows_a_thread];
#pragma unroll
          for (int i = 0; i < outputs_a_thread; ++i) {
            a[i] = load_pack<4>(gradient + (output0 + i * output_threads) * product_pitch + pixel);
          }
#pragma unroll
          for (int j = 0; j < rows_a_thread; ++j) {
            const int row = row0 + j * row_threads;
            b[j] = row < depth ? load_pack<4>(panel + row * product_pitch + pixel) : Pack<4>{};
          }
#pragma unroll
          for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
            for (int j = 0; j < rows_a_thread; ++j) {
#pragma unroll
              for (int k = 0; k < 4; ++k) sum[i][j] += a[i].v[k] * b[j].v[k];
            }
          }
        }
      }
      __syncthreads();
    }
    if (output0 >= outputs) continue;
#pragma unroll
    for (int i = 0; i < outputs_a_thread; ++i) {
      const int64_t o = first_output + output0 + i * output_threads;
      if (o >= p.shape.outputs) continue;
      float* row = p.partials + split * size + (group * p.shape.outputs + o) * all_rows + k0;
#pragma unroll
      for (int j = 0; j < rows_a_thread; ++j) {
        if (row0 + j * row_threads < depth) row[row0 + j * row_threads] = sum[i][j];
      }
    }
  }
}

// launchers: each op has its own kernels, one call of the functions above

// The kernels of one gather, for groups of many and of few outputs.
template <typename Product>
struct ProductKernels {
  Kernel<Product> many, few;
};

template <typename Gather>
void launch_forward(BackendDevice& device, const ProductKernels<ForwardProduct<Gather>>& kernels,
                    const ProductShape& shape, const Gather& gather, const ProductWeights& weights, const float* bias,
                    float* y) {
  const bool is_few = shape.outputs <= product_few_outputs;
  const int64_t outputs = is_few ? product_few_outputs : product_outputs;
  const int64_t parts = (shape.outputs + outputs - 1) / outputs;
  const ForwardProduct<Gather> product{shape, gather, weights, bias, y, parts, Divisor(parts), Divisor(shape.groups)};
  const int64_t tile_floats = is_few ? forward_floats<product_few_outputs> : forward_floats<product_outputs>;
  const size_t shared_bytes = static_cast<size_t>(tile_floats + gather.work_floats) * sizeof(float);
  launch(device, is_few ? kernels.few : kernels.many, block_each(product.items(), block_threads, shared_bytes),
         product);
}

template <typename Gather>
void launch_backward_weight(BackendDevice& device, const ProductKernels<BackwardWeightProduct<Gather>>& kernels,
                            const ProductShape& shape, const Gather& gather, const float* dy, float* dw) {
  const bool is_few = shape.outputs <= product_few_outputs;
  const int64_t outputs = is_few ? product_few_outputs : product_outputs;
  const int64_t parts = (shape.outputs + outputs - 1) / outputs;
  const int64_t all_rows = shape.channels * gather.rows;
  const int64_t chunks = (all_rows + gather.chunk_depth - 1) / gather.chunk_depth;
  const int64_t splits = std::clamp<int64_t>(weight_gradient_blocks / (shape.groups * parts * chunks), 1,
                                             std::max<int64_t>(gather.tiles, 1));
  const int64_t size = shape.groups * shape.outputs * all_rows;
  float* partials =
      splits == 1 ? dw : static_cast<float*>(device.scratch(static_cast<size_t>(splits * size) * sizeof(float)));
  const BackwardWeightProduct<Gather> product{
      shape, gather, dy, partials, parts, chunks, splits, Divisor(parts), Divisor(chunks), Divisor(shape.groups)};
  const int64_t tile_floats =
      is_few ? backward_weight_floats<product_few_outputs> : backward_weight_floats<product_outputs>;
  const size_t shared_bytes = static_cast<size_t>(tile_floats + gather.work_floats) * sizeof(float);
  launch(device, is_few ? kernels.few : kernels.many, block_each(product.items(), block_threads, shared_bytes),
         product);
  if (splits > 1) sum_partials(device, partials, splits, size, dw);
}

}  // namespace gmr::cuda
