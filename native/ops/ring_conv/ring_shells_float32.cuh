// The float32 products of standard 3-D ring convolutions at stride 1 over the panels of ring_shells.cuh. Four columns of
// a row, through the slices of a tile, are a strip (ring_strips.cuh), so that the forward product is that of strips.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/ring_conv/ring_shells.cuh"
#include "ops/ring_conv/ring_strips.cuh"

namespace gmr::cuda {

template <int side, int slices, int outputs>
struct ShellsProduct {
  using Block = StripsBlock<side, slices, outputs>;
  static constexpr int threads = Block::threads;
  using Gather = RingShells<side, float, threads, Block::pitch>;
  static_assert(shells_columns == strip_columns && shells_rows == strips_a_tile && Gather::channels == Block::channels);

  ProductShape shape;
  Gather gather;
  const float* weights;  // packed
  Epilogue epilogue;
  float* y;
  int stored_floats;  // at a time: 4, 2 or 1
  int64_t output_parts, chunks;
  Divisor by_parts, by_groups;

  ShellsProduct(const ProductShape& shape, const WindowGeometry& g, const float* x, const WindowWeights& packed,
                const Epilogue& epilogue, float* y)
      : shape(shape),
        gather(x, g, slices, shape.images, shape.groups * shape.channels),
        weights(packed.packed),
        epilogue(epilogue),
        y(y),
        stored_floats(floats_at_a_time(g.out[2])),
        output_parts(packed.output_parts),
        chunks(packed.chunks),
        by_parts(output_parts),
        by_groups(shape.groups) {}

  __host__ __device__ int64_t items() const { return gather.tiles * shape.groups * output_parts; }
  static size_t shared_bytes() {
    const int panel_floats = Block::panel_rows * (Block::pitch + Block::outputs);
    return static_cast<size_t>(panel_floats + Gather::channels * Gather::channel_words_of(slices)) * sizeof(float);
  }
};

template <int side, int slices, int outputs>
__device__ void shells_product(const ShellsProduct<side, slices, outputs>& p) {
  using Product = ShellsProduct<side, slices, outputs>;
  using Block = typename Product::Block;
  extern __shared__ float4 shared_memory[];
  auto* panel = reinterpret_cast<float*>(shared_memory);
  float* weights = panel + Block::panel_rows * Block::pitch;
  float* work = weights + Block::weight_floats;
  const int64_t all_rows = p.shape.channels * Block::rings;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, part] = p.by_parts.divide(item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const int64_t first_output = part * outputs, first_channel = group * p.shape.channels;
    const float* from = p.weights + (group * p.output_parts + part) * p.chunks * Block::weight_floats;
    typename Product::Gather::AtTile at_tile(p.gather, tile, work);
    StripsResults<Block> product;
    Chunk chunk = chunk_at(p.gather, all_rows, 0);
    at_tile.start(first_channel, chunk);
    for (; chunk.depth > 0; from += Block::weight_floats) {
      const Chunk next = chunk_at(p.gather, all_rows, chunk.first_row + chunk.depth);
      copy_weights<Block>(from, weights);
      finish_group();
      at_tile.fill(panel, first_channel, chunk, next);
      wait_for_all_groups_but<1>();  // all but the next chunk's
      __syncthreads();
      product.add(weights, panel);
      __syncthreads();
      chunk = next;
    }
    const auto there = static_cast<int>(min(int64_t{outputs}, p.shape.outputs - first_output));
    const int64_t row_step = int64_t{p.gather.window.out[1]} * p.gather.window.out[2];
    product.store(p, there, group * p.shape.outputs + first_output, row_step,
                  [&](int row) { return at_tile.strip(row); });
  }
}

// outputs x rings of 8 channels of the weight gradient: dy as [output][pixel], the panel as [ring][channel][pixel]. A
// thread has the rings of a channel and every 16th output.
template <int side>
struct ShellsWeightTile {
  using Element = float;
  static constexpr int outputs = product_outputs, threads = 128, pixels = shells_pixels, pitch = pixels + 4;
  using Gather = RingShells<side, float, threads, pitch>;
  static constexpr int chunks = shells_weight_chunks(side);
  static constexpr int64_t blocks_at_a_time = shells_weight_blocks_at_a_time(side);
  static constexpr int channels = Gather::channels, rings = Gather::rings;
  static constexpr int output_threads = threads / channels, outputs_a_thread = outputs / output_threads;
  static constexpr int rows_a_thread = rings;

  float sum[outputs_a_thread][rows_a_thread] = {};

  __device__ static int channel() { return static_cast<int>(threadIdx.x) / output_threads; }
  __device__ static int output(int i) { return static_cast<int>(threadIdx.x) % output_threads + i * output_threads; }
  __device__ static int row(int j) { return channel() * rings + j; }
  __device__ float value(int i, int j) const { return sum[i][j]; }

  // sum += gradient panel^T over the tile's pixels.
  __device__ void add(const float* gradient, const float* panel) {
    uint32_t a_at = shared_address(gradient + output(0) * pitch), b_at = shared_address(panel + channel() * pitch);
#pragma unroll 1
    for (int pixel = 0; pixel < pixels; pixel += 4) {
      float a[outputs_a_thread][4];
      unroll<outputs_a_thread>([&](auto i) { load_floats<i * output_threads * pitch * 4>(a_at, a[i]); });
      unroll<rows_a_thread>([&](auto j) {
        float b[4];
        load_floats<j * channels * pitch * 4>(b_at, b);
#pragma unroll
        for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
          for (int k = 0; k < 4; ++k) sum[i][j] += a[i][k] * b[k];
        }
      });
      a_at += sizeof(float4);
      b_at += sizeof(float4);
    }
  }
};

}  // namespace gmr::cuda
