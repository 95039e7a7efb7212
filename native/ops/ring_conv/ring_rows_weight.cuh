// The weight gradient of standard 2-D ring convolutions of bfloat16 where a tile is whole rows: `width` columns, same
// padding, stride and dilation 1. Ring sums go to the tensor cores from the registers in which they were made: a lane
// has four columns of a channel and slides down seven rows (ring_sums.cuh), and four such lanes have 16 pixels of each
// row, eight times four lanes those of eight channels, which is a fragment. Which pixel is which k of the product is
// free, as long as dy is read in the same order, four neighbours a lane.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/ring_sums.cuh"

namespace gmr::cuda {

// Rows of x and of dy are copied in seven pieces, and lie in shared memory `elements` apart, of which the last few are
// zeros.
template <int width>
struct CopiedRows {
  static constexpr int piece_elements = width / rows_row_pieces;
  static constexpr int elements = RowsBlock<width>::row_elements;

  // From plane to plane of so many rows in shared memory: as far as it takes for four lanes of two words each of four
  // planes to meet different banks.
  static constexpr int plane_words(int rows) { return rows * elements / 2 + (8 - rows * elements / 2 % 16 + 16) % 16; }

  // Starts to copy rows first_row .. of `planes` planes, of which `there` are there, `from` being the first of them.
  // Planes that are not there, and what lies behind each row, become zeros.
  template <int planes, int most_rows, int threads>
  __device__ static void start(const bfloat16* from, int64_t plane, int there, int first_row, int rows, uint32_t to,
                               int to_plane) {
    if constexpr (piece_elements == 2) {
      start_words<planes, most_rows, threads>(from, plane, there, first_row, rows, to, to_plane);
    } else {
      start_pieces<planes, most_rows, threads>(from, plane, there, first_row, rows, to, to_plane);
    }
  }

 private:
  // A warp copies four rows at a time, of which eight lanes each have a piece or, the last, none: so pieces of a phase
  // lie in different banks.
  template <int planes, int most_rows, int threads>
  __device__ static void start_pieces(const bfloat16* from, int64_t plane, int there, int first_row, int rows,
                                      uint32_t to, int to_plane) {
    using Piece = std::conditional_t<piece_elements == 8, uint4, uint2>;
    // Of so many rows, or a multiple, copies are whole sectors.
    constexpr int sector_rows = piece_elements == 8 ? 2 : 4, lanes = 8, copy_rows = warp_threads / lanes;
    constexpr int warps = threads / warp_threads, element = static_cast<int>(sizeof(bfloat16));
    constexpr int copies = (most_rows + sector_rows - 1 + copy_rows - 1) / copy_rows;
    const int lane = static_cast<int>(threadIdx.x) % warp_threads, piece = lane % lanes;
    const int row = (first_row & ~(sector_rows - 1)) - first_row + lane / lanes;
    const int warp = static_cast<int>(threadIdx.x) / warp_threads;
    from += warp * plane + int64_t{first_row + row} * width + piece * piece_elements;
    to += warp * to_plane + (row * elements + piece * piece_elements) * element;
    bool is_asked[copies];
#pragma unroll
    for (int i = 0; i < copies; ++i) is_asked[i] = row + i * copy_rows >= 0 && row + i * copy_rows < rows;
#pragma unroll 1
    for (int c = warp; c < planes; c += warps) {
      const bool is_there = piece < rows_row_pieces && c < there;
      unroll<copies>([&](auto i) {
        constexpr int later = i * copy_rows;
        if (!is_asked[i]) return;
        copy_or_zero_at<Piece, 0, later * width * element>(to + later * elements * element, from, is_there);
      });
      if (c + warps < there) from += warps * plane;
      to += warps * to_plane;
    }
  }

  // A warp copies three sectors of words at a time, and at both ends up to 28 words: with the gaps between rows these
  // are 32 banks. Four more lanes write zeros into the gaps, which are in banks of their own.
  template <int planes, int most_rows, int threads>
  __device__ static void start_words(const bfloat16* from, int64_t plane, int there, int first_row, int rows,
                                     uint32_t to, int to_plane) {
    constexpr int warps = threads / warp_threads, sector_words = 8, copy_words = 3 * sector_words, gap_lanes = 4;
    constexpr int row_words = width / 2, word = static_cast<int>(sizeof(uint32_t));
    constexpr int copies = (most_rows * row_words - 2 + copy_words - 1) / copy_words;
    // From one plane of a warp to its next, four planes of even height, there are whole sectors.
    static_assert(warps % 4 == 0 && elements == 2 * (row_words + 1) && copies * gap_lanes >= most_rows);
    const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
    from += warp * plane + int64_t{first_row} * width;
    to += warp * to_plane;
    const int before = static_cast<int>(reinterpret_cast<uintptr_t>(from) / word % sector_words);  // in its sector
    const int first_lane = before < sector_words / 2 ? 0 : sector_words;
    const int gap = lane - (first_lane == 0 ? warp_threads - gap_lanes : 0);
    const bool is_gap = gap >= 0 && gap < gap_lanes;
    bool is_asked[copies];
    uint32_t to_at[copies];
#pragma unroll
    for (int i = 0; i < copies; ++i) {
      const int at = lane - before + i * copy_words, gap_row = gap + i * gap_lanes;
      const bool is_mine = (i == 0 ? at >= 0 : lane >= first_lane) &&
                           (i == copies - 1 || lane < first_lane + copy_words) && at < rows * row_words;
      is_asked[i] = is_gap ? gap_row < rows : is_mine;
      to_at[i] = (is_gap ? gap_row * (row_words + 1) + row_words : at + at / row_words) * word;
    }
    from += (lane - before) * 2;
    const int lane_planes = is_gap ? 0 : there;
#pragma unroll 1
    for (int c = warp; c < planes; c += warps) {
      int bytes = c < lane_planes ? word : 0;
      asm volatile("" : "+r"(bytes));  // so that it is not worked out anew for each copy
      unroll<copies>([&](auto i) {
        if (is_asked[i]) copy_at<uint32_t, 0, i * copy_words * word>(to + to_at[i], from, bytes);
      });
      if (c + warps < there) from += warps * plane;
      to += warps * to_plane;
    }
  }
};

template <int side, int width>
struct RingRowsWeight {
  using Element = bfloat16;
  using Block = RowsWeightBlock<width>;
  using Rows = CopiedRows<width>;
  static constexpr int half = side / 2, rings = half + 1;
  static constexpr int threads = rows_weight_threads, warps = threads / warp_threads;
  static constexpr int outputs = Block::outputs, channels = Block::channels, tile_rows = Block::tile_rows;
  static constexpr int chunks = 1, m_tiles = outputs / 16;

  // A step is 16 columns of seven rows.
  static constexpr int slot_columns = 4, step_columns = 4 * slot_columns;
  static constexpr int row_steps = (width + step_columns - 1) / step_columns;
  static constexpr int steps = tile_rows / rows_box_rows * row_steps;
  static constexpr int warp_channels = 8, step_warps = warps * warp_channels / channels;
  static_assert(tile_rows % rows_box_rows == 0 && steps % step_warps == 0);

  // The pixels of dy of one output; the panel is in registers.
  static constexpr int pitch = 2 * Rows::plane_words(tile_rows), panel_rows = 0;
  // Windows are [channel][row][column]. What lies left of a row are zeros, which are also what lies right of the row
  // before.
  static constexpr int margin = std::max(Rows::piece_elements, half);
  static constexpr int window_rows = tile_rows + 2 * half, channel_words = Rows::plane_words(window_rows);
  static constexpr int window_words = channels * channel_words + 8;  // what lies right of the last row
  static_assert(margin % Rows::piece_elements == 0 && (margin - half) % 4 == 0);
  static_assert(margin + width + half <= Rows::elements + margin);

  // The sums on their way to memory, [outputs][channels][rings]: four outputs lie 8 rings of banks apart, and fours of
  // them one, so that with the four pairs of channels of a fragment all banks are met where rings are odd.
  static constexpr int sums_pitch = padded_words(channels * rings, 8 * rings % 32);
  static constexpr int four_sums_pitch = padded_words(4 * sums_pitch, rings);
  __device__ static int sums_place(int output) { return output / 4 * four_sums_pitch + output % 4 * sums_pitch; }
  static_assert(outputs / 4 * four_sums_pitch * 2 <= outputs * pitch + 2 * window_words);

  const bfloat16* x;
  int height, rows, chunk_depth, work_floats;
  int64_t all_channels, tiles;
  Divisor by_bands;

  RingRowsWeight(const bfloat16* x, int64_t images, int64_t height, int64_t all_channels)
      : x(x),
        height(static_cast<int>(height)),
        rows(rings),
        chunk_depth(channels * rings),
        work_floats(window_words),
        all_channels(all_channels),
        tiles(images * (height / tile_rows)),
        by_bands(height / tile_rows) {}
};

template <int side, int width>
class RingRowsWeightSums {
  using Gather = RingRowsWeight<side, width>;
  using Rows = typename Gather::Rows;
  static constexpr int half = Gather::half, rings = Gather::rings, slot_columns = Gather::slot_columns;
  static constexpr int slot_window = slot_columns + 2 * half;  // columns that a lane reads
  static constexpr int element = static_cast<int>(sizeof(bfloat16)), row_bytes = Rows::elements * element;

 public:
  // Adds what one step of a tile gives, that begins in row y of the images.
  __device__ void add(uint32_t gradient, uint32_t windows, int step, int y, int height) {
    const int band = step / Gather::row_steps,
              column = step % Gather::row_steps * Gather::step_columns + fragment_column() * slot_columns;
    y += band * rows_box_rows;
    const int place = band * rows_box_rows * Rows::elements + column;
    const uint32_t window = windows + (first_channel() + fragment_row()) * Gather::channel_words * 4 +
                            (place + Gather::margin - half) * element;
    const uint32_t a_at = gradient + (fragment_row() * Gather::pitch + place) * element;
    // Columns that stand for nothing are zero in dy as well; what is summed there may be infinite.
    const uint32_t first = column < width ? ~0u : 0;
    const uint32_t second = width % slot_columns == 0 ? first : column + 2 < width ? ~0u : 0;
    uint2 b[rings][rows_box_rows];
    RingSums<side, slot_columns, rows_box_rows, half> sums;
    sums.make(
        half - y, height - y + half,
        [&](auto r, float(&x)[slot_window]) {
          unroll<slot_window / 4>([&](auto i) {
            const uint2 two = load_two_words<r * row_bytes + 4 * i * element>(window);
            x[4 * i] = first_of(two.x);
            x[4 * i + 1] = second_of(two.x);
            x[4 * i + 2] = first_of(two.y);
            x[4 * i + 3] = second_of(two.y);
          });
        },
        [&](auto l, auto row, const float(&sum)[slot_columns]) {
          b[l][row] = {rounded_pair(sum[0], sum[1]) & first, rounded_pair(sum[2], sum[3]) & second};
          if constexpr (l == rings - 1) multiply<row>(a_at, b);  // the ring that is whole last
        });
  }

  // Writes the sums as [outputs][channels][rings], or adds them to what is there.
  __device__ void put(float* to, bool is_first) const {
    to += Gather::sums_place(fragment_row()) + (first_channel() + 2 * fragment_column()) * rings;
#pragma unroll
    for (int i = 0; i < Gather::m_tiles; ++i) {
#pragma unroll
      for (int ring = 0; ring < rings; ++ring) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          float* at = to + (4 * i + e / 2 * 2) * Gather::four_sums_pitch + e % 2 * rings + ring;
          *at = is_first ? products_.sum[i][ring][e] : *at + products_.sum[i][ring][e];
        }
      }
    }
  }

  // Of the block's channels, those of this warp; and which of the warps it is that share them.
  __device__ static int first_channel() { return warp() / Gather::step_warps * Gather::warp_channels; }
  __device__ static int first_step() { return warp() % Gather::step_warps; }

 private:
  template <int row>
  __device__ void multiply(uint32_t a_at, const uint2 (&b)[rings][rows_box_rows]) {
    unroll<Gather::m_tiles>([&](auto i) {
      constexpr int upper_at = (16 * i * Gather::pitch + row * Rows::elements) * element;
      const uint2 upper = load_two_words<upper_at>(a_at);
      const uint2 lower = load_two_words<upper_at + 8 * Gather::pitch * element>(a_at);
#pragma unroll
      for (int ring = 0; ring < rings; ++ring) {
        mma_bfloat16(products_.sum[i][ring], {upper.x, lower.x, upper.y, lower.y}, b[ring][row]);
      }
    });
  }

  __device__ static int warp() { return static_cast<int>(threadIdx.x) / warp_threads; }

  Bfloat16Sums<Gather::m_tiles, rings> products_;
};

template <int side, int width>
__device__ void ring_rows_weight_product(const BackwardWeightProduct<RingRowsWeight<side, width>, bfloat16>& p) {
  using Gather = RingRowsWeight<side, width>;
  using Rows = typename Gather::Rows;
  constexpr int element = static_cast<int>(sizeof(bfloat16)), rings = Gather::rings;
  extern __shared__ float4 shared_memory[];
  auto* sums = reinterpret_cast<float*>(shared_memory);
  const uint32_t gradient = shared_address(shared_memory);  // dy, [outputs][pixels]
  const uint32_t windows = gradient + Gather::outputs * Gather::pitch * element;
  const Gather& g = p.gather;
  const int64_t plane = int64_t{g.height} * width;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [split, group, band, part] = p.item_at(item);
    const int64_t first_output = part * Gather::outputs, first_channel = band * Gather::channels;
    const int64_t output = group * p.shape.outputs + first_output;
    const auto outputs = static_cast<int>(min(int64_t{Gather::outputs}, p.shape.outputs - first_output));
    const auto channels = static_cast<int>(min(int64_t{Gather::channels}, p.shape.channels - first_channel));
    const bfloat16* x = g.x + (group * p.shape.channels + first_channel) * plane;
    const bfloat16* dy = p.dy + output * plane;
    float* to = p.partials + split * p.size + output * p.all_rows + first_channel * rings;

    // What lies left of the first row.
    constexpr int before = Gather::outputs * Gather::pitch * element / 16, count = Gather::window_words / 4;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += Gather::threads) shared_memory[before + i] = {};

    RingRowsWeightSums<side, width> product;
    const int64_t last_tile = g.tiles * (split + 1) / p.splits;
    for (int64_t tile = g.tiles * split / p.splits; tile < last_tile; ++tile) {
      __syncthreads();  // zeros, or the tile before
      const auto [image, image_band] = g.by_bands.divide(tile);
      const int y = static_cast<int>(image_band) * Gather::tile_rows, above = y - Gather::half;
      const int first = max(above, 0), end = min(above + Gather::window_rows, g.height);
      Rows::template start<Gather::channels, Gather::window_rows, Gather::threads>(
          x + image * g.all_channels * plane, plane, channels, first, end - first,
          windows + ((first - above) * Rows::elements + Gather::margin) * element, Gather::channel_words * 4);
      Rows::template start<Gather::outputs, Gather::tile_rows, Gather::threads>(
          dy + image * p.shape.groups * p.shape.outputs * plane, plane, outputs, y, Gather::tile_rows, gradient,
          Gather::pitch * element);
      wait_for_copies();
      __syncthreads();
#pragma unroll 1
      for (int step = product.first_step(); step < Gather::steps; step += Gather::step_warps) {
        product.add(gradient, windows, step, y, g.height);
      }
    }
    // The warps that share channels add up their sums in order.
#pragma unroll
    for (int step = 0; step < Gather::step_warps; ++step) {
      __syncthreads();
      if (product.first_step() == step) product.put(sums, step == 0);
    }
    __syncthreads();
    for (int o = static_cast<int>(threadIdx.x) / warp_threads; o < outputs; o += Gather::warps) {
      for (int row = static_cast<int>(threadIdx.x) % warp_threads; row < channels * rings; row += warp_threads) {
        to[o * p.all_rows + row] = sums[Gather::sums_place(o) + row];
      }
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
