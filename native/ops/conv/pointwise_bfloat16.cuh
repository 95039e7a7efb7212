// The product of pointwise.cuh in bfloat16, on tensor cores: chunks of 32 channels.
#pragma once

#include "cuda/bfloat16_product.cuh"
#include "ops/conv/pointwise.cuh"

namespace gmr::cuda {

// Blocks of 128 outputs, 256 threads, on a multiprocessor: two have 128 registers a thread, which are too few where copies
// go by way of them; and the 100 KiB of some GPUs have no room for two.
#if defined(__CUDA_ARCH__) && \
    (__CUDA_ARCH__ < 800 || __CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ == 1200)
constexpr int pointwise_wide_blocks = 1;
#else
constexpr int pointwise_wide_blocks = 2;
#endif

// What packed_product asks.
struct PointwiseGather {
  static constexpr bool is_interleaved = false;
  static constexpr int rows = 1, chunk_depth = pointwise_depth, steps = chunk_depth / bfloat16_depth;
  static constexpr int pixels = pointwise_columns;

  const bfloat16* x;
  PointwiseColumns columns;
  int64_t tiles;
  int x_elements, y_elements;  // that are copied and stored at a time
};

template <int outputs_>
struct PointwiseTile : Bfloat16Tile<outputs_, pointwise_columns, 2 * outputs_> {
  using Product = Bfloat16Tile<outputs_, pointwise_columns, 2 * outputs_>;
  using Product::outputs, Product::pitch, Product::threads;
  static constexpr int panel_elements = pointwise_depth * pitch, weight_elements = pointwise_depth * outputs;
  static constexpr int stage_elements = panel_elements + weight_elements;
  // Results on their way to memory, [outputs][columns], take the place of the chunks.
  static constexpr int blocks = outputs == product_wide_outputs ? pointwise_wide_blocks : 3;  // on a multiprocessor
  static constexpr int shared_bytes = pointwise_stages * stage_elements * static_cast<int>(sizeof(bfloat16));
  static_assert(outputs * pitch <= pointwise_stages * stage_elements);
};

template <typename Tile>
__device__ void pointwise_store(const Bfloat16Product<PointwiseGather>& p, int64_t tile, int64_t group,
                                int64_t first_output, const Tile& product, bfloat16* staged) {
  stage_results(product, staged);
  __syncthreads();
  const PointwiseColumns& columns = p.gather.columns;
  const int there = static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output));
  const int warp = static_cast<int>(threadIdx.x) / warp_threads;
  with_elements<4>(p.gather.y_elements, [&](auto some) {
    using Piece = std::conditional_t<some == 4, uint2, std::conditional_t<some == 2, uint32_t, uint16_t>>;
    for (int i = Tile::lane() * some; i < pointwise_columns; i += warp_threads * some) {
      const int64_t column = tile * pointwise_columns + i;
      if (column >= columns.count) break;
      const auto [image, pixel] = columns.by_plane.divide(column);
      const int64_t plane = (image * p.shape.groups + group) * p.shape.outputs + first_output + warp;
      bfloat16* y = p.y + plane * columns.plane + pixel;
      for (int o = warp; o < there; o += Tile::warps, y += Tile::warps * columns.plane) {
        *reinterpret_cast<Piece*>(y) = *reinterpret_cast<const Piece*>(staged + o * Tile::pitch + i);
      }
    }
  });
}

template <typename Tile>
__device__ void pointwise_product(const Bfloat16Product<PointwiseGather>& p) {
  extern __shared__ float4 shared_memory[];
  auto* panels = reinterpret_cast<bfloat16*>(shared_memory);
  const ProductShape& shape = p.shape;
  // Blocks that share a tile run next to each other, so that its input stays in the cache.
  const auto [tile_and_group, part] = p.by_parts.divide(blockIdx.x);
  const auto [tile, group] = p.by_groups.divide(tile_and_group);
  const int64_t first_output = part * Tile::outputs;
  const PointwiseRows<bfloat16, pointwise_columns, Tile::threads> rows(
      p.gather.columns, tile, p.gather.x_elements, p.gather.x + group * shape.channels * shape.in_plane,
      shape.groups * shape.channels * shape.in_plane);
  const auto chunks = static_cast<int>(p.chunks);
  const bfloat16* weights = p.weights + (group * p.output_parts + part) * p.chunks * Tile::weight_elements;
  const auto start = [&](int chunk) {
    if (chunk < chunks) {
      bfloat16* panel = panels + chunk % pointwise_stages * Tile::stage_elements;
      rows.template copy<pointwise_depth, Tile::pitch>(int64_t{chunk} * pointwise_depth, shape.channels, panel);
      copy_packed<Tile, Tile::weight_elements>(weights + int64_t{chunk} * Tile::weight_elements, Tile::weight_elements,
                                               panel + Tile::panel_elements);
    }
    finish_group();
  };
  Tile product;
  start_sums(p, group, first_output, product);
  for (int chunk = 0; chunk < pointwise_stages - 1; ++chunk) start(chunk);
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait_for_all_groups_but<pointwise_stages - 2>();
    __syncthreads();
    start(chunk + pointwise_stages - 1);
    const bfloat16* panel = panels + chunk % pointwise_stages * Tile::stage_elements;
    product.add(panel + Tile::panel_elements, panel, PointwiseGather::steps);
  }
  __syncthreads();
  finish_sums(p, group, first_output, product);
  pointwise_store(p, tile, group, first_output, product, panels);
}

}  // namespace gmr::cuda
