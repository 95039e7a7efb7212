// The implicit product of implicit_product.cuh for bfloat16 activations, on tensor cores: the panel of operand rows is
// rounded to bfloat16, float32 weights by pack_weights before, and sums are float32.
//
// Beyond what implicit_product.cuh asks of a gather, one for this product has
//   threads, pixels                 of a block and of a tile
//   panel_rows                      rows that a chunk takes at most, a multiple of bfloat16_depth
//   int steps                       a full chunk's products of that depth
//   bool is_interleaved             the order of a chunk's rows in the panel, see ChunkOrder; if so also channel_step
//   AtTile::pair(column)            where an even column and the next lie
// and fills a panel of bfloat16, with zeros up to steps_of(depth) products; of a row the first `written_pixels`, where it
// has that, for every chunk. Where the pixels of a tile are one run of
// each plane, it has Runs instead of pair, see store_runs. Where the channels are cut into several blocks' it has
// splits, and instead of both a kernel that adds up what these blocks store, see store_partials. Where it has
// streams_weights its tiles are Bfloat16StreamedTile.
#pragma once

#include <numeric>

#include "cuda/bfloat16_tile.cuh"
#include "cuda/elements.cuh"
#include "cuda/implicit_product.cuh"

namespace gmr::cuda {

// Which operand row of a chunk lies in row k of the panel. Interleaved: 16 channels after 16 channels, of each the rings
// one by one. The channels of a ring lie `channel_step` rows apart (0: not interleaved), around the 16, so that those
// that a warp writes at a time meet different banks.
struct ChunkOrder {
  int rows, chunk_depth, steps, channel_step;

  __device__ int row(int k) const {
    if (channel_step == 0) return k;
    const int step = k / bfloat16_depth, channels = step / rows;
    return (channels * bfloat16_depth + channel_at(k % bfloat16_depth)) * rows + step - channels * rows;
  }

  // The place of a channel among its 16. Where the step divides 16, channels go around beside each other.
  template <int step>
  static __device__ int place_of(int channel) {
    constexpr int around = bfloat16_depth / std::gcd(step, bfloat16_depth);
    return (channel * step + channel / around) % bfloat16_depth;
  }

 private:
  __device__ int channel_at(int place) const {
    if (channel_step % 2 == 1) return place * inverse_of_step() % bfloat16_depth;
    return place / channel_step + place % channel_step * (bfloat16_depth / channel_step);
  }
  // s^4 = 1 modulo 16 for all odd s.
  __device__ int inverse_of_step() const { return channel_step * channel_step * channel_step; }
};

template <typename Gather>
__host__ __device__ ChunkOrder order_of(const Gather& gather) {
  int channel_step = 0;
  if constexpr (Gather::is_interleaved) channel_step = Gather::channel_step;
  return {gather.rows, gather.chunk_depth, gather.steps, channel_step};
}

// What pack_weights does, a block for 16 outputs of a chunk: [group][part][chunk][step][16 outputs][lane][8].
struct WeightPacking {
  ProductWeights weights;
  ChunkOrder order;
  int64_t outputs, all_rows, blocks;
  int m_tiles;
  Divisor by_m_tiles, by_steps, by_chunks, by_parts;
  SmallDivisor by_rows;
  bfloat16* packed;
};

void pack_weights(BackendDevice& device, const WeightPacking& packing);

// Blocks that share the channels of a tile.
template <typename Gather>
constexpr int splits_of() {
  if constexpr (requires { Gather::splits; }) return Gather::splits;
  return 1;
}

// Whether its tiles are Bfloat16StreamedTile.
template <typename Gather>
constexpr bool streams_weights() {
  if constexpr (requires { Gather::streams_weights; }) return Gather::streams_weights;
  return false;
}

template <typename Gather>
struct Bfloat16Product {
  static constexpr int splits = splits_of<Gather>();

  ProductShape shape;
  Gather gather;
  const bfloat16* weights;  // packed
  Epilogue epilogue;
  bfloat16* y;
  float* partials;  // where there are splits
  int64_t output_parts, chunks;
  Divisor by_parts, by_groups;

  __host__ __device__ int64_t items() const { return gather.tiles * shape.groups * output_parts * splits; }
};

template <typename Gather>
__device__ Chunk chunk_at(const Gather& gather, int64_t all_rows, int64_t row) {
  return {row, static_cast<int>(min(int64_t{gather.chunk_depth}, max(all_rows - row, int64_t{0})))};
}

// Starts to copy packed weights, of which there are whole 16 bytes a thread; `most`: how many are known to be there, or
// 0.
template <typename Tile, int most = 0>
__device__ void copy_packed(const bfloat16* from, int elements, bfloat16* to) {
  constexpr int pack = 8, step = Tile::threads * pack, step_bytes = step * static_cast<int>(sizeof(bfloat16));
  const int mine = static_cast<int>(threadIdx.x) * pack;
  if constexpr (most > 0) {
    const uint32_t to_at = shared_address(to + mine);
    unroll<(most + step - 1) / step>([&](auto i) {
      if ((i + 1) * step <= most || mine < most - i * step) {
        copy_or_zero_at<uint4, i * step_bytes, i * step_bytes>(to_at, from + mine, true);
      }
    });
  } else {
#pragma unroll 4
    for (int i = mine; i < elements; i += step) {
      copy_or_zero(reinterpret_cast<uint4*>(to + i), reinterpret_cast<const uint4*>(from + i), true);
    }
  }
}

// What no chunk writes must be a number: columns of a tile that stand for nothing.
template <typename Tile, typename Gather>
__device__ void zero_panel(bfloat16* panel) {
  constexpr int first = [] {
    if constexpr (requires { Gather::written_pixels; }) return Gather::written_pixels / 8 * 8;
    return 0;
  }();
  constexpr int packs = (Tile::pixels - first) / 8;
  if constexpr (packs > 0) {
    for (int i = static_cast<int>(threadIdx.x); i < Gather::panel_rows * packs; i += Tile::threads) {
      const int row = i / packs;
      reinterpret_cast<uint4*>(panel + row * Tile::pitch + first)[i - row * packs] = {0, 0, 0, 0};
    }
  }
}

// The biases of a thread's outputs, with which its sums begin.
template <typename Gather, typename Tile>
__device__ void start_sums(const Bfloat16Product<Gather>& p, int64_t group, int64_t first_output, Tile& product) {
  if (p.epilogue.bias == nullptr) return;
  const int64_t first = first_output + product.output(0);
#pragma unroll
  for (int i = 0; i < Tile::outputs_a_thread; ++i) {
    const bool is_there = first + 8 * i < p.shape.outputs;
    product.start(i, is_there ? p.epilogue.bias_of(group * p.shape.outputs + first + 8 * i) : 0);
  }
}

// What follows when the sums are whole.
template <typename Gather, typename Tile>
__device__ void finish_sums(const Bfloat16Product<Gather>& p, int64_t group, int64_t first_output, Tile& product) {
  if (!p.epilogue.normalises()) return;
  const int64_t first = first_output + product.output(0);
#pragma unroll
  for (int i = 0; i < Tile::outputs_a_thread; ++i) {
    if (first + 8 * i >= p.shape.outputs) continue;
    product.finish(i, p.epilogue.norm_of(group * p.shape.outputs + first + 8 * i));
  }
}

// Offsets of a pair of columns from the first output of a group; -1: nowhere, second -2: a word.
struct alignas(16) PairOffsets {
  int64_t first, second;
};

// `pairs` is shared memory that nobody else uses now.
template <typename Gather, typename Tile>
__device__ void store_tile(const Bfloat16Product<Gather>& p, const typename Gather::AtTile& at_tile,
                           const Tile& product, int64_t group, int64_t first_output, PairOffsets* pairs) {
  const int64_t images = p.shape.groups * p.shape.outputs * p.shape.out_plane;
  for (int i = static_cast<int>(threadIdx.x); i < Tile::pixels / 2; i += Tile::threads) {
    const PlacePair at = at_tile.pair(2 * i);
    const auto offset_of = [&](const Place& place) {
      return place.image < 0 ? -1 : place.image * images + place.pixel;
    };
    pairs[i] = {offset_of(at.first), at.is_word ? -2 : offset_of(at.second)};
  }
  __syncthreads();
  const int64_t first = first_output + product.output(0);
  const auto there = static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first));
  bfloat16* y = p.y + (group * p.shape.outputs + first) * p.shape.out_plane;
  const int64_t step = 8 * p.shape.out_plane;
  const bool has_all = there > 8 * (Tile::outputs_a_thread - 1);
#pragma unroll
  for (int j = 0; j < Tile::pairs_a_thread; ++j) {
    const PairOffsets at = pairs[product.pixel(j) / 2];
    if (at.second == -2 && has_all) {
      auto* to = reinterpret_cast<uint32_t*>(y + at.first);
#pragma unroll
      for (int i = 0; i < Tile::outputs_a_thread; ++i, to += step / 2) *to = product.pair(i, j);
    } else {
      const int64_t second = at.second == -2 ? at.first + 1 : at.second;
#pragma unroll
      for (int i = 0; i < Tile::outputs_a_thread; ++i) {
        if (8 * i >= there) continue;
        const uint32_t pair = product.pair(i, j);
        if (at.first >= 0) y[at.first + i * step] = {static_cast<uint16_t>(pair)};
        if (second >= 0) y[second + i * step] = {static_cast<uint16_t>(pair >> 16)};
      }
    }
  }
  __syncthreads();
}

// Writes results to shared memory, [output][pixel] of the tile.
template <typename Tile>
__device__ void stage_results(const Tile& product, bfloat16* staged) {
  bfloat16* to = staged + product.output(0) * Tile::pitch + product.pixel(0);
#pragma unroll
  for (int i = 0; i < Tile::outputs_a_thread; ++i) {
#pragma unroll
    for (int j = 0; j < Tile::pairs_a_thread; ++j) {
      *reinterpret_cast<uint32_t*>(to + 8 * i * Tile::pitch + 8 * j) = product.pair(i, j);
    }
  }
}

// The same as store_tile where the pixels of a tile are one run of memory in each plane, so that whole sectors are written, each by one warp: sums go to
// shared memory as [output][pixel] and from there in pieces. `Runs` has
//   Piece                             of as many words
//   int64_t image, int first, count   of the run: its image, where in the planes it begins, and its elements, of which
//                                     there are fewer than 57 pieces
//   static int pixel(int piece)       the pixel of the tile with which a piece begins
template <typename Gather, typename Tile>
__device__ void store_runs(const Bfloat16Product<Gather>& p, const typename Gather::AtTile& at_tile,
                           const Tile& product, int64_t group, int64_t first_output, bfloat16* staged) {
  using Runs = typename Gather::Runs;
  using Piece = typename Runs::Piece;
  constexpr unsigned piece_elements = sizeof(Piece) / sizeof(bfloat16), sector_pieces = 32 / sizeof(Piece);
  stage_results(product, staged);
  __syncthreads();
  const Runs runs = at_tile.runs();
  const auto there = static_cast<unsigned>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output));
  const int64_t first_plane = (runs.image * p.shape.groups + group) * p.shape.outputs + first_output;
  auto* y = reinterpret_cast<Piece*>(p.y + first_plane * p.shape.out_plane + runs.first);
  const auto y_place = static_cast<unsigned>(reinterpret_cast<uintptr_t>(y) / sizeof(Piece));
  const auto plane = static_cast<unsigned>(p.shape.out_plane / piece_elements);
  const unsigned pieces = runs.count / piece_elements;
  // Lanes begin where a sector does; those before the run are behind it in the numbers modulo 64.
  constexpr unsigned most_pieces = 2 * warp_threads, element = sizeof(bfloat16);
  const unsigned warp = threadIdx.x / warp_threads;
  unsigned place = y_place + warp * plane;
  uint32_t from = shared_address(staged + warp * Tile::pitch);
  y += uint64_t{warp} * plane;
  for (unsigned output = warp; output < there; output += Tile::warps) {
    const unsigned first = Tile::lane() - place % sector_pieces;
#pragma unroll
    for (unsigned i = 0; i < most_pieces; i += warp_threads) {
      const unsigned piece = (first + i) % most_pieces;
      if (piece < pieces) y[piece] = load_as<Piece>(from + Runs::pixel(piece) * element);
    }
    y += Tile::warps * plane;
    place += Tile::warps * plane;
    from += Tile::warps * Tile::pitch * element;
  }
  __syncthreads();
}

// Of a split of a tile: [item][output][pixel], in whole sectors.
template <typename Gather, typename Tile>
__device__ void store_partials(const Bfloat16Product<Gather>& p, int64_t item, const Tile& product) {
  static_assert(Tile::pixels % 8 == 0);
  const auto at = __cvta_generic_to_global(p.partials + (item * Tile::outputs + product.output(0)) * Tile::pixels +
                                           product.pixel(0));
  unroll<Tile::outputs_a_thread>([&](auto i) {
    unroll<Tile::pairs_a_thread>([&](auto j) {
      // Left to the compiler these are two stores, of half a sector each.
      const float2 pair = product.values(i, j);
      asm volatile("st.global.v2.f32 [%0+%1], {%2, %3};"
                   :
                   : "l"(at), "n"((8 * i * Tile::pixels + 8 * j) * sizeof(float)), "f"(pair.x), "f"(pair.y)
                   : "memory");
    });
  });
}

template <typename Tile, typename Gather>
__device__ void bfloat16_product(const Bfloat16Product<Gather>& p) {
  constexpr int splits = Bfloat16Product<Gather>::splits;
  static_assert(Tile::streams_weights == streams_weights<Gather>());
  constexpr int weight_elements = Tile::streams_weights ? 0 : Gather::panel_rows * Tile::outputs;
  extern __shared__ float4 shared_memory[];
  auto* panel = reinterpret_cast<bfloat16*>(shared_memory);
  bfloat16* weights = panel + Gather::panel_rows * Tile::pitch;
  auto* work = reinterpret_cast<float*>(weights + weight_elements);
  const int64_t all_rows = p.shape.channels * p.gather.rows;
  const int chunk_elements = p.gather.steps * bfloat16_depth * Tile::outputs;
  zero_panel<Tile, Gather>(panel);

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, part] = p.by_parts.divide(item / splits);
    const auto [tile, tile_group] = p.by_groups.divide(tile_and_group);
    int64_t group = tile_group, first_output = part * Tile::outputs;
    // So that these are not worked out anew behind the chunks.
    if constexpr (requires { typename Gather::Runs; }) asm volatile("" : "+l"(group), "+l"(first_output));
    const int64_t first_channel = group * p.shape.channels;
    const bfloat16* from = p.weights + (group * p.output_parts + part) * p.chunks * chunk_elements;
    typename Gather::AtTile at_tile(p.gather, tile, work);
    Tile product;
    int64_t first_row = 0, end_row = all_rows;
    if constexpr (splits > 1) {
      const int64_t split_chunks = (p.chunks + splits - 1) / splits, first_chunk = item % splits * split_chunks;
      from += first_chunk * chunk_elements;
      first_row = first_chunk * p.gather.chunk_depth;
      end_row = min(all_rows, first_row + split_chunks * p.gather.chunk_depth);
    } else {
      start_sums(p, group, first_output, product);
    }
    Chunk chunk = chunk_at(p.gather, end_row, first_row);
    at_tile.start(first_channel, chunk);
    for (; chunk.depth > 0; from += chunk_elements) {
      const Chunk next = chunk_at(p.gather, end_row, chunk.first_row + chunk.depth);
      if constexpr (Tile::streams_weights) {
        product.start_weights(from);
      } else {
        copy_packed<Tile, Gather::is_interleaved ? Gather::panel_rows * Tile::outputs : 0>(from, chunk_elements,
                                                                                           weights);
      }
      finish_group();
      at_tile.fill(panel, first_channel, chunk, next);
      wait_for_all_groups_but<1>();  // all but the next chunk's
      __syncthreads();
      product.add(Tile::streams_weights ? from : weights, panel, p.gather.steps_of(chunk.depth));
      __syncthreads();
      chunk = next;
    }
    if constexpr (splits > 1) {
      store_partials(p, item, product);
    } else {
      finish_sums(p, group, first_output, product);
      if constexpr (requires { typename Gather::Runs; }) {
        constexpr int elements = Gather::panel_rows * Tile::pitch + weight_elements + 2 * Gather::window_words;
        static_assert(Tile::outputs * Tile::pitch <= elements);
        store_runs(p, at_tile, product, group, first_output, panel);
      } else {
        store_tile(p, at_tile, product, group, first_output, reinterpret_cast<PairOffsets*>(weights));
      }
    }
  }
}

// launchers

// What panel and weights take of a block's shared memory.
template <int panel_rows, int pixels>
constexpr int64_t product_tile_bytes(int outputs) {
  return int64_t{panel_rows} * (bfloat16_pitch(pixels) + outputs) * static_cast<int64_t>(sizeof(bfloat16));
}
template <typename Gather>
size_t work_bytes(const Gather& gather) {
  return static_cast<size_t>(gather.work_floats) * sizeof(float);
}

// Shared memory of a block.
template <typename Gather>
size_t forward_bytes(int outputs, const Gather& gather) {
  return product_tile_bytes<Gather::panel_rows, Gather::pixels>(streams_weights<Gather>() ? 0 : outputs) +
         work_bytes(gather);
}

// Calls f(std::integral_constant<int, outputs>) with the outputs of a tile.
template <typename F>
void with_outputs(const ProductShape& shape, F&& f) {
  if (shape.outputs <= bfloat16_few_outputs) return f(std::integral_constant<int, bfloat16_few_outputs>{});
  if (shape.outputs <= product_outputs) return f(std::integral_constant<int, product_outputs>{});
  f(std::integral_constant<int, product_wide_outputs>{});
}

// Packs the weights of a product in tiles of `tile` outputs.
template <typename Gather>
Bfloat16Product<Gather> packed_product(BackendDevice& device, int tile, const ProductShape& shape, const Gather& gather,
                                       const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y) {
  const int64_t parts = (shape.outputs + tile - 1) / tile;
  const int64_t all_rows = shape.channels * gather.rows;
  const int64_t chunks = (all_rows + gather.chunk_depth - 1) / gather.chunk_depth;
  const int m_tiles = tile / 16;
  // A chunk is packed as several of 16 or 32 channels, so that there are more blocks.
  int cuts = 1;
  if constexpr (requires { Gather::rings; }) {
    cuts = Gather::steps / Gather::rings;
    if (cuts % 2 == 0 && 2 * bfloat16_depth * Gather::rings <= pack_cut_depth) cuts /= 2;
  }
  ChunkOrder order = order_of(gather);
  order.chunk_depth /= cuts;
  order.steps /= cuts;
  const int64_t blocks = shape.groups * parts * chunks * cuts * m_tiles;
  Bfloat16Product<Gather> product{shape,   gather, nullptr, epilogue,       y,
                                  nullptr, parts,  chunks,  Divisor(parts), Divisor(shape.groups)};
  const int64_t partials = product.splits == 1 ? 0 : product.items() * tile * Gather::pixels;
  const Scratch scratch(device, {static_cast<size_t>(blocks * order.steps * warp_threads) * sizeof(uint4),
                                 static_cast<size_t>(partials) * sizeof(float)});
  auto* packed = scratch.array<bfloat16>(0);
  product.weights = packed;
  product.partials = scratch.array<float>(1);
  pack_weights(device,
               {weights, order, shape.outputs, all_rows, blocks, m_tiles, Divisor(m_tiles), Divisor(order.steps),
                Divisor(chunks * cuts), Divisor(parts), SmallDivisor(gather.rows), packed});
  return product;
}

template <typename Gather>
void launch_bfloat16_forward(BackendDevice& device, const Kernel<Bfloat16Product<Gather>>& kernel, int tile,
                             const ProductShape& shape, const Gather& gather, const ProductWeights& weights,
                             const Epilogue& epilogue, bfloat16* y) {
  const auto product = packed_product(device, tile, shape, gather, weights, epilogue, y);
  launch(device, kernel, block_each(product.items(), Gather::threads, forward_bytes(tile, gather)), product);
}

}  // namespace gmr::cuda
