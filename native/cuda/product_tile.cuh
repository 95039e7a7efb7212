// How the threads of a block multiply two tiles of shared memory, and which part of the result each of them holds. A
// tile of the forward product has
//   outputs                               of the tile of weights, [rows][outputs]
//   row_step                              add() reads rows up to a multiple of it: what is beyond must be zero
//   add(weights, panel, depth)            sum += weights^T panel, over `depth` operand rows
//   output(i), pixel(j), value(i, j)      what the thread holds: i < outputs_a_thread, j < pixels_a_thread
// and one of the weight gradient
//   add(gradient, panel)                  sum += gradient panel^T, over the tile's pixels
//   output(i), row(j), value(i, j)        i < outputs_a_thread, j < rows_a_thread; outputs >= `outputs` are none
//   chunks                                whose sums a block has registers for, each in a tile of its own
//   threads, pixels, pitch, Element       of a block, of the tile, from row to row of it, and what it holds
#pragma once

#include <type_traits>

#include "cuda/elements.cuh"
#include "cuda/product_tuning.h"
#include "cuda/tensor_core.cuh"

namespace gmr::cuda {

// On the float32 units: 8 x 4 results a thread in wide tiles, 4 x 4 in others, from three or two reads of 16 bytes an
// operand row; one of few outputs.
template <int tile_outputs>
struct FloatTile {
  static constexpr int outputs = tile_outputs, row_step = 1;
  static constexpr int pixels_a_thread = outputs == product_few_outputs ? 1 : 4;
  static constexpr int pixel_threads = product_pixels / pixels_a_thread;
  static constexpr int outputs_a_thread = outputs * pixel_threads / block_threads;
  static constexpr int pack = pixels_a_thread, packs = outputs_a_thread / pack;
  static_assert(packs * pack == outputs_a_thread);

  float sum[outputs_a_thread][pixels_a_thread] = {};

  __device__ int output(int i) const { return static_cast<int>(threadIdx.x) / pixel_threads * outputs_a_thread + i; }
  __device__ int pixel(int j) const { return static_cast<int>(threadIdx.x) % pixel_threads * pixels_a_thread + j; }
  __device__ float value(int i, int j) const { return sum[i][j]; }

  __device__ void add(const float* weights, const float* panel, int depth) {
#pragma unroll 4
    for (int k = 0; k < depth; ++k) {
      Pack<pack> a[packs];
#pragma unroll
      for (int i = 0; i < packs; ++i) a[i] = load_pack<pack>(weights + k * weights_pitch(outputs) + output(pack * i));
      const auto b = load_pack<pixels_a_thread>(panel + k * product_pitch + pixel(0));
#pragma unroll
      for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
        for (int j = 0; j < pixels_a_thread; ++j) sum[i][j] += a[i / pack].v[i % pack] * b.v[j];
      }
    }
  }
};

template <int tile_outputs, int tile_chunks>
struct FloatWeightTile {
  using Element = float;
  static constexpr int outputs = tile_outputs, chunks = tile_chunks;
  static constexpr int threads = block_threads, pixels = product_pixels, pitch = product_pitch;
  static constexpr int row_threads = 16, rows_a_thread = product_depth / row_threads;
  static constexpr int output_threads = block_threads / row_threads;
  static constexpr int outputs_a_thread = outputs < output_threads ? 1 : outputs / output_threads;

  float sum[outputs_a_thread][rows_a_thread] = {};

  __device__ int output(int i) const { return static_cast<int>(threadIdx.x) / row_threads + i * output_threads; }
  __device__ int row(int j) const { return static_cast<int>(threadIdx.x) % row_threads + j * row_threads; }
  __device__ float value(int i, int j) const { return sum[i][j]; }

  __device__ void add(const float* gradient, const float* panel) {
    if (output(0) >= outputs) return;
    for (int pixel = 0; pixel < product_pixels; pixel += 4) {
      Pack<4> a[outputs_a_thread], b[rows_a_thread];
#pragma unroll
      for (int i = 0; i < outputs_a_thread; ++i) a[i] = load_pack<4>(gradient + output(i) * product_pitch + pixel);
#pragma unroll
      for (int j = 0; j < rows_a_thread; ++j) b[j] = load_pack<4>(panel + row(j) * product_pitch + pixel);
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
};

// On tensor cores. The warps share outputs x pixels, 32 x 32 each of wide tiles, 32 x 16 of others; a step's rows 2t
// and 2t + 1 are a lane's, so that the 32 addresses of a read, 2t pitch + g, lie in different banks.
template <int tile_outputs>
struct TensorTile {
  static constexpr int outputs = tile_outputs, row_step = tensor_depth;
  static constexpr int warp_outputs = 32, warp_pixels = product_pixels * outputs / warp_outputs / block_warps;
  static constexpr int pixel_warps = product_pixels / warp_pixels;
  static constexpr int m_tiles = warp_outputs / 16, n_tiles = warp_pixels / 8;
  static constexpr int outputs_a_thread = 2 * m_tiles, pixels_a_thread = 2 * n_tiles;
  static_assert(2 * weights_pitch(outputs) % 32 == 8 && 2 * product_pitch % 32 == 8);

  TensorSums<m_tiles, n_tiles> sums;

  __device__ static int first_output() {
    return static_cast<int>(threadIdx.x) / warp_threads / pixel_warps * warp_outputs;
  }
  __device__ static int first_pixel() {
    return static_cast<int>(threadIdx.x) / warp_threads % pixel_warps * warp_pixels;
  }

  __device__ int output(int i) const { return first_output() + 8 * i + fragment_row(); }
  __device__ int pixel(int j) const { return first_pixel() + 8 * (j / 2) + 2 * fragment_column() + j % 2; }
  __device__ float value(int i, int j) const { return sums.sum[i / 2][j / 2][i % 2 * 2 + j % 2]; }

  __device__ void add(const float* weights, const float* panel, int depth) {
    const float* a = weights + 2 * fragment_column() * weights_pitch(outputs) + first_output() + fragment_row();
    const float* b = panel + 2 * fragment_column() * product_pitch + first_pixel() + fragment_row();
    sums.add((depth + tensor_depth - 1) / tensor_depth,
             [&](int step, int h, int i, int v) {
               return a[(step * tensor_depth + h) * weights_pitch(outputs) + 16 * i + 8 * v];
             },
             [&](int step, int h, int j) { return b[(step * tensor_depth + h) * product_pitch + 8 * j]; });
  }
};

// The warps share outputs x rows; a step's pixels t and t + 4 are a lane's, at g product_pitch + t.
template <int tile_chunks>
struct TensorWeightTile {
  using Element = float;
  static constexpr int outputs = product_outputs, chunks = tile_chunks;
  static constexpr int threads = block_threads, pixels = product_pixels, pitch = product_pitch;
  static constexpr int warp_outputs = 16, warp_rows = 16, row_warps = product_depth / warp_rows;
  static constexpr int m_tiles = warp_outputs / 16, n_tiles = warp_rows / 8;
  static constexpr int outputs_a_thread = 2 * m_tiles, rows_a_thread = 2 * n_tiles;
  static_assert(outputs / warp_outputs * row_warps == block_warps && product_pitch % 32 == 4);

  TensorSums<m_tiles, n_tiles> sums;

  __device__ static int first_output() {
    return static_cast<int>(threadIdx.x) / warp_threads / row_warps * warp_outputs;
  }
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / warp_threads % row_warps * warp_rows; }

  __device__ int output(int i) const { return first_output() + 8 * i + fragment_row(); }
  __device__ int row(int j) const { return first_row() + 8 * (j / 2) + 2 * fragment_column() + j % 2; }
  __device__ float value(int i, int j) const { return sums.sum[i / 2][j / 2][i % 2 * 2 + j % 2]; }

  __device__ void add(const float* gradient, const float* panel) {
    const float* a = gradient + (first_output() + fragment_row()) * product_pitch + fragment_column();
    const float* b = panel + (first_row() + fragment_row()) * product_pitch + fragment_column();
    sums.add(
        product_pixels / tensor_depth,
        [&](int step, int h, int i, int v) {
          return a[(16 * i + 8 * v) * product_pitch + step * tensor_depth + 4 * h];
        },
        [&](int step, int h, int j) { return b[8 * j * product_pitch + step * tensor_depth + 4 * h]; });
  }
};

// What `high` multiplies with.
template <int outputs>
using HighTile = std::conditional_t<has_fast_tf32, TensorTile<outputs>, FloatTile<outputs>>;
template <int chunks>
using HighWeightTile =
    std::conditional_t<has_fast_tf32, TensorWeightTile<chunks>, FloatWeightTile<product_outputs, chunks>>;

}  // namespace gmr::cuda
