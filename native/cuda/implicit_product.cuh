// The implicit matrix product behind every convolution: sum_k a[o, k] operand[k, p], and an epilogue that makes y[o, p]
// of it. A gather makes the operand rows, tile by tile, in shared memory. The weight gradient is in weight_product.cuh.
//
// A gather is a plain struct with
//   int rows                                 operand rows a channel
//   int chunk_depth                          operand rows that are made together, at most product_depth
//   int work_floats                          shared memory that it needs
//   int64_t tiles                            of product_pixels columns each
//   AtTile(gather, tile, work)               made by all threads of a block for a tile, with
//     Place place(column)                    the output that a column of the tile stands for
//     start(first_channel, chunk)            begins to copy what fill() of the chunk needs, as one group of copies
//     fill(panel, first_channel, chunk,      waits for all groups but the last, writes the chunk's rows, with zeros in
//          next)                             columns that stand for nothing, and calls start(next) on the way
// which all threads come to; they synchronise behind fill().
#pragma once

#include <algorithm>

#include "cuda/async_copy.cuh"
#include "cuda/bfloat16.cuh"
#include "cuda/divisor.h"
#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/product_tile.cuh"
#include "ops/conv/conv_geometry.h"
#include "ops/conv/epilogue.h"
#include "ops/conv/float32_precision.h"

namespace gmr::cuda {

// Operand rows of a group that are made together; depth 0: none.
struct Chunk {
  int64_t first_row;
  int depth;
};

// An output position; image -1: none.
struct Place {
  int64_t image, pixel;
};

struct ProductShape {
  int64_t images, groups;
  int64_t channels, outputs;  // of a group
  int64_t in_plane, out_plane;

  bool is_empty() const { return images * out_plane == 0; }  // has no pixels
};

inline ProductShape forward_shape(const ConvGeometry& g) {
  return {g.n, g.groups, g.c / g.groups, g.o / g.groups, volume(g.in), volume(g.out)};
}

inline ProductShape adjoint_shape(const ConvGeometry& g) {
  return {g.n, g.groups, g.o / g.groups, g.c / g.groups, volume(g.out), volume(g.in)};
}

// Where two neighbouring columns lie, and whether they are one aligned word of bfloat16.
struct PlacePair {
  Place first, second;
  bool is_word;
};

__device__ inline PlacePair pair_of(const Place& first, const Place& second, int64_t plane) {
  const bool is_next = first.image >= 0 && second.image == first.image && second.pixel == first.pixel + 1;
  return {first, second, is_next && plane % 2 == 0 && first.pixel % 2 == 0};
}

// Elements from row to row of a panel.
template <typename T>
constexpr int panel_pitch = std::is_same_v<T, float> ? product_pitch : bfloat16_pitch(product_pixels);

// The rows of a panel that a chunk of this depth leaves: a product takes them 16 at a time.
template <typename T>
__device__ void zero_rows(T* panel, int depth) {
  const int count = (product_depth - depth) * product_pixels;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
    panel[(depth + i / product_pixels) * panel_pitch<T> + i % product_pixels] = rounded<T>(0);
  }
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

template <typename Gather>
struct ForwardProduct {
  ProductShape shape;
  Gather gather;
  ProductWeights weights;
  Epilogue epilogue;
  float* y;
  int64_t output_parts;
  Divisor by_parts, by_groups;

  __host__ __device__ int64_t items() const { return gather.tiles * shape.groups * output_parts; }
};

// Starts to copy a chunk's rows of the weights of outputs first_output .. of a group, and makes rows of zeros up to
// read_depth. Weights change their order on the way, so that copies are of 4 bytes; a warp writes 8 rows of 4 outputs,
// which lie in different banks.
template <typename Tile, typename Gather>
__device__ void copy_weights(const ForwardProduct<Gather>& p, int64_t group, int64_t first_output, const Chunk& chunk,
                             int read_depth, float* weights) {
  constexpr int lane_rows = 8, row_warps = product_depth / lane_rows, output_step = block_threads / product_depth;
  constexpr int pitch = weights_pitch(Tile::outputs);
  static_assert(pitch % 32 == 4 || Tile::outputs < 32);
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  const int k = warp % row_warps * lane_rows + lane % lane_rows;
  const int first = warp / row_warps * (warp_threads / lane_rows) + lane / lane_rows;
  if (k >= read_depth) return;
  const bool is_row_there = k < chunk.depth;
  const int there = is_row_there ? static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output)) : 0;
  const float* from = p.weights.first_output(group, chunk.first_row + (is_row_there ? k : 0)) +
                      (first_output + first) * p.weights.output_step;
#pragma unroll 4
  for (int o = first; o < Tile::outputs; o += output_step, from += output_step * p.weights.output_step) {
    copy_or_zero(weights + k * pitch + o, from, o < there);
  }
}

template <typename Tile, typename Gather>
__device__ void forward_product(const ForwardProduct<Gather>& p) {
  extern __shared__ float4 shared_memory[];
  float* panel = reinterpret_cast<float*>(shared_memory);
  float* weights = panel + product_depth * product_pitch;
  float* work = weights + product_depth * weights_pitch(Tile::outputs);
  const int64_t all_rows = p.shape.channels * p.gather.rows;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, part] = p.by_parts.divide(item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const int64_t first_output = part * Tile::outputs;
    typename Gather::AtTile at_tile(p.gather, tile, work);
    Tile product;
    const int64_t first_channel = group * p.shape.channels;
    const auto chunk_at = [&](int64_t row) {
      return Chunk{row, static_cast<int>(min(int64_t{p.gather.chunk_depth}, max(all_rows - row, int64_t{0})))};
    };
    Chunk chunk = chunk_at(0);
    at_tile.start(first_channel, chunk);
    while (chunk.depth > 0) {
      const Chunk next = chunk_at(chunk.first_row + chunk.depth);
      const int read_depth = (chunk.depth + Tile::row_step - 1) / Tile::row_step * Tile::row_step;
      copy_weights<Tile>(p, group, first_output, chunk, read_depth, weights);
      finish_group();
      at_tile.fill(panel, first_channel, chunk, next);
      for (int i = static_cast<int>(threadIdx.x); i < (read_depth - chunk.depth) * product_pixels; i += block_threads) {
        panel[(chunk.depth + i / product_pixels) * product_pitch + i % product_pixels] = 0;
      }
      wait_for_all_groups_but<1>();  // all but the next chunk's
      __syncthreads();
      product.add(weights, panel, chunk.depth);
      __syncthreads();
      chunk = next;
    }
#pragma unroll
    for (int j = 0; j < Tile::pixels_a_thread; ++j) {
      const Place place = at_tile.place(product.pixel(j));
      if (place.image < 0) continue;
#pragma unroll
      for (int i = 0; i < Tile::outputs_a_thread; ++i) {
        if (first_output + product.output(i) >= p.shape.outputs) continue;
        const int64_t o = group * p.shape.outputs + first_output + product.output(i);
        const float y = product.value(i, j) + p.epilogue.bias_of(o);
        p.y[(place.image * p.shape.groups * p.shape.outputs + o) * p.shape.out_plane + place.pixel] =
            p.epilogue.normalises() ? p.epilogue.norm_of(o)(y) : y;
      }
    }
  }
}

// launchers: each op has its own kernels, one call of the functions above

// Outputs of a tile.
inline int forward_tile(const ProductShape& shape) {
  if (shape.outputs <= product_few_outputs) return product_few_outputs;
  return shape.outputs <= product_outputs ? product_outputs : product_wide_outputs;
}

// The kernels of one gather, by tile and precision. Of few outputs tensor cores would leave most of a tile empty.
template <typename Gather>
struct ForwardKernels {
  Kernel<ForwardProduct<Gather>> few, many, wide, many_high, wide_high;

  const auto& choose(int tile, Float32Precision precision) const {
    if (tile == product_few_outputs) return few;
    if (precision == Float32Precision::high) return tile == product_outputs ? many_high : wide_high;
    return tile == product_outputs ? many : wide;
  }
};

template <typename Gather>
void launch_forward(BackendDevice& device, const ForwardKernels<Gather>& kernels, const ProductShape& shape,
                    Float32Precision precision, const Gather& gather, const ProductWeights& weights,
                    const Epilogue& epilogue, float* y) {
  const int tile = forward_tile(shape);
  const int64_t parts = (shape.outputs + tile - 1) / tile;
  const ForwardProduct<Gather> product{shape, gather, weights,        epilogue,
                                       y,     parts,  Divisor(parts), Divisor(shape.groups)};
  const size_t shared_bytes = static_cast<size_t>(forward_floats(tile) + gather.work_floats) * sizeof(float);
  launch(device, kernels.choose(tile, precision), block_each(product.items(), block_threads, shared_bytes), product);
}

}  // namespace gmr::cuda
