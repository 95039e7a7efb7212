// The weight gradient of the layers of pointwise.cuh: of each group dw = dy x^T over the columns. A block has 64 outputs
// x 64 channels over its share of the columns, whose rows of dy and x are copied as they lie, a chunk ahead.
#pragma once

#include "cuda/bfloat16_tile.cuh"
#include "ops/conv/pointwise.cuh"

namespace gmr::cuda {

template <typename T>
struct PointwiseWeight {
  ProductShape shape;
  PointwiseColumns columns;
  const T *x, *dy;
  float* partials;              // [splits][groups][outputs][channels]
  int x_elements, dy_elements;  // that are copied at a time
  int64_t output_parts, channel_parts, chunks, splits;
  Divisor by_output_parts, by_channel_parts, by_groups;

  PointwiseWeight(const ProductShape& shape, int chunk_columns, const T* x, const T* dy)
      : shape(shape),
        columns(shape),
        x(x),
        dy(dy),
        partials(nullptr),
        x_elements(pointwise_elements<T>(shape.in_plane, x)),
        dy_elements(pointwise_elements<T>(shape.out_plane, dy)),
        output_parts((shape.outputs + pointwise_weight_side - 1) / pointwise_weight_side),
        channel_parts((shape.channels + pointwise_weight_side - 1) / pointwise_weight_side),
        chunks(columns.tiles(chunk_columns)),
        splits(std::clamp<int64_t>(weight_blocks_at_a_time / (shape.groups * output_parts * channel_parts), 1, chunks)),
        by_output_parts(output_parts),
        by_channel_parts(channel_parts),
        by_groups(shape.groups) {}

  int64_t size() const { return shape.groups * shape.outputs * shape.channels; }
  int64_t blocks() const { return splits * shape.groups * output_parts * channel_parts; }
};

// 32 x 32 results a warp.
struct PointwiseWeightTile {
  using Element = bfloat16;
  static constexpr int threads = pointwise_weight_threads, columns = 64, pitch = bfloat16_pitch(columns);
  static constexpr int warp_side = 32, m_tiles = warp_side / 16, n_tiles = warp_side / 8;

  Bfloat16Sums<m_tiles, n_tiles> sums;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / warp_threads; }
  __device__ static int first_output() { return warp() / 2 * warp_side; }
  __device__ static int first_channel() { return warp() % 2 * warp_side; }

  // Columns are the common axis, of which both operands have neighbours beside each other.
  __device__ void add(const bfloat16* dy, const bfloat16* panel) {
    const uint32_t a_at = shared_address(dy + (first_output() + lane() % 16) * pitch + lane() / 16 * 8);
    const uint32_t b_at =
        shared_address(panel + (first_channel() + lane() / 16 * 8 + lane() % 8) * pitch + lane() / 8 % 2 * 8);
    constexpr int element = static_cast<int>(sizeof(bfloat16));
#pragma unroll
    for (int step = 0; step < columns; step += bfloat16_depth) {
      uint4 a[m_tiles];
      uint2 b[n_tiles];
#pragma unroll
      for (int i = 0; i < m_tiles; ++i) a[i] = load_four_matrices(a_at + (16 * i * pitch + step) * element);
#pragma unroll
      for (int j = 0; j < n_tiles; j += 2) {
        const uint4 two = load_four_matrices(b_at + (8 * j * pitch + step) * element);
        b[j] = {two.x, two.y};
        b[j + 1] = {two.z, two.w};
      }
      sums.add(a, b);
    }
  }

  __device__ void finish(float*) {}  // a thread has all of its sums

  // To rows of `step` floats, of which, and of whose columns, so many are there.
  __device__ void store(float* to, int64_t step, int outputs, int channels) const {
    const bool has_pairs = step % 2 == 0 && reinterpret_cast<uintptr_t>(to) % sizeof(float2) == 0;
#pragma unroll
    for (int i = 0; i < 2 * m_tiles; ++i) {
      const int output = first_output() + 8 * i + fragment_row();
      if (output >= outputs) continue;
#pragma unroll
      for (int j = 0; j < n_tiles; ++j) {
        const int channel = first_channel() + 8 * j + 2 * fragment_column();
        const float first = sums.sum[i / 2][j][i % 2 * 2], second = sums.sum[i / 2][j][i % 2 * 2 + 1];
        float* at = to + output * step + channel;
        if (has_pairs && channel < channels) {
          // Left to the compiler these are two stores, of half a sector each.
          asm volatile("st.global.v2.f32 [%0], {%1, %2};"
                       :
                       : "l"(__cvta_generic_to_global(at)), "f"(first), "f"(second)
                       : "memory");
        } else {
          if (channel < channels) at[0] = first;
          if (channel + 1 < channels) at[1] = second;
        }
      }
    }
  }
};

// 8 x 8 results a thread; each half of the threads has all results over half of a chunk's columns.
struct FloatPointwiseWeightTile {
  using Element = float;
  static constexpr int threads = pointwise_weight_threads, columns = 32, pitch = columns + 4;
  static constexpr int side = 8, half_threads = threads / 2, half_columns = columns / 2;

  float sum[side][side] = {};

  __device__ static int half() { return static_cast<int>(threadIdx.x) / half_threads; }
  __device__ static int thread() { return static_cast<int>(threadIdx.x) % half_threads; }
  // Eight lanes read the same output of dy and, of x, neighbouring channels, an odd number of 16 bytes apart.
  __device__ static int output(int i) { return thread() / side + i * side; }
  __device__ static int channel(int j) { return thread() % side + j * side; }

  __device__ void add(const float* dy, const float* panel) {
    const uint32_t a_at = shared_address(dy + output(0) * pitch + half() * half_columns);
    const uint32_t b_at = shared_address(panel + channel(0) * pitch + half() * half_columns);
    unroll<half_columns / 4>([&](auto quad) {
      constexpr int step = side * pitch * 4, at = quad * 16;
      uint4 b[side];
      unroll<side>([&](auto j) { b[j] = load_four_words<j * step + at>(b_at); });
      unroll<side>([&](auto i) {
        const uint4 a = load_four_words<i * step + at>(a_at);
#pragma unroll
        for (int j = 0; j < side; ++j) {
          sum[i][j] += __uint_as_float(a.x) * __uint_as_float(b[j].x);
          sum[i][j] += __uint_as_float(a.y) * __uint_as_float(b[j].y);
          sum[i][j] += __uint_as_float(a.z) * __uint_as_float(b[j].z);
          sum[i][j] += __uint_as_float(a.w) * __uint_as_float(b[j].w);
        }
      });
    });
  }

  // Adds the sums of the second half to those of the first.
  __device__ void finish(float* shared) {
    if (half() == 1) {
#pragma unroll
      for (int i = 0; i < side * side; ++i) shared[i * half_threads + thread()] = sum[i / side][i % side];
    }
    __syncthreads();
    if (half() == 0) {
#pragma unroll
      for (int i = 0; i < side * side; ++i) sum[i / side][i % side] += shared[i * half_threads + thread()];
    }
  }

  __device__ void store(float* to, int64_t step, int outputs, int channels) const {
    if (half() == 1) return;
#pragma unroll
    for (int i = 0; i < side; ++i) {
      if (output(i) >= outputs) break;
#pragma unroll
      for (int j = 0; j < side; ++j) {
        if (channel(j) < channels) to[output(i) * step + channel(j)] = sum[i][j];
      }
    }
  }
};

// Of two chunks, of dy and x each.
template <typename Tile>
constexpr int pointwise_weight_bytes =
    4 * pointwise_weight_side * Tile::pitch * static_cast<int>(sizeof(typename Tile::Element));

template <typename Tile>
__device__ void pointwise_weight(const PointwiseWeight<typename Tile::Element>& p) {
  using T = typename Tile::Element;
  constexpr int rows = pointwise_weight_side, operand = rows * Tile::pitch, both = 2 * operand;
  extern __shared__ float4 shared_memory[];
  auto* stages = reinterpret_cast<T*>(shared_memory);  // two, of dy and x each
  const ProductShape& shape = p.shape;
  const auto [of_channels, output_part] = p.by_output_parts.divide(blockIdx.x);
  const auto [of_group, channel_part] = p.by_channel_parts.divide(of_channels);
  const auto [split, group] = p.by_groups.divide(of_group);
  const int64_t first_output = output_part * rows, first_channel = channel_part * rows;
  const auto start = [&, group = group](int64_t chunk) {
    T* dy = stages + chunk % 2 * both;
    const int64_t outputs = shape.groups * shape.outputs, channels = shape.groups * shape.channels;
    const PointwiseRows<T, Tile::columns, Tile::threads> dy_rows(
        p.columns, chunk, p.dy_elements, p.dy + group * shape.outputs * shape.out_plane, outputs * shape.out_plane);
    dy_rows.template copy<rows, Tile::pitch>(first_output, shape.outputs, dy);
    const PointwiseRows<T, Tile::columns, Tile::threads> x_rows(
        p.columns, chunk, p.x_elements, p.x + group * shape.channels * shape.in_plane, channels * shape.in_plane);
    x_rows.template copy<rows, Tile::pitch>(first_channel, shape.channels, dy + operand);
  };
  Tile product;
  const int64_t last = p.chunks * (split + 1) / p.splits;
  int64_t chunk = p.chunks * split / p.splits;
  start(chunk);
#pragma unroll 1
  for (; chunk < last; ++chunk) {
    wait_for_copies();
    __syncthreads();
    if (chunk + 1 < last) start(chunk + 1);
    const T* dy = stages + chunk % 2 * both;
    product.add(dy, dy + operand);
  }
  __syncthreads();
  product.finish(reinterpret_cast<float*>(shared_memory));

  float* to = p.partials + (split * shape.groups + group) * shape.outputs * shape.channels +
              first_output * shape.channels + first_channel;
  const auto outputs = static_cast<int>(min(int64_t{rows}, shape.outputs - first_output));
  const auto channels = static_cast<int>(min(int64_t{rows}, shape.channels - first_channel));
  product.store(to, shape.channels, outputs, channels);
}

}  // namespace gmr::cuda
