// The float32 weight gradient of standard 2-D ring convolutions at stride 1, strip by strip (ring_strips.cuh): a block has
// outputs x rings of some channels in registers, over its share of the strips.
//
//   windows   [channels][rows][columns] of a strip      by cp.async, during the product before
//   panel     [rings of each channel][pixels]           ring sums
//   gradient  dy as [outputs][pixels]                   by cp.async, during the ring sums
//
// Pixels of a strip that there are lie one after the other, and only they are multiplied, four at a time.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/ring_conv/ring_strips.cuh"

namespace gmr::cuda {

// A block, for BackwardWeightProduct gather and tile.
template <int side, int tile_outputs>
struct RingStripsWeight {
  using Element = float;
  static constexpr int half = side / 2, rings = half + 1;
  static constexpr int outputs = tile_outputs, channels = strips_weight_channels(side, outputs), chunks = 1;
  static constexpr int panel_rows = channels * rings, blocks_at_a_time = strips_weight_blocks_at_a_time;

  // Results of a thread: neighbouring outputs, and every row_threads-th row, so that what eight lanes read at a time are
  // neighbouring rows.
  static constexpr int warps = 4, threads = warps * warp_threads;
  static constexpr int outputs_a_thread = 8, row_threads = threads / (outputs / outputs_a_thread);
  static constexpr int rows_a_thread = panel_rows / row_threads;
  static_assert(row_threads % 8 == 0 && rows_a_thread * row_threads == panel_rows);

  // A thread sums half of the columns of a channel, as registers are full of results. Warps that do so take turns, so
  // that all schedulers get as much.
  static constexpr int strip_rows = strips_weight_rows, slot_columns = 2, slots = strip_columns / slot_columns;
  static constexpr int summing_warps = channels * slots / warp_threads;
  static_assert(summing_warps * warp_threads == channels * slots && warps % summing_warps == 0);

  static constexpr int pixels = strip_columns * strip_rows, pitch = odd_packs(pixels);
  static constexpr int row_words = strip_columns + 2 * half, window_rows = strip_rows + 2 * half;
  static constexpr int channel_words = odd_packs(window_rows * row_words);
  static_assert(pitch % 8 == 4 && channel_words % 8 == 4 && rings % 2 == 1 && row_words % 4 == 0);

  // What every GPU has for a block.
  static_assert((panel_rows + outputs) * pitch + channels * channel_words <= 16 * 1024);

  const float* x;
  Window window;
  StripOrder order;
  int rows, chunk_depth, work_floats;
  int copied_floats, copied_gradients;  // that are copied at a time: 4, 2 or 1
  int64_t all_channels, tiles;

  RingStripsWeight(const float* x, const WindowGeometry& g, const ProductShape& shape)
      : x(x),
        window(g),
        order(g, shape.images, strip_rows),
        rows(rings),
        chunk_depth(panel_rows),
        work_floats(channels * channel_words),
        copied_floats(floats_at_a_time(g.in[2] | g.padding[2])),
        copied_gradients(floats_at_a_time(g.out[2])),
        all_channels(shape.groups * shape.channels),
        tiles(order.strips) {}
};

// What a block takes of a strip, and two strips in turn. It lies in shared memory, as registers are needed for sums.
template <typename Gather>
struct StripsWeightItem {
  using Product = BackwardWeightProduct<Gather>;
  struct Place : Strip {
    int columns, rows;  // that there are

    __device__ void set(const Product& p, const Strip& strip) {
      static_cast<Strip&>(*this) = strip;
      columns = min(strip_columns, p.gather.window.out[2] - strip.x);
      rows = min(Gather::strip_rows, p.gather.window.out[1] - strip.y);
    }
    __device__ int packs() const { return (columns * rows + 3) / 4; }
  };
  int64_t item;
  Place strips[2];
  const float* x;         // of the first channel and image
  const float* dy;        // of the first output and image
  float* to;              // results of the first output and channel
  int channels, outputs;  // that there are
  int count;              // of strips

  __device__ void set(const Product& p, int64_t block_item) {
    item = block_item;
    const Gather& g = p.gather;
    const auto [split, group, band, part] = p.item_at(item);
    const int64_t first_output = part * Gather::outputs, first_channel = band * Gather::channels;
    const int64_t output = group * p.shape.outputs + first_output;
    x = g.x + (group * p.shape.channels + first_channel) * p.shape.in_plane;
    dy = p.dy + output * p.shape.out_plane;
    to = p.partials + split * p.size + output * p.all_rows + first_channel * Gather::rings;
    channels = static_cast<int>(min(int64_t{Gather::channels}, p.shape.channels - first_channel));
    outputs = static_cast<int>(min(int64_t{Gather::outputs}, p.shape.outputs - first_output));
    const int64_t first_strip = g.tiles * split / p.splits;
    count = static_cast<int>(g.tiles * (split + 1) / p.splits - first_strip);
    const auto [row, column] = g.order.by_row_strips.divide(first_strip);
    strips[0].set(p, g.order.template at<Gather::strip_rows>(row, column));
  }

  // Sets the strip after the i-th.
  __device__ void set_next(const Product& p, int i) {
    const Window& w = p.gather.window;
    Strip next = strips[i % 2];
    next.x += strip_columns;
    if (next.x >= w.out[2]) {
      next.x = 0;
      next.y += Gather::strip_rows;
      if (next.y >= w.out[1]) {
        next.y = 0;
        ++next.image;
      }
    }
    strips[(i + 1) % 2].set(p, next);
  }

  // Starts to copy the windows, with zeros for what there is not. Every `step`th channel is of the same warps.
  template <typename Piece>
  __device__ void copy_windows(const Product& p, const Place& strip, float* windows) const {
    constexpr int floats = piece_floats<Piece>, row_pieces = Gather::row_words / floats;
    constexpr int pieces = Gather::window_rows * row_pieces;
    constexpr int places = (pieces + warp_threads - 1) / warp_threads * warp_threads;
    constexpr int step = places > Gather::threads / 2 ? 1 : places > Gather::threads / 4 ? 2 : 4;
    const Window& w = p.gather.window;
    const int64_t plane = int64_t{w.in[1]} * w.in[2];
    const int first = static_cast<int>(threadIdx.x) / (Gather::threads / step);
    const float* of_image = x + (strip.image * p.gather.all_channels + first) * plane;
    for (int i = static_cast<int>(threadIdx.x) % (Gather::threads / step); i < pieces; i += Gather::threads / step) {
      const int row = i / row_pieces, column = i % row_pieces * floats;
      const int at_y = strip.y - w.padding[1] + row, at_x = strip.x - w.padding[2] + column;
      const bool is_there = w.is_inside(0, at_y, at_x);
      const uint32_t to = shared_address(windows + first * Gather::channel_words + i * floats);
      copy_planes<Piece, Gather::channels / step, step * Gather::channel_words>(
          to, is_there ? of_image + w.offset(0, at_y, at_x) : x, step * plane, (channels - first + step - 1) / step,
          is_there);
    }
  }
  __device__ void start_windows(const Product& p, int i, float* windows) const {
    const Place& strip = strips[i % 2];
    with_piece(p.gather.copied_floats, [&](auto piece) { copy_windows<decltype(piece)>(p, strip, windows); });
  }

  // Starts to copy dy, with zeros for what there is not.
  template <typename Piece>
  __device__ void copy_gradient(const Product& p, const Place& strip, float* gradient) const {
    constexpr int floats = piece_floats<Piece>, places = Gather::pixels / floats;
    constexpr int step = Gather::threads / places;
    const Window& w = p.gather.window;
    const int64_t plane = w.out_plane();
    const int pixel = static_cast<int>(threadIdx.x) % places * floats, first = static_cast<int>(threadIdx.x) / places;
    const int width = floats == strip_columns ? strip_columns : strip.columns, y = pixel / width;
    const bool is_there = y < strip.rows;
    const int64_t from = (strip.image * p.shape.groups * p.shape.outputs + first) * plane +
                         int64_t{strip.y + y} * w.out[2] + strip.x + (pixel - y * width);
    copy_planes<Piece, Gather::outputs / step, step * Gather::pitch>(
        shared_address(gradient + first * Gather::pitch + pixel), is_there ? dy + from : dy, step * plane,
        (outputs - first + step - 1) / step, is_there);
  }
  __device__ void start_gradient(const Product& p, int i, float* gradient) const {
    const Place& strip = strips[i % 2];
    with_piece(p.gather.copied_gradients, [&](auto piece) { copy_gradient<decltype(piece)>(p, strip, gradient); });
  }

  // The panel, by the warps whose turn it is.
  template <int side>
  __device__ void sum_rings(const Product& p, int i, const float* windows, float* panel) const {
    const int warp = (static_cast<int>(threadIdx.x) / warp_threads + i * Gather::summing_warps) % Gather::warps;
    if (warp >= Gather::summing_warps) return;
    const int place = warp * warp_threads + static_cast<int>(threadIdx.x) % warp_threads;
    const int channel = place / Gather::slots, column = place % Gather::slots * Gather::slot_columns;
    const uint32_t window = shared_address(windows + channel * Gather::channel_words + column);
    const uint32_t rows_at = shared_address(panel + channel * Gather::rings * Gather::pitch),
                   out = rows_at + column * 4;
    using Sums = RingSums<side, Gather::slot_columns, Gather::strip_rows, Gather::half>;
    Sums sums;
    const auto load = [&](auto r, float(&values)[Sums::window]) {
      load_floats<r * Gather::row_words * 4>(window, values);
    };
    const Place& strip = strips[i % 2];
    const Window& w = p.gather.window;
    const int width = strip.columns, first = w.padding[1] - strip.y, end = first + w.in[1];
    if (width == strip_columns) {
      sums.make(first, end, load, [&](auto l, auto y, const float(&sum)[Gather::slot_columns]) {
        store_floats<(l * Gather::pitch + y * strip_columns) * 4>(out, sum);
      });
    } else {
      const bool has_first = column < width, has_second = column + 1 < width;
      sums.make(first, end, load, [&](auto l, auto y, const float(&sum)[Gather::slot_columns]) {
        const uint32_t to = out + y * width * 4;
        if (has_first) store_word<l * Gather::pitch * 4>(to, __float_as_uint(sum[0]));
        if (has_second) store_word<(l * Gather::pitch + 1) * 4>(to, __float_as_uint(sum[1]));
      });
      // Behind the last pixel what is multiplied by zeros must be numbers.
      __syncwarp();
      for (int pixel = width * strip.rows + place % Gather::slots; pixel < 4 * strip.packs(); pixel += Gather::slots) {
        unroll<Gather::rings>([&](auto l) { store_word<l * Gather::pitch * 4>(rows_at + pixel * 4, 0); });
      }
    }
  }
};

// A block's results.
template <typename Gather>
struct StripsWeightResults {
  static constexpr int outputs_a_thread = Gather::outputs_a_thread, rows_a_thread = Gather::rows_a_thread;

  float sum[outputs_a_thread][rows_a_thread] = {};

  __device__ static int output(int i) {
    return static_cast<int>(threadIdx.x) / Gather::row_threads * outputs_a_thread + i;
  }
  __device__ static int row(int j) {
    return static_cast<int>(threadIdx.x) % Gather::row_threads + j * Gather::row_threads;
  }

  __device__ void add(const float* gradient, const float* panel, int packs) {
    uint32_t a_at = shared_address(gradient + output(0) * Gather::pitch);
    uint32_t b_at = shared_address(panel + row(0) * Gather::pitch);
#pragma unroll 1
    for (int pack = 0; pack < packs; ++pack) {
      float a[outputs_a_thread][4];
      unroll<outputs_a_thread>([&](auto i) { load_floats<i * Gather::pitch * 4>(a_at, a[i]); });
      unroll<rows_a_thread>([&](auto j) {
        float b[4];
        load_floats<j * Gather::row_threads * Gather::pitch * 4>(b_at, b);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
#pragma unroll
          for (int i = 0; i < outputs_a_thread; ++i) sum[i][j] += a[i][k] * b[k];
        }
      });
      a_at += 4 * sizeof(float);
      b_at += 4 * sizeof(float);
    }
  }

  __device__ void store(float* to, int64_t pitch, int outputs, int rows) const {
    to += output(0) * pitch + row(0);
#pragma unroll
    for (int i = 0; i < outputs_a_thread; ++i) {
      if (output(i) >= outputs) break;
#pragma unroll
      for (int j = 0; j < rows_a_thread; ++j) {
        if (row(j) < rows) to[j * Gather::row_threads] = sum[i][j];
      }
      to += pitch;
    }
  }
};

template <int side, int outputs>
__device__ void ring_strips_weight_product(const BackwardWeightProduct<RingStripsWeight<side, outputs>>& p) {
  using Gather = RingStripsWeight<side, outputs>;
  extern __shared__ float4 shared_memory[];
  auto* panel = reinterpret_cast<float*>(shared_memory);
  float* gradient = panel + Gather::panel_rows * Gather::pitch;
  float* windows = gradient + Gather::outputs * Gather::pitch;

  __shared__ StripsWeightItem<Gather> at;
  for (int64_t item = blockIdx.x; item < p.items(); item = at.item + gridDim.x) {
    __syncthreads();  // the item before may still be read
    if (threadIdx.x == 0) at.set(p, item);
    __syncthreads();
    StripsWeightResults<Gather> product;
    at.start_windows(p, 0, windows);
    for (int i = 0; i < at.count; ++i) {
      wait_for_copies();
      __syncthreads();
      at.start_gradient(p, i, gradient);
      if (threadIdx.x == 0) at.set_next(p, i);
      at.template sum_rings<side>(p, i, windows, panel);
      wait_for_copies();
      __syncthreads();
      if (i + 1 < at.count) at.start_windows(p, i + 1, windows);
      product.add(gradient, panel, at.strips[i % 2].packs());
    }
    product.store(at.to, p.all_rows, at.outputs, at.channels * Gather::rings);
  }
}

}  // namespace gmr::cuda
