// The bfloat16 products of standard 3-D ring convolutions at stride 1: a block sweeps through the slices of four rows of
// four columns, and what a slice adds to sums that are not whole stays in registers (shell_sums.cuh), so that no slice is
// read or folded twice. Four neighbouring threads have a channel, a row each: all channels of a group in the forward
// pass, which is for few of them, and a part in the weight gradient. Every four slices of outputs the product follows.
//
//   windows  [3 slices][channels][rows][columns]              by cp.async, two slices ahead
//   panel    [channels of each ring][8 slices][4][4]          four of them whole, of the others the inner rings
//   weights  of all channels                                  once
#pragma once

#include "cuda/weight_product.cuh"
#include "cuda/window.h"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/shell_sums.cuh"

namespace gmr::cuda {

// Slices of four rows of four columns of outputs, and which channels of x their sums are of. It lies in shared memory, as
// registers are needed for sums.
struct SweepColumn {
  int64_t image;
  int z, y, x;            // of its first output
  int slices;             // of outputs
  int64_t first_channel;  // of an image
  int channels;           // of a block, that there are
};

template <int side, int most_channels>
struct RingSweep {
  using Sums = ShellSums<side>;
  static constexpr int half = Sums::half, rings = Sums::rings;
  static constexpr int channels = most_channels, threads = channels * shells_rows;
  static constexpr int group_slices = 4, panel_slices = 2 * group_slices;  // that follow() gets, and that a panel has
  static constexpr int pixels = group_slices * shells_rows * shells_columns, pitch = bfloat16_pitch(2 * pixels);
  static constexpr int panel_rows = channels * rings, steps = panel_rows / bfloat16_depth;
  static constexpr bool is_interleaved = true;
  static constexpr int channel_step = 2;
  static constexpr int panel_elements = panel_rows * pitch;
  static_assert(half <= group_slices && shells_columns == Sums::columns);

  // Four rows of four channels are read 8 bytes at a time, and rows that are 8 elements or less are copied eight at a
  // time: pitches are such that these meet different banks.
  static constexpr int row_words = Sums::window / 2, window_rows = shells_rows + 2 * half;
  static constexpr int slice_words = window_rows * row_words;
  static constexpr bool are_fours = row_words == 4;  // of channels: at banks 0, 2, 16 and 18
  static constexpr int channel_words = are_fours ? 40 : padded_words(slice_words, 24);
  __host__ __device__ static constexpr int channel_place(int channel) {
    if (!are_fours) return channel * channel_words;
    return channel / 4 * 4 * channel_words + channel % 4 * 32 + channel % 2 * 2 + channel / 2 % 2 * 16;
  }
  static_assert(row_words == 6 || (are_fours && slice_words <= 32));

  static constexpr int stages = 3, stage_words = channels * channel_words;
  // Beside what a product of `pixels` is taken to need: the other half of the panel, and windows.
  static constexpr int work_words = panel_rows * (pitch - bfloat16_pitch(pixels)) / 2 + stages * stage_words;
  const bfloat16* x;
  Window window;
  int64_t images, all_channels, in_plane, tiles;
  int rows, chunk_depth, work_floats;
  int slices;  // of outputs that a block sweeps through
  int copied;  // elements at a time: 4 or 2; 1: two, as neighbours are no words
  Divisor tiles_z, tiles_y, tiles_x;

  // `sweeps_a_column`: of groups, and of bands of channels and parts of outputs.
  RingSweep(const bfloat16* x, const WindowGeometry& g, int64_t images, int64_t all_channels, int64_t sweeps_a_column)
      : RingSweep(choose_slices(g, images * columns_of(g) * sweeps_a_column), x, g, images, all_channels) {}

  static int64_t columns_of(const WindowGeometry& g) {
    return parts_of(g.out[1], shells_rows) * parts_of(g.out[2], shells_columns);
  }

  // Sweeps that are cut begin with slices of which they need no sums.
  static int64_t choose_slices(const WindowGeometry& g, int64_t sweeps) {
    int64_t best = g.out[0];
    double least_cost = std::numeric_limits<double>::infinity();
    for (int64_t cuts = 1; cuts <= g.out[0] && (cuts == 1 || sweeps * cuts <= sweep_most_blocks); ++cuts) {
      const int64_t slices = parts_of(g.out[0], cuts), blocks = sweeps * parts_of(g.out[0], slices);
      const auto steps = static_cast<double>(slices + parts_of(slices, group_slices));
      const double cost = static_cast<double>(parts_of(blocks, h100_multiprocessors)) *
                          (steps + sweep_start_cost + sweep_halo_cost * 2 * half * (cuts > 1));
      if (cost >= least_cost) continue;
      least_cost = cost;
      best = slices;
    }
    return best;
  }

  __device__ void set(SweepColumn& column, int64_t tile, int64_t first_channel, int64_t there) const {
    const auto [rows_of_tiles, x_part] = tiles_x.divide(tile);
    const auto [slices_of_tiles, y_part] = tiles_y.divide(rows_of_tiles);
    const auto [image, z_part] = tiles_z.divide(slices_of_tiles);
    const int z = static_cast<int>(z_part) * slices;
    column = {image,
              z,
              static_cast<int>(y_part) * shells_rows,
              static_cast<int>(x_part) * shells_columns,
              min(slices, window.out[0] - z),
              first_channel,
              static_cast<int>(min(int64_t{channels}, there))};
  }

  class AtColumn;

 private:
  static int copied_of(const WindowGeometry& g) {
    const int64_t extents = g.in[2] | (g.padding[2] + Sums::margin - half);
    return Sums::margin % 4 == 0 && extents % 4 == 0 ? 4 : extents % 2 == 0 ? 2 : 1;
  }

  RingSweep(int64_t slices, const bfloat16* x, const WindowGeometry& g, int64_t images, int64_t all_channels)
      : x(x),
        window(g),
        images(images),
        all_channels(all_channels),
        in_plane(volume(g.in)),
        tiles(images * columns_of(g) * parts_of(g.out[0], slices)),
        rows(rings),
        chunk_depth(panel_rows),
        work_floats(work_words),
        slices(static_cast<int>(slices)),
        copied(copied_of(g)),
        tiles_z(parts_of(g.out[0], slices)),
        tiles_y(parts_of(g.out[1], shells_rows)),
        tiles_x(parts_of(g.out[2], shells_columns)) {}
};

// How a thread sums: its row of a channel, and what it copies for its warp.
template <int side, int most_channels>
class RingSweep<side, most_channels>::AtColumn {
 public:
  __device__ AtColumn(const RingSweep& g, const SweepColumn& column, uint32_t* windows) : g_(g), column_(column) {
    // Channels of the warp.
    const int first = static_cast<int>(threadIdx.x) / warp_threads * warp_channels;
    there_ = min(warp_channels, max(column.channels - first, 0));
    windows_ = shared_address(windows + first * channel_words);
    if (Sums::margin % 4 == 0 && g.copied == 4) {
      place_pieces<4>();
    } else {
      place_pieces<2>();
    }
  }

  // Makes panels [ring sums][8 slices of outputs], of which each takes the place of the one eight before. Of every four
  // slices, and of the last ones, follow(first slice, panel) is called by all threads, which synchronise before and
  // behind it. Masked: sums that stand for no output are zeros, also of what the last four lack.
  template <bool is_masked, typename Follow>
  __device__ void sweep(bfloat16* panel, Follow&& follow) {
    const int lane = static_cast<int>(threadIdx.x) % warp_threads;
    const int channel = static_cast<int>(threadIdx.x) / shells_rows, row = lane % shells_rows;
    const int place = channel / bfloat16_depth * rings * bfloat16_depth +
                      ChunkOrder::place_of<channel_step>(channel % bfloat16_depth);
    const uint32_t to = shared_address(panel + place * pitch + row * shells_columns);
    const uint32_t window = windows_ + (channel_place(lane / shells_rows) + row * row_words) * word;
    const bool is_there = lane / shells_rows < there_;
    const int columns = column_.y + row < g_.window.out[1] ? g_.window.out[2] - column_.x : 0;
    [[maybe_unused]] const uint32_t masks[2] = {pair_mask(columns), pair_mask(columns - 2)};

    const int before = g_.window.padding[0] - column_.z;  // slices of the window before the input
    const int slices = column_.slices;
    first_ = max(before, 0);
    end_ = min(slices + 2 * half, g_.window.in[0] + before);
    const int end = is_masked ? (slices + group_slices - 1) / group_slices * group_slices : slices;
    int slice = min(first_, half), stage = 0;
#pragma unroll
    for (int i = 0; i < stages - 1; ++i) start(slice + i, i);
    Sums sums;
#pragma unroll 1
    for (; slice < end + 2 * half; ++slice) {
      wait_for_all_groups_but<stages - 2>();
      __syncwarp();
      start(slice + stages - 1, stage == 0 ? stages - 1 : stage - 1);
      if (is_there) {
        if (slice >= first_ && slice < end_) {
          const uint32_t at = window + stage * stage_words * word;
          sums.add_slice([&](auto dy, float(&values)[Sums::window]) {
            Sums::template load_bfloat16<(half + dy) * row_words * word>(at, values);
          });
        } else {
          sums.skip_slice();
        }
        unroll<rings>([&](auto l) {
          // Before the first slice and behind the last one nobody needs what this replaces.
          const int out = slice - half - Sums::reach(l);
          const uint32_t at = to + static_cast<unsigned>(out) % panel_slices * group_step;
          const auto& sum = sums.sum(l);
          uint2 words = {rounded_pair(sum[0], sum[1]), rounded_pair(sum[2], sum[3])};
          if constexpr (is_masked) {
            words = {out < slices ? words.x & masks[0] : 0, out < slices ? words.y & masks[1] : 0};
          }
          store_two_words<l * bfloat16_depth * pitch * element>(at, words);
        });
      }
      stage = stage == stages - 1 ? 0 : stage + 1;
      const int whole = slice - 2 * half + 1;  // slices of outputs
      if (whole > 0 && (whole % group_slices == 0 || whole == end)) {
        __syncthreads();
        const int first = (whole - 1) / group_slices * group_slices;
        follow(first, panel + first % panel_slices * (shells_rows * shells_columns));
        __syncthreads();
      }
    }
  }

 private:
  static constexpr int word = sizeof(uint32_t), element = sizeof(bfloat16);
  static constexpr int group_step = shells_rows * shells_columns * element;
  static constexpr int warp_channels = warp_threads / shells_rows;

  // How a warp copies a slice of its channels, in pieces of so many elements: some rows of one channel a pass, or of as
  // many as there are lanes for.
  template <int elements>
  struct Passes {
    static constexpr int row_pieces = Sums::window / elements;
    static constexpr int most_rows = std::min(warp_threads / row_pieces, window_rows);
    static constexpr int count = (window_rows + most_rows - 1) / most_rows;
  };
  template <int elements, int i>
  struct Pass : Passes<elements> {
    using All = Passes<elements>;
    static constexpr int first_row = i * All::most_rows, rows = std::min(All::most_rows, window_rows - first_row);
    static constexpr int lanes = rows * All::row_pieces;  // of a channel
    static constexpr int channels = are_fours ? 1 : std::min(warp_threads / lanes, warp_channels);

    __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
    __device__ static bool has_lane() { return lane() < channels * lanes; }
    __device__ static int channel() { return lane() / lanes; }
    __device__ static int row() { return first_row + lane() % lanes / All::row_pieces; }
    __device__ static int column() { return lane() % All::row_pieces * elements; }
    // In a slice of the windows of a warp.
    __device__ static uint32_t place(uint32_t windows) {
      return windows + (channel_place(channel()) + row() * row_words) * word + column() * element;
    }
  };
  static constexpr int most_passes = Passes<2>::count;

  // Where the lane's pieces lie in a slice. nowhere: in no row, or beside it where pieces are whole.
  static constexpr int nowhere = std::numeric_limits<int>::min();
  template <int elements>
  __device__ void place_pieces() {
    const Window& w = g_.window;
    unroll<Passes<elements>::count>([&](auto i) {
      using P = Pass<elements, i>;
      const int row = column_.y - w.padding[1] + P::row(), column = first_column() + P::column();
      const bool is_there = P::has_lane() && is_below(row, w.in[1]) && (g_.copied == 1 || is_below(column, w.in[2]));
      place_[i] = is_there ? row * w.in[2] + column : nowhere;
    });
  }

  // Of a slice of the window of the warp's first channel.
  __device__ const bfloat16* slice_of(int slice) const {
    const Window& w = g_.window;
    const int64_t plane = column_.image * g_.all_channels + column_.first_channel +
                          static_cast<int>(threadIdx.x) / warp_threads * warp_channels;
    return g_.x + plane * g_.in_plane + int64_t{column_.z - w.padding[0] + slice} * w.in[1] * w.in[2];
  }

  // Of a window.
  __device__ int first_column() const { return column_.x - g_.window.padding[2] - (Sums::margin - half); }

  __device__ static bool is_below(int i, int extent) {
    return static_cast<unsigned>(i) < static_cast<unsigned>(extent);
  }

  __device__ static uint32_t pair_mask(int columns) { return columns <= 0 ? 0 : columns == 1 ? 0xffffu : ~0u; }

  // Starts to copy a slice of the windows of the warp's channels.
  __device__ void start(int slice, int stage) const {
    if (slice >= first_ && slice < end_) {
      if (Sums::margin % 4 == 0 && g_.copied == 4) {
        copy_slice<4>(slice, stage);
      } else if (g_.copied != 1) {
        copy_slice<2>(slice, stage);
      } else {
        copy_elements(slice, stage);
      }
    }
    finish_group();
  }

  template <int elements>
  __device__ void copy_slice(int slice, int stage) const {
    using Piece = std::conditional_t<elements == 4, uint2, uint32_t>;
    const bfloat16* first = slice_of(slice);
    const uint32_t windows = windows_ + stage * stage_words * word;
    unroll<Passes<elements>::count>([&](auto i) {
      using P = Pass<elements, i>;
      if (!P::has_lane()) return;
      const bool is_there = place_[i] != nowhere;
      const bfloat16* from = is_there ? first + P::channel() * g_.in_plane + place_[i] : g_.x;
      const int64_t step = is_there ? P::channels * g_.in_plane : 0;
      const uint32_t to = P::place(windows);
      unroll<(warp_channels + P::channels - 1) / P::channels>([&](auto j) {
        if (j * P::channels + P::channel() < there_) {
          copy_or_zero_at<Piece, channel_place(j * P::channels) * word, 0>(to, from, is_there);
        }
        from += step;
      });
    });
  }

  // The same of rows that begin in the middle of words, one element at a time; one channel after the other, as registers
  // are full of sums.
  __device__ void copy_elements(int slice, int stage) const {
    const bfloat16* first = slice_of(slice);
    unroll<Passes<2>::count>([&](auto i) {
      using P = Pass<2, i>;
      if (!P::has_lane()) return;
      const int column = first_column() + P::column(), width = g_.window.in[2];
      const bool has_first = place_[i] != nowhere && is_below(column, width);
      const bool has_second = place_[i] != nowhere && is_below(column + 1, width);
      const bfloat16* from = first + P::channel() * g_.in_plane + place_[i];
      const uint32_t to = P::place(windows_ + stage * stage_words * word) - channel_place(P::channel()) * word;
#pragma unroll 1
      for (int channel = P::channel(); channel < there_; channel += P::channels) {
        const uint32_t low = has_first ? from[0].bits : 0, high = has_second ? from[1].bits : 0;
        store_word<0>(to + channel_place(channel) * word, high << 16 | low);
        from += P::channels * g_.in_plane;
      }
    });
  }

  const RingSweep& g_;
  const SweepColumn& column_;
  int there_;         // channels of the warp
  uint32_t windows_;  // of the warp's first channel
  int place_[most_passes];
  int first_, end_;  // slices of the window that the input has
};

// Stores four slices of results, of which `slices` are there.
template <typename Gather, typename Tile>
__device__ void store_group(const Bfloat16Product<Gather>& p, const SweepColumn& column, const Tile& product,
                            int64_t first_plane, int there, int first_slice) {
  const auto& out = p.gather.window.out;
  const int64_t first =
      (column.image * p.shape.groups * p.shape.outputs + first_plane + product.output(0)) * p.shape.out_plane;
  unroll<Tile::pairs_a_thread>([&](auto j) {
    const int pixel = product.pixel(j);
    const int slice = first_slice + pixel / (shells_rows * shells_columns);
    const int y = column.y + pixel / shells_columns % shells_rows, x = column.x + pixel % shells_columns;
    if (slice >= column.slices || y >= out[1] || x >= out[2]) return;
    bfloat16* to = p.y + first + (int64_t{column.z + slice} * out[1] + y) * out[2] + x;
#pragma unroll
    for (int i = 0; i < Tile::outputs_a_thread; ++i, to += 8 * p.shape.out_plane) {
      if (product.output(i) >= there) continue;
      const uint32_t pair = product.pair(i, j);
      if (out[2] % 2 == 0) {
        *reinterpret_cast<uint32_t*>(to) = pair;
      } else {
        to[0] = {static_cast<uint16_t>(pair)};
        if (x + 1 < out[2]) to[1] = {static_cast<uint16_t>(pair >> 16)};
      }
    }
  });
}

template <typename Gather>
__device__ void sweep_product(const Bfloat16Product<Gather>& p) {
  using Tile = Bfloat16Tile<product_outputs, Gather::pixels, Gather::threads, 2, Gather::pitch>;
  extern __shared__ float4 shared_memory[];
  auto* panel = reinterpret_cast<bfloat16*>(shared_memory);
  bfloat16* weights = panel + Gather::panel_elements;
  auto* windows = reinterpret_cast<uint32_t*>(weights + Gather::panel_rows * Tile::outputs);
  // What no sweep writes must be a number: channels that there are not.
  for (int i = static_cast<int>(threadIdx.x); i < Gather::panel_elements / 8; i += Gather::threads) {
    reinterpret_cast<uint4*>(panel)[i] = {0, 0, 0, 0};
  }
  __shared__ SweepColumn column;
  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [tile, tile_group] = p.by_groups.divide(item);
    const int64_t group = tile_group;
    __syncthreads();
    if (threadIdx.x == 0) p.gather.set(column, tile, group * p.shape.channels, p.shape.channels);
    __syncthreads();
    typename Gather::AtColumn at_column(p.gather, column, windows);
    constexpr int elements = Gather::panel_rows * Tile::outputs;
    copy_packed<Tile, elements>(p.weights + group * elements, elements, weights);
    at_column.template sweep<false>(panel, [&](int slice, const bfloat16* sums) {
      Tile product;
      start_sums(p, group, 0, product);
      product.add(weights, sums, Gather::steps);
      finish_sums(p, group, 0, product);
      store_group(p, column, product, group * p.shape.outputs, static_cast<int>(p.shape.outputs), slice);
    });
  }
}

// The weight gradient: dy as [output][pixel] of four slices, copied while the sums of the next four are made.
template <typename Gather>
using SweepWeightTile = Bfloat16WeightTile<sweep_weight_outputs(2 * Gather::half + 1), Gather::panel_rows,
                                           Gather::pixels, Gather::threads, 1, Gather::pitch>;

// A tile of a block's share, and which outputs of a group the block has.
struct SweepWeightItem {
  SweepColumn column;
  int64_t first_plane;  // of dy in its image
  int outputs;          // that there are
  bool is_there;
  int64_t item, next;  // the block's, and of its tiles

  __device__ void start(int64_t block_item) {
    item = block_item;
    next = 0;
  }

  template <typename Gather>
  __device__ void set_next(const BackwardWeightProduct<Gather, bfloat16>& p) {
    constexpr int64_t most_outputs = SweepWeightTile<Gather>::outputs;
    const auto [split, group, band, part] = p.item_at(item);
    const int64_t first_output = part * most_outputs, first_channel = band * Gather::channels;
    first_plane = group * p.shape.outputs + first_output;
    outputs = static_cast<int>(min(most_outputs, p.shape.outputs - first_output));
    const int64_t tile = p.gather.tiles * split / p.splits + next++;
    is_there = tile < p.gather.tiles * (split + 1) / p.splits;
    if (!is_there) return;
    p.gather.set(column, tile, group * p.shape.channels + first_channel, p.shape.channels - first_channel);
  }
};

// Starts to copy dy of the four slices from `first_slice` on, with zeros where there is no output.
template <typename Tile, typename Gather>
__device__ void copy_gradient_group(const BackwardWeightProduct<Gather, bfloat16>& p, const SweepWeightItem& at,
                                    int first_slice, bfloat16* gradient) {
  constexpr int rows = Gather::pixels / shells_columns, step = Gather::threads / rows;
  const int row = static_cast<int>(threadIdx.x) % rows, first = static_cast<int>(threadIdx.x) / rows;
  const SweepColumn& column = at.column;
  const int there = at.outputs, slice = first_slice + row / shells_rows, y = column.y + row % shells_rows;
  const auto& out = p.gather.window.out;
  const int columns = slice < column.slices && y < out[1] ? out[2] - column.x : 0;
  const int64_t plane = column.image * p.shape.groups * p.shape.outputs + at.first_plane + first;
  const bfloat16* from = p.dy;
  if (columns > 0) from += plane * p.shape.out_plane + (int64_t{column.z + slice} * out[1] + y) * out[2] + column.x;
  const int64_t from_step = columns > 0 ? step * p.shape.out_plane : 0;
  uint32_t to = shared_address(gradient + first * Tile::pitch + row * shells_columns);
  const auto copy = [&](auto&& piece) {
#pragma unroll 1
    for (int o = first; o < there; o += step) {
      piece(to, from);
      to += step * Tile::pitch * static_cast<int>(sizeof(bfloat16));
      from += from_step;
    }
  };
  if (out[2] % 4 == 0) {
    copy([&](uint32_t at, const bfloat16* dy) {
      copy_or_zero_at<uint2, 0, 0>(at, dy, columns > 0);  // four
    });
  } else if (out[2] % 2 == 0) {
    copy([&](uint32_t at, const bfloat16* dy) {
      copy_or_zero_at<uint32_t, 0, 0>(at, dy, columns > 0);
      copy_or_zero_at<uint32_t, 4, 0>(at, columns > 2 ? dy + 2 : p.dy, columns > 2);
    });
  } else {
    copy([&](uint32_t at, const bfloat16* dy) {
      uint32_t value[shells_columns];
#pragma unroll
      for (int c = 0; c < shells_columns; ++c) value[c] = c < columns ? dy[c].bits : 0;
      store_two_words<0>(at, {value[1] << 16 | value[0], value[3] << 16 | value[2]});
    });
  }
}

template <typename Gather>
__device__ void sweep_weight_product(const BackwardWeightProduct<Gather, bfloat16>& p) {
  using Tile = SweepWeightTile<Gather>;
  extern __shared__ float4 shared_memory[];
  auto* panel = reinterpret_cast<bfloat16*>(shared_memory);
  bfloat16* gradient = panel + Gather::panel_elements;
  auto* windows = reinterpret_cast<uint32_t*>(gradient + Tile::outputs * Tile::pitch);
  // What nobody writes must be a number: channels and outputs that there are not.
  constexpr int packs = (Gather::panel_elements + Tile::outputs * Tile::pitch) / 8;
  for (int i = static_cast<int>(threadIdx.x); i < packs; i += Gather::threads) shared_memory[i] = {};
  __shared__ SweepWeightItem at;
  for (int64_t item = blockIdx.x; item < p.items(); item = at.item + gridDim.x) {
    Tile product;
    __syncthreads();
    if (threadIdx.x == 0) at.start(item);
    while (true) {
      if (threadIdx.x == 0) at.set_next(p);  // whatever it replaces was read before the sweep's last barrier
      __syncthreads();
      if (!at.is_there) break;
      typename Gather::AtColumn at_column(p.gather, at.column, windows);
      copy_gradient_group<Tile>(p, at, 0, gradient);
      at_column.template sweep<true>(panel, [&](int slice, const bfloat16* sums) {
        product.add(gradient, sums);
        const int next = slice + Gather::group_slices;
        if (next >= at.column.slices) return;
        __syncthreads();
        copy_gradient_group<Tile>(p, at, next, gradient);
      });
    }
    const auto [split, group, band, part] = p.item_at(at.item);
    store_weight_sums(p, split, group, part * Tile::outputs, chunk_at(p.gather, p.all_rows, band * Gather::panel_rows),
                      product);
  }
}

}  // namespace gmr::cuda
