// The weight gradient of the implicit product, of float32 and bfloat16: dw[o, k] = sum_p dy[o, p] operand[k, p], dy
// against the panels of the forward product. A block has a piece of the pixels, the outputs of a tile and a band of
// operand rows, as many chunks as it has registers for: dy is copied once for all of them. The pieces' sums are added
// in order.
#pragma once

#include <algorithm>
#include <limits>

#include "cuda/bfloat16_product.cuh"
#include "cuda/sums.h"

namespace gmr::cuda {

template <typename Gather, typename T = float>
struct BackwardWeightProduct {
  ProductShape shape;
  Gather gather;
  const T* dy;
  float* partials;         // [splits][groups][outputs][channels][rows]
  int64_t all_rows, size;  // operand rows of a group, and results
  int64_t output_parts, bands, splits;
  int band_chunks;
  Divisor by_parts, by_bands, by_groups;

  __host__ __device__ int64_t items() const { return splits * shape.groups * bands * output_parts; }

  // What a block makes at a time.
  struct Item {
    int64_t split, group, band, part;
  };
  __device__ Item item_at(int64_t number) const {
    const auto [rest, part] = by_parts.divide(number);
    const auto [split_and_group, band] = by_bands.divide(rest);
    const auto [split, group] = by_groups.divide(split_and_group);
    return {split, group, band, part};
  }
};

// Starts to copy dy of outputs first_output .. of a group over a tile, [outputs][pixels], with zeros in columns that
// stand for nothing. A thread copies a word, a float or two neighbouring pixels of bfloat16, of every `step`th output.
template <typename Tile, typename Gather, typename T>
__device__ void copy_gradient(const BackwardWeightProduct<Gather, T>& p, const typename Gather::AtTile& at_tile,
                              int64_t group, int64_t first_output, T* gradient) {
  constexpr int width = sizeof(uint32_t) / sizeof(T), words = Tile::pixels / width, step = Tile::threads / words;
  const int column = static_cast<int>(threadIdx.x) % words * width, first = static_cast<int>(threadIdx.x) / words;
  const auto there = static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output));
  const int last = first < step ? there : 0;
  const auto from_of = [&](const Place& place) {
    const int64_t plane = (place.image * p.shape.groups + group) * p.shape.outputs + first_output + first;
    return p.dy + (place.image < 0 ? 0 : plane * p.shape.out_plane + place.pixel);
  };
  T* to = gradient + first * Tile::pitch + column;
  const auto copy_words = [&](const Place& place) {
    const bool is_there = place.image >= 0;
    const auto* from = reinterpret_cast<const uint32_t*>(from_of(place));
    const int64_t from_step = is_there ? step * p.shape.out_plane / width : 0;
#pragma unroll 4
    for (int o = first; o < last; o += step) {
      copy_or_zero(reinterpret_cast<uint32_t*>(to), from, is_there);
      to += step * Tile::pitch;
      from += from_step;
    }
  };
  if constexpr (width == 1) {
    copy_words(at_tile.place(column));
  } else {
    const PlacePair at = at_tile.pair(column);
    const bool is_nowhere = at.first.image < 0 && at.second.image < 0;
    if (at.is_word || is_nowhere) return copy_words(at.first);
    const T *from = from_of(at.first), *second = from_of(at.second);
    const uint32_t mask = (at.first.image >= 0 ? 0xffffu : 0) | (at.second.image >= 0 ? 0xffff0000u : 0);
    const int64_t from_step = at.first.image >= 0 ? step * p.shape.out_plane : 0;
    const int64_t second_step = at.second.image >= 0 ? step * p.shape.out_plane : 0;
#pragma unroll 4
    for (int o = first; o < last; o += step) {
      const uint32_t word = uint32_t{second->bits} << 16 | from->bits;
      *reinterpret_cast<uint32_t*>(to) = word & mask;
      to += step * Tile::pitch;
      from += from_step;
      second += second_step;
    }
  }
}

// Stores a piece's sums of a chunk.
template <typename Tile, typename Gather, typename T>
__device__ void store_weight_sums(const BackwardWeightProduct<Gather, T>& p, int64_t split, int64_t group,
                                  int64_t first_output, const Chunk& chunk, const Tile& product) {
  const ChunkOrder order = order_of(p.gather);
#pragma unroll
  for (int j = 0; j < Tile::rows_a_thread; ++j) {
    const int row = order.row(product.row(j));
    if (row >= chunk.depth) continue;
#pragma unroll
    for (int i = 0; i < Tile::outputs_a_thread; ++i) {
      const int64_t o = first_output + product.output(i);
      if (product.output(i) >= Tile::outputs || o >= p.shape.outputs) continue;
      float* to = p.partials + split * p.size + (group * p.shape.outputs + o) * p.all_rows + chunk.first_row;
      to[row] = product.value(i, j);
    }
  }
}

template <typename Tile, typename Gather, typename T>
__device__ void backward_weight_product(const BackwardWeightProduct<Gather, T>& p) {
  extern __shared__ float4 shared_memory[];
  T* panel = reinterpret_cast<T*>(shared_memory);
  T* gradient = panel + Gather::panel_rows * Tile::pitch;  // dy, [outputs][pixels]
  auto* work = reinterpret_cast<float*>(gradient + Tile::outputs * Tile::pitch);
  // What nobody writes, columns, outputs and rows that stand for nothing, must be numbers.
  constexpr int tiles_bytes = (Gather::panel_rows + Tile::outputs) * Tile::pitch * static_cast<int>(sizeof(T));
  constexpr int count = tiles_bytes / static_cast<int>(sizeof(float4));
  for (int i = static_cast<int>(threadIdx.x); i < count; i += Tile::threads) shared_memory[i] = {};
  __syncthreads();

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [split, group, band, part] = p.item_at(item);
    const int64_t first_output = part * Tile::outputs, first_channel = group * p.shape.channels;
    const int64_t first_row = band * p.band_chunks * p.gather.chunk_depth;
    Tile products[Tile::chunks];
    const int64_t last_tile = p.gather.tiles * (split + 1) / p.splits;
    for (int64_t tile = p.gather.tiles * split / p.splits; tile < last_tile; ++tile) {
      typename Gather::AtTile at_tile(p.gather, tile, work);
      Chunk chunk = chunk_at(p.gather, p.all_rows, first_row);
      at_tile.start(first_channel, chunk);
      copy_gradient<Tile>(p, at_tile, group, first_output, gradient);
#pragma unroll 1
      for (int c = 0; chunk.depth > 0; ++c) {
        finish_group();  // dy, with the first chunk
        Chunk next{};
        if (Tile::chunks > 1 && c + 1 < p.band_chunks) {
          next = chunk_at(p.gather, p.all_rows, chunk.first_row + chunk.depth);
        }
        at_tile.fill(panel, first_channel, chunk, next);
        wait_for_all_groups_but<1>();  // all but the next chunk's
        __syncthreads();
#pragma unroll
        for (int i = 0; i < Tile::chunks; ++i) {  // so that sums stay in registers
          if (i == c) products[i].add(gradient, panel);
        }
        __syncthreads();
        if constexpr (Tile::chunks == 1) break;
        chunk = next;
      }
    }
#pragma unroll
    for (int c = 0; c < Tile::chunks; ++c) {
      if (c == p.band_chunks) break;
      const Chunk chunk = chunk_at(p.gather, p.all_rows, first_row + int64_t{c} * p.gather.chunk_depth);
      if constexpr (requires { products[c].join(gradient); }) {  // warps have shares of the pixels
        products[c].join(gradient);
        if (!products[c].has_totals()) continue;
      }
      store_weight_sums(p, split, group, first_output, chunk, products[c]);
    }
  }
}

// launchers: shapes are not empty, but for the first

// The weight gradient of an empty shape, which is zero. `rows`: of a channel.
inline void zero_weight_gradient(BackendDevice& device, const ProductShape& shape, int64_t rows, float* dw) {
  sum_partials(device, nullptr, 0, shape.groups * shape.outputs * shape.channels * rows, dw);
}

inline int64_t parts_of(int64_t extent, int64_t part) { return (extent + part - 1) / part; }

// What panel and dy take of a block's shared memory.
template <typename Tile, typename Gather>
constexpr int64_t weight_tile_bytes =
    int64_t{Gather::panel_rows + Tile::outputs} * Tile::pitch * static_cast<int64_t>(sizeof(typename Tile::Element));

template <typename Tile, typename Gather>
size_t backward_weight_bytes(const Gather& gather) {
  return static_cast<size_t>(weight_tile_bytes<Tile, Gather>) + work_bytes(gather);
}

// How a weight gradient is cut: the chunks into bands of as many each, the pixels into as many pieces as take the least
// time (product_tuning.h).
struct WeightCut {
  int64_t parts, bands, splits;
  int band_chunks;
};

// Blocks that an H100 runs beside each other.
template <typename Tile>
constexpr int64_t blocks_at_a_time() {
  if constexpr (requires { Tile::blocks_at_a_time; }) return Tile::blocks_at_a_time;
  return weight_blocks_at_a_time;
}

template <typename Tile, typename Gather>
WeightCut weight_cut(const ProductShape& shape, const Gather& gather) {
  const int64_t parts = parts_of(shape.outputs, Tile::outputs);
  const int64_t chunks = parts_of(shape.channels * gather.rows, gather.chunk_depth);
  const auto band_chunks = static_cast<int>(parts_of(chunks, parts_of(chunks, Tile::chunks)));
  const int64_t bands = parts_of(chunks, band_chunks), blocks = shape.groups * parts * bands;
  const int64_t most = std::min(gather.tiles, weight_most_waves * blocks_at_a_time<Tile>() / blocks);
  WeightCut best{parts, bands, 1, band_chunks};
  double least_cost = std::numeric_limits<double>::infinity();
  for (int64_t splits = 1; splits <= most; ++splits) {
    const auto waves = static_cast<double>(parts_of(blocks * splits, blocks_at_a_time<Tile>()));
    const double cost = waves * (static_cast<double>(parts_of(gather.tiles, splits)) + weight_sums_cost);
    if (cost >= least_cost) continue;
    least_cost = cost;
    best.splits = splits;
  }
  return best;
}

// `splits`: of the cut, or of another tile's, for the same sums.
template <typename Tile, typename Gather, typename T>
void launch_backward_weight(BackendDevice& device, const Kernel<BackwardWeightProduct<Gather, T>>& kernel,
                            const ProductShape& shape, const Gather& gather, int64_t splits, const T* dy, float* dw) {
  const WeightCut cut = weight_cut<Tile>(shape, gather);
  const int64_t all_rows = shape.channels * gather.rows, size = shape.groups * shape.outputs * all_rows;
  sum_in_parts(device, splits, size, dw, [&](float* partials) {
    const BackwardWeightProduct<Gather, T> product{shape,
                                                   gather,
                                                   dy,
                                                   partials,
                                                   all_rows,
                                                   size,
                                                   cut.parts,
                                                   cut.bands,
                                                   splits,
                                                   cut.band_chunks,
                                                   Divisor(cut.parts),
                                                   Divisor(cut.bands),
                                                   Divisor(shape.groups)};
    launch(device, kernel, block_each(product.items(), Gather::threads, backward_weight_bytes<Tile>(gather)), product);
  });
}

template <typename Tile, typename Gather, typename T>
void launch_backward_weight(BackendDevice& device, const Kernel<BackwardWeightProduct<Gather, T>>& kernel,
                            const ProductShape& shape, const Gather& gather, const T* dy, float* dw) {
  launch_backward_weight<Tile>(device, kernel, shape, gather, weight_cut<Tile>(shape, gather).splits, dy, dw);
}

// Of float32: outputs of a tile, and the kernels of one gather, by tile and precision. Of few outputs tensor cores
// would leave most of a tile empty.
inline int backward_weight_tile(const ProductShape& shape) {
  return shape.outputs <= product_few_outputs ? product_few_outputs : product_outputs;
}

template <typename Gather, int chunks>
struct BackwardWeightKernels {
  Kernel<BackwardWeightProduct<Gather>> few, many, many_high;
};

template <typename Gather, int chunks>
void launch_backward_weight(BackendDevice& device, const BackwardWeightKernels<Gather, chunks>& kernels,
                            const ProductShape& shape, Float32Precision precision, const Gather& gather,
                            const float* dy, float* dw) {
  if (backward_weight_tile(shape) == product_few_outputs) {
    launch_backward_weight<FloatWeightTile<product_few_outputs, chunks>>(device, kernels.few, shape, gather, dy, dw);
  } else {
    launch_backward_weight<FloatWeightTile<product_outputs, chunks>>(
        device, precision == Float32Precision::high ? kernels.many_high : kernels.many, shape, gather, dy, dw);
  }
}

}  // namespace gmr::cuda
