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
// thread has every eighth output and the rings of one or two channels, so that a read serves three to four multiply-adds
// of a word. A warp has all outputs and channels, of k = 9 half of these, as ring sums need registers too; warps share the
// pixels, and their sums are added up in order when all tiles are done.
template <int side, int tile_outputs>
struct ShellsWeightTile {
  using Element = float;
  static constexpr int outputs = tile_outputs, threads = 128, pixels = shells_pixels, pitch = pixels + 4;
  using Gather = RingShells<side, float, threads, pitch>;
  static constexpr int chunks = shells_weight_chunks(side, outputs);
  static constexpr int64_t blocks_at_a_time = shells_weight_blocks_at_a_time(side, outputs);
  static constexpr int channels = Gather::channels, rings = Gather::rings;

  // A warp's lanes: eight for outputs, which they read at different banks, four for channels.
  static constexpr int output_lanes = 8, channel_lanes = warp_threads / output_lanes;
  static constexpr int lane_channels = shells_weight_lane_channels(side), warp_channels = channel_lanes * lane_channels;
  static constexpr int pixel_warps = threads / warp_threads * warp_channels / channels;
  static constexpr int warp_pixels = pixels / pixel_warps;
  static constexpr int outputs_a_thread = outputs / output_lanes, rows_a_thread = lane_channels * rings;
  static constexpr int sums = outputs_a_thread * rows_a_thread;
  static_assert(threads * sums <= outputs * pitch);  // what join() takes

  float sum[outputs_a_thread][rows_a_thread] = {};

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / warp_threads; }
  __device__ static int pixel_warp() { return warp() % pixel_warps; }
  __device__ static int channel() { return warp() / pixel_warps * warp_channels + lane() / output_lanes; }
  __device__ static int output(int i) { return lane() % output_lanes + i * output_lanes; }
  __device__ static int row(int j) { return (channel() + j / rings * channel_lanes) * rings + j % rings; }
  __device__ float value(int i, int j) const { return sum[i][j]; }

  // sum += gradient panel^T over the warp's pixels of the tile.
  __device__ void add(const float* gradient, const float* panel) {
    const int first_pixel = pixel_warp() * warp_pixels;
    uint32_t a_at = shared_address(gradient + output(0) * pitch + first_pixel),
             b_at = shared_address(panel + channel() * pitch + first_pixel);
#pragma unroll 1
    for (int pixel = 0; pixel < warp_pixels; pixel += 4) {
      float a[outputs_a_thread][4];
      unroll<outputs_a_thread>([&](auto i) { load_floats<i * output_lanes * pitch * 4>(a_at, a[i]); });
      unroll<rows_a_thread>([&](auto j) {
        constexpr int row = j % rings * channels + j / rings * channel_lanes;
        float b[4];
        load_floats<row * pitch * 4>(b_at, b);
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

  // Adds up what warps have of the same sums; the first of them has the totals. `shared`: what dy had.
  __device__ void join(float* shared) {
    constexpr int warp_sums = sums * warp_threads;
    const int mine = warp() * warp_sums + lane();
    const auto for_sums = [&](auto&& f) {
#pragma unroll
      for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
        for (int j = 0; j < rows_a_thread; ++j) f(sum[i][j], (i * rows_a_thread + j) * warp_threads);
      }
    };
    if (!has_totals()) for_sums([&](float value, int place) { shared[mine + place] = value; });
    __syncthreads();
    if (has_totals()) {
#pragma unroll 1
      for (int w = 1; w < pixel_warps; ++w) {
        const int theirs = mine + w * warp_sums;
        for_sums([&](float& value, int place) { value += shared[theirs + place]; });
      }
    }
    __syncthreads();
  }
  __device__ static bool has_totals() { return pixel_warp() == 0; }
};

}  // namespace gmr::cuda
