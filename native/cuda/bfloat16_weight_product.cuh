// The weight gradient of the bfloat16 product (bfloat16_product.cuh): dy against the same panels, over pieces of the
// pixels, whose sums are added in order.
#pragma once

#include "cuda/bfloat16_product.cuh"

namespace gmr::cuda {

template <typename Gather>
struct Bfloat16WeightProduct {
  ProductShape shape;
  Gather gather;
  const bfloat16* dy;
  float* partials;  // [splits][groups][outputs][channels][rows]
  int64_t output_parts, chunks, splits;
  Divisor by_parts, by_chunks, by_groups;

  __host__ __device__ int64_t items() const { return splits * shape.groups * chunks * output_parts; }
};

// Starts to copy dy of outputs first_output .. of a group over a tile, [outputs][pixels], with zeros where there is
// none. A thread copies two neighbouring pixels of every `step`th output.
template <typename Tile, typename Gather>
__device__ void copy_gradient(const Bfloat16WeightProduct<Gather>& p, const typename Gather::AtTile& at_tile,
                              int64_t group, int64_t first_output, bfloat16* gradient) {
  constexpr int pairs = Tile::pixels / 2, step = Tile::threads / pairs;
  const int column = static_cast<int>(threadIdx.x) % pairs * 2, first = static_cast<int>(threadIdx.x) / pairs;
  const PlacePair at = at_tile.pair(column);
  const auto there = static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output));
  const auto from_of = [&](const Place& place) {
    const int64_t plane = (place.image * p.shape.groups + group) * p.shape.outputs + first_output + first;
    return p.dy + (place.image < 0 ? 0 : plane * p.shape.out_plane + place.pixel);
  };
  const bfloat16 *from = from_of(at.first), *second = from_of(at.second);
  bfloat16* to = gradient + first * Tile::pitch + column;
  const int last = first < step ? Tile::outputs : 0;
  const bool is_nowhere = at.first.image < 0 && at.second.image < 0;
  if ((at.is_word || is_nowhere) && there == Tile::outputs) {
    const auto* words = reinterpret_cast<const uint32_t*>(from);
    const int64_t words_step = at.is_word ? step * p.shape.out_plane / 2 : 0;
#pragma unroll 4
    for (int o = first; o < last; o += step) {
      copy_or_zero(reinterpret_cast<uint32_t*>(to), words, at.is_word);
      to += step * Tile::pitch;
      words += words_step;
    }
  } else {
    for (int o = first; o < last; o += step, to += step * Tile::pitch) {
      const int64_t skipped = o < there ? (o - first) * p.shape.out_plane : 0;
      to[0] = at.first.image >= 0 && o < there ? from[skipped] : bfloat16{0};
      to[1] = at.second.image >= 0 && o < there ? second[skipped] : bfloat16{0};
    }
  }
}

template <typename Tile, typename Gather>
__device__ void bfloat16_weight_product(const Bfloat16WeightProduct<Gather>& p) {
  extern __shared__ float4 shared_memory[];
  auto* panel = reinterpret_cast<bfloat16*>(shared_memory);
  bfloat16* gradient = panel + Gather::panel_rows * Tile::pitch;  // dy, [outputs][pixels]
  auto* work = reinterpret_cast<float*>(gradient + Tile::outputs * Tile::pitch);
  const int64_t all_rows = p.shape.channels * p.gather.rows;
  const int64_t size = p.shape.groups * p.shape.outputs * all_rows;
  zero_panel<Tile, Gather>(panel);

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [rest, part] = p.by_parts.divide(item);
    const auto [split_and_group, chunk_index] = p.by_chunks.divide(rest);
    const auto [split, group] = p.by_groups.divide(split_and_group);
    const int64_t first_output = part * Tile::outputs;
    const Chunk chunk = chunk_at(p.gather, all_rows, chunk_index * p.gather.chunk_depth);
    const int64_t first_channel = group * p.shape.channels;
    Tile product;
    const int64_t last_tile = p.gather.tiles * (split + 1) / p.splits;
    for (int64_t tile = p.gather.tiles * split / p.splits; tile < last_tile; ++tile) {
      typename Gather::AtTile at_tile(p.gather, tile, work);
      at_tile.start(first_channel, chunk);
      copy_gradient<Tile>(p, at_tile, group, first_output, gradient);
      finish_group();
      at_tile.fill(panel, first_channel, chunk, Chunk{});
      wait_for_all_groups_but<1>();
      __syncthreads();
      product.add(gradient, panel);
      __syncthreads();
    }
    const ChunkOrder order = order_of(p.gather);
#pragma unroll
    for (int j = 0; j < Tile::rows_a_thread; ++j) {
      const int row = order.row(product.row(j));
      if (row >= chunk.depth) continue;
#pragma unroll
      for (int i = 0; i < Tile::outputs_a_thread; ++i) {
        const int64_t o = first_output + product.output(i);
        if (o >= p.shape.outputs) continue;
        float* to = p.partials + split * size + (group * p.shape.outputs + o) * all_rows + chunk.first_row;
        to[row] = product.value(i, j);
      }
    }
  }
}

// launchers

// What panel and dy take of a block's shared memory.
template <int panel_rows, int pixels>
constexpr int64_t weight_tile_bytes(int outputs) {
  return int64_t{panel_rows + outputs} * bfloat16_pitch(pixels) * static_cast<int64_t>(sizeof(bfloat16));
}

template <typename Gather>
void launch_bfloat16_backward_weight(BackendDevice& device, const Kernel<Bfloat16WeightProduct<Gather>>& kernel,
                                     int tile, const ProductShape& shape, const Gather& gather, const bfloat16* dy,
                                     float* dw) {
  const int64_t parts = (shape.outputs + tile - 1) / tile;
  const int64_t all_rows = shape.channels * gather.rows;
  const int64_t chunks = (all_rows + gather.chunk_depth - 1) / gather.chunk_depth;
  const int64_t splits = std::clamp<int64_t>(weight_gradient_blocks / (shape.groups * parts * chunks), 1,
                                             std::max<int64_t>(gather.tiles, 1));
  const int64_t size = shape.groups * shape.outputs * all_rows;
  float* partials =
      splits == 1 ? dw : static_cast<float*>(device.scratch(static_cast<size_t>(splits * size) * sizeof(float)));
  const Bfloat16WeightProduct<Gather> product{
      shape, gather, dy, partials, parts, chunks, splits, Divisor(parts), Divisor(chunks), Divisor(shape.groups)};
  const size_t bytes = weight_tile_bytes<Gather::panel_rows, Gather::pixels>(tile) + work_bytes(gather);
  launch(device, kernel, block_each(product.items(), Gather::threads, bytes), product);
  if (splits > 1) sum_partials(device, partials, splits, size, dw);
}

}  // namespace gmr::cuda
