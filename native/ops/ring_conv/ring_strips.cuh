// The float32 product of standard 2-D ring convolutions at stride 1. Outputs are cut into strips of four columns, and of
// seven or eight rows; a tile is four strips, one after the other in a row of strips, in the next row, in the next
// image, so that nothing is lost where a row is no whole number of tiles. A thread sums the rings of a strip for one
// channel in registers (ring_sums.cuh); sums are multiplied from a panel, 8 or 16 outputs x 7 or 8 pixels a thread.
//
//   windows  [8 channels][rows][columns of both pieces of the tile]   by cp.async, during the product before
//   panel    [8 channels of each ring][pixels]                        ring sums
//   weights  [8 channels of each ring][outputs], of WindowWeights     by cp.async, during the ring sums
#pragma once

#include "cuda/async_copy.cuh"
#include "cuda/shared_floats.cuh"
#include "cuda/window.h"
#include "ops/conv/float_results.cuh"
#include "ops/conv/window_weights.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/ring_sums.cuh"

namespace gmr::cuda {

// How a block makes a tile, and what lies where in its shared memory. `rows`: of a strip.
template <int side, int rows_, int tile_outputs>
struct StripsBlock {
  static constexpr int rows = rows_, outputs = tile_outputs;
  static constexpr int half = side / 2, rings = half + 1;
  static constexpr int pixels = strips_a_tile * strip_columns * rows;
  static constexpr int channels = float_window_channels;  // of a chunk

  // A warp has all outputs of a fourth of the pixels: eight lanes share outputs, four share pixels.
  static constexpr int warps = 4, threads = warps * warp_threads, warp_pixels = pixels / warps;
  static constexpr int outputs_a_thread = outputs / 8;

  // Warps that sum rings take turns, so that all schedulers get as much. A thread sums a strip of a channel, or half of
  // its columns where registers are full of products.
  static constexpr int slot_columns = outputs_a_thread * rows > 112 ? 2 : 4,
                       slots = strips_a_tile * strip_columns / slot_columns;
  static constexpr int summing_warps = channels * slots / warp_threads;

  // Eight lanes read or write four columns of eight channels at a time (of half strips, 16 lanes two): these lie an odd
  // multiple of 16 bytes apart in the windows and in the panel, wherever strips lie within a row.
  static constexpr int pitch = odd_packs(pixels);
  static constexpr int panel_rows = channels * rings, weight_floats = panel_rows * outputs;

  // A window has the columns of a tile's first piece, what the kernel sees beside them, and the same of the second.
  static constexpr int beside = (2 * half + 3) / 4 * 4;
  static constexpr int row_words = strips_a_tile * strip_columns + 2 * beside;
  static constexpr int window_rows = rows + 2 * half;
  static constexpr int channel_words = odd_packs(window_rows * row_words);

  static constexpr int window_floats = channels * channel_words;
  static constexpr int shared_floats = window_floats + panel_rows * (pitch + outputs);
  static_assert(strip_columns == 4 && pitch % 8 == 4 && channel_words % 8 == 4 && warps % summing_warps == 0);
};

struct Strip {
  int64_t image;  // -1: there is none
  int y, x;       // of its first output
};

// Strips of so many rows, numbered through rows of strips, bands and images.
struct StripOrder {
  int row_strips;
  int64_t strips;
  Divisor by_row_strips, by_bands;

  StripOrder(const WindowGeometry& g, int64_t images, int rows)
      : row_strips(static_cast<int>((g.out[2] + strip_columns - 1) / strip_columns)),
        strips(strips_of(g, images, rows)),
        by_row_strips(row_strips),
        by_bands(bands_of(g, rows)) {}

  static int64_t bands_of(const WindowGeometry& g, int rows) { return (g.out[1] + rows - 1) / rows; }
  static int64_t strips_of(const WindowGeometry& g, int64_t images, int rows) {
    return images * bands_of(g, rows) * ((g.out[2] + strip_columns - 1) / strip_columns);
  }

  // Of a row of strips, through all images.
  template <int rows>
  __device__ Strip at(int64_t row, int64_t column) const {
    const auto [image, band] = by_bands.divide(row);
    return {image, static_cast<int>(band) * rows, static_cast<int>(column) * strip_columns};
  }
};

inline int floats_at_a_time(int64_t extents) { return extents % 4 == 0 ? 4 : extents % 2 == 0 ? 2 : 1; }

struct StripsProduct {
  ProductShape shape;
  const float* x;
  const float* weights;  // packed
  Epilogue epilogue;
  float* y;
  Window window;
  int copied_floats;  // that are copied at a time: 4, 2 or 1
  int stored_floats;  // the same for results
  StripOrder order;
  int64_t tiles, output_parts, chunks;  // chunks of 8 channels
  Divisor by_parts, by_groups;

  StripsProduct(const ProductShape& shape, const WindowGeometry& g, int strip_rows, const float* x,
                const WindowWeights& packed, const Epilogue& epilogue, float* y)
      : shape(shape),
        x(x),
        weights(packed.packed),
        epilogue(epilogue),
        y(y),
        window(g),
        copied_floats(floats_at_a_time(g.in[2] | g.padding[2])),
        stored_floats(floats_at_a_time(g.out[2])),
        order(g, shape.images, strip_rows),
        tiles((order.strips + strips_a_tile - 1) / strips_a_tile),
        output_parts(packed.output_parts),
        chunks(packed.chunks),
        by_parts(output_parts),
        by_groups(shape.groups) {}

  __host__ __device__ int64_t items() const { return tiles * shape.groups * output_parts; }
};

// Calls f with a piece of as many floats, 4, 2 or 1.
template <typename F>
__device__ inline void with_piece(int floats, F&& f) {
  if (floats == 4) {
    f(float4{});
  } else if (floats == 2) {
    f(float2{});
  } else {
    f(float{});
  }
}

template <typename Piece>
constexpr int piece_floats = sizeof(Piece) / sizeof(float);

// Starts to copy a piece of each of `planes` planes, or zeros where it or a plane is not there. Planes are `plane` floats
// apart, and in shared memory `to_plane`; `from` must be a global address in any case.
template <typename Piece, int planes, int to_plane>
__device__ inline void copy_planes(uint32_t to, const float* from, int64_t plane, int there, bool is_there) {
  const int64_t step = is_there ? plane : 0;
  const auto copy = [&](auto has_all) {
    unroll<planes>([&](auto i) {
      copy_or_zero_at<Piece, i * to_plane * 4, 0>(to, from, is_there && (has_all || i < there));
      from += step;
    });
  };
  if (there >= planes) {
    copy(std::true_type{});
  } else {
    copy(std::false_type{});
  }
}

// What a block makes at a time: four strips, of which `cut` are in one row of strips and the others at the beginning of
// the next, and a part of a group's outputs. It lies in shared memory, as registers are needed for sums.
template <typename Block>
struct StripsTile {
  Strip first, second;
  int cut;
  int outputs;            // that there are
  int64_t first_channel;  // of the group
  int64_t first_plane;    // of the outputs
  int64_t first_weight;

  __device__ void set(const StripsProduct& p, int64_t item) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, part] = p.by_parts.divide(item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const int64_t first_output = part * Block::outputs;
    outputs = static_cast<int>(min(int64_t{Block::outputs}, p.shape.outputs - first_output));
    first_channel = group * p.shape.channels;
    first_plane = group * p.shape.outputs + first_output;
    first_weight = (group * p.output_parts + part) * p.chunks * Block::weight_floats;
    const int64_t strip = tile * strips_a_tile;
    const auto [row, column] = p.order.by_row_strips.divide(strip);
    cut = min(strips_a_tile, p.order.row_strips - static_cast<int>(column));
    first = p.order.at<Block::rows>(row, column);
    second = p.order.at<Block::rows>(row + 1, 0);
    if (strip + cut >= p.order.strips || cut == strips_a_tile) second.image = -1;
  }

  __device__ Strip strip(int i) const {
    Strip strip = i < cut ? first : second;
    strip.x += (i < cut ? i : i - cut) * strip_columns;
    return strip;
  }

  // Its first column in a row of the windows.
  __device__ int window_column(int strip) const { return strip * strip_columns + (strip < cut ? 0 : Block::beside); }

  // Starts to copy the windows of the chunk from `channel` of the group on, with zeros for what there is not.
  template <typename Piece>
  __device__ void copy_windows(const StripsProduct& p, int channel, float* windows) const {
    constexpr int floats = piece_floats<Piece>, row_pieces = Block::row_words / floats;
    const Window& w = p.window;
    const int64_t plane = int64_t{w.in[1]} * w.in[2];
    const auto there = static_cast<int>(min(int64_t{Block::channels}, p.shape.channels - channel));
    for (int i = static_cast<int>(threadIdx.x); i < Block::window_rows * row_pieces; i += Block::threads) {
      const int row = i / row_pieces, column = i % row_pieces * floats;
      const int own = column - cut * strip_columns - Block::beside;  // of the second piece
      const Strip piece = own < 0 ? first : second;
      const int y = piece.y - w.padding[1] + row, x = piece.x - w.padding[2] + (own < 0 ? column : own);
      const bool is_there = piece.image >= 0 && w.is_inside(0, y, x);
      const int64_t from_plane = piece.image * p.shape.groups * p.shape.channels + first_channel + channel;
      const float* from = is_there ? p.x + from_plane * plane + w.offset(0, y, x) : p.x;
      const uint32_t to = shared_address(windows + row * Block::row_words + column);
      copy_planes<Piece, Block::channels, Block::channel_words>(to, from, plane, there, is_there);
    }
  }
};

// A block's results.
template <typename Block>
struct StripsResults : FloatResults<Block::outputs_a_thread, Block::rows> {
  using FloatResults<Block::outputs_a_thread, Block::rows>::sum;
  static constexpr int outputs_a_thread = Block::outputs_a_thread;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / warp_threads; }

  // Four outputs beside each other, and every 32 outputs four more, so that what eight lanes read at a time is one run.
  static constexpr int output_packs = outputs_a_thread / 4;
  __device__ static int first_output() { return lane() / 4 * 4; }
  static constexpr int output_step(int i) { return i / 4 * 32 + i % 4; }

  // Four pixels, and two and one, or four.
  static constexpr int runs = Block::rows == 8 ? 2 : 3;
  static constexpr int run_pixels(int run) { return run == 0 || Block::rows == 8 ? 4 : 3 - run; }
  static constexpr int run_sum(int run) { return run == 0 ? 0 : run_sum(run - 1) + run_pixels(run - 1); }
  __device__ static int first_pixel(int run) {
    return warp() * Block::warp_pixels + 4 * run_sum(run) + lane() % 4 * run_pixels(run);
  }

  __device__ void add(const float* weights, const float* panel) {
    uint32_t a_at = shared_address(weights + first_output()), b_at[runs];
    unroll<runs>([&](auto run) { b_at[run] = shared_address(panel + first_pixel(run)); });
#pragma unroll 1
    for (int row = 0; row < Block::rings; ++row) {
      unroll<Block::channels>([&](auto c) {
        constexpr int a_row = c * Block::outputs * 4, b_row = c * Block::pitch * 4;
        float a[output_packs][4], b[Block::rows];
        unroll<output_packs>([&](auto i) { load_floats<a_row + output_step(4 * i) * 4>(a_at, a[i]); });
        unroll<runs>([&](auto run) {
          float pixels[run_pixels(run)];
          load_floats<b_row>(b_at[run], pixels);
#pragma unroll
          for (int j = 0; j < run_pixels(run); ++j) b[run_sum(run) + j] = pixels[j];
        });
#pragma unroll
        for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
          for (int j = 0; j < Block::rows; ++j) sum[i][j] += a[i / 4][i % 4] * b[j];
        }
      });
      a_at += Block::channels * Block::outputs * 4;
      unroll<runs>([&](auto run) { b_at[run] += Block::channels * Block::pitch * 4; });
    }
  }

  // `outputs` are there, from plane `first_plane` of an image on. place_of(i) says where strip i of the tile lies; its rows
  // are row_step apart.
  template <typename Product, typename Places>
  __device__ void store(const Product& p, int outputs, int64_t first_plane, int64_t row_step, Places&& place_of) {
    const int there = outputs - first_output();
    first_plane += first_output();
    const int64_t out_plane = p.shape.out_plane;
    unroll<outputs_a_thread>([&](auto i) {
      if (output_step(i) < there) this->finish(i, p.epilogue, first_plane + output_step(i));
    });
    unroll<runs>([&](auto run) {
      constexpr int width = run_pixels(run), first = run_sum(run), row_pixels = strips_a_tile * strip_columns;
      const int pixel = first_pixel(run), row = pixel / row_pixels, x = pixel % strip_columns;
      const StripPlace place = place_of(pixel / strip_columns % strips_a_tile);
      if (row >= place.rows) return;
      const int64_t image_planes = place.image * p.shape.groups * p.shape.outputs;
      float* to = p.y + (image_planes + first_plane) * out_plane + place.first + row * row_step + x;
      unroll<outputs_a_thread>([&](auto i) {
        if (output_step(i) >= there) return;
        float* at = to + output_step(i) * out_plane;
        if (width <= p.stored_floats) {
          if (x < place.columns) {
            Pack<width> pack;
#pragma unroll
            for (int j = 0; j < width; ++j) pack.v[j] = sum[i][first + j];
            store_pack(at, pack);
          }
        } else {
#pragma unroll
          for (int j = 0; j < width; ++j) {
            if (x + j < place.columns) at[j] = sum[i][first + j];
          }
        }
      });
    });
  }
};

// The panel of a chunk whose windows are there.
template <int side, typename Block>
__device__ void sum_strips(const StripsTile<Block>& tile, int chunk, const float* windows, float* panel) {
  constexpr int all_columns = strips_a_tile * strip_columns;
  const int warp = (static_cast<int>(threadIdx.x) / warp_threads + chunk * Block::summing_warps) % Block::warps;
  if (warp >= Block::summing_warps) return;
  const int place = warp * warp_threads + static_cast<int>(threadIdx.x) % warp_threads;
  const int channel = place % Block::channels, column = place / Block::channels * Block::slot_columns;
  const uint32_t window = shared_address(windows + channel * Block::channel_words +
                                         tile.window_column(column / strip_columns) + column % strip_columns);
  const uint32_t out = shared_address(panel + channel * Block::pitch + column);
  using Sums = RingSums<side, Block::slot_columns, Block::rows, Block::half>;
  Sums sums;
  sums.make(
      0, Block::window_rows, [&](auto r, float(&x)[Sums::window]) { load_floats<r * Block::row_words * 4>(window, x); },
      [&](auto l, auto y, const float(&sum)[Block::slot_columns]) {
        store_floats<(l * Block::channels * Block::pitch + y * all_columns) * 4>(out, sum);
      });
}

template <typename Block>
__device__ void copy_weights(const float* from, float* weights) {
  constexpr int step = Block::threads * 4, count = Block::weight_floats;
  const int mine = static_cast<int>(threadIdx.x) * 4;
  const uint32_t to = shared_address(weights + mine);
  unroll<(count + step - 1) / step>([&](auto i) {
    if ((i + 1) * step <= count || mine < count - i * step) {
      copy_or_zero_at<float4, i * step * 4, i * step * 4>(to, from + mine, true);
    }
  });
}

template <int side, typename Block>
__device__ void strips_product(const StripsProduct& p) {
  extern __shared__ float4 shared_memory[];
  auto* windows = reinterpret_cast<float*>(shared_memory);
  float* panel = windows + Block::window_floats;
  float* weights = panel + Block::panel_rows * Block::pitch;

  __shared__ StripsTile<Block> tile;
  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    __syncthreads();  // the tile before may still be read
    if (threadIdx.x == 0) tile.set(p, item);
    __syncthreads();
    StripsResults<Block> product;
    const auto start_windows = [&](int chunk) {
      const int channel = chunk * Block::channels;
      with_piece(p.copied_floats,
                 [&](auto piece) { tile.template copy_windows<decltype(piece)>(p, channel, windows); });
    };
    const auto chunks = static_cast<int>(p.chunks);
    start_windows(0);
    for (int chunk = 0; chunk < chunks; ++chunk) {
      wait_for_copies();
      __syncthreads();
      copy_weights<Block>(p.weights + tile.first_weight + int64_t{chunk} * Block::weight_floats, weights);
      sum_strips<side>(tile, chunk, windows, panel);
      wait_for_copies();
      __syncthreads();
      if (chunk + 1 < chunks) start_windows(chunk + 1);
      product.add(weights, panel);
    }
    const int height = p.window.out[1], width = p.window.out[2];
    product.store(p, tile.outputs, tile.first_plane, width, [&](int i) {
      const Strip strip = tile.strip(i);
      return StripPlace{strip.image, int64_t{strip.y} * width + strip.x, strip.image < 0 ? 0 : height - strip.y,
                        width - strip.x};
    });
  }
}

}  // namespace gmr::cuda
