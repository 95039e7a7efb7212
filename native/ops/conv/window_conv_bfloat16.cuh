// The convolution of bfloat16 activations from windows in shared memory (tap_window.cuh), without a panel: 16 channels
// lie beside each other at each place, as two times 16 bytes, so that under any tap, at any stride and dilation, the
// rows that ldmatrix wants are places.
//
//   staged   [16 channels][rows of the window] as they lie in x, 16 bytes at a time       by cp.async, a part ahead
//     -> window [2 halves][places][8 channels], with zeros where there is no input        once a part
//   weights  [taps of a slice][fragments], of pack_weights                                by cp.async, a slice ahead
//     -> sums of outputs x pixels                                                         in registers
//
// Rows are staged so that 16 aligned bytes of x are 16 aligned bytes of shared memory, whatever the width: all distances
// are those of x modulo 8 elements.
#pragma once

#include "cuda/bfloat16_product.cuh"
#include "ops/conv/conv_cuda_tuning.h"
#include "ops/conv/tap_window.cuh"

namespace gmr::cuda {

constexpr int window_threads = 128;
constexpr int window_channels = 16;  // of a chunk: the depth of one product
constexpr int window_half = 8;       // channels of a half

// The product of four warps.
template <int tile_outputs, int tile_pixels, int output_warps>
struct WindowTile : Bfloat16Results<tile_outputs, tile_pixels, window_threads, output_warps> {
  using Results = Bfloat16Results<tile_outputs, tile_pixels, window_threads, output_warps>;
  using Results::first_output, Results::first_pixel, Results::lane, Results::m_tiles, Results::n_tiles,
      Results::outputs, Results::sums;
  static constexpr int n_pairs = (n_tiles + 1) / 2;
  static constexpr int slice_taps = window_slice_taps(outputs);  // whose weights are copied at a time
  static constexpr int tap_elements = outputs * bfloat16_depth;

  // Where a lane reads of the window: of the pair j of products, pixel and half of a row of its matrix.
  __device__ static int lane_pixel(int j) { return first_pixel() + 16 * j + lane() / 16 * 8 + lane() % 8; }
  __device__ static int lane_half() { return lane() / 8 % 2; }

  // Adds `taps` taps, whose weights follow each other.
  __device__ void add(const bfloat16* weights, const uint32_t (&at)[n_pairs], const int32_t* tap_places, int taps) {
    const auto* a_at = reinterpret_cast<const uint4*>(weights) + first_output() / 16 * warp_threads + lane();
    int next = tap_places[0];
#pragma unroll 1
    for (int tap = 0; tap < taps; ++tap) {
      const uint32_t to_tap = next * static_cast<int>(sizeof(uint4));
      next = tap_places[tap + 1];
      uint4 a[m_tiles];
      uint2 b[n_tiles];
#pragma unroll
      for (int j = 0; j + 1 < n_tiles; j += 2) {
        const uint4 two = load_four_matrices(at[j / 2] + to_tap);
        b[j] = {two.x, two.y};
        b[j + 1] = {two.z, two.w};
      }
      if constexpr (n_tiles % 2 == 1) b[n_tiles - 1] = load_two_matrices(at[n_pairs - 1] + to_tap);
#pragma unroll
      for (int i = 0; i < m_tiles; ++i) a[i] = a_at[i * warp_threads];
      sums.add(a, b);
      a_at += outputs / 16 * warp_threads;
    }
  }
};

// Distances in the staged rows, in elements, and what a block needs of shared memory besides weights.
struct StagedRows {
  int row_step, slice_step, image_step, channel_step;
  int pieces;  // of 16 bytes, of a row

  static constexpr int piece = 8;  // elements

  explicit StagedRows(const TapWindow& w) {
    // The least number >= least that is `step` modulo a piece.
    const auto padded = [](int64_t least, int64_t step) {
      return static_cast<int>(least + ((step - least) % piece + piece) % piece);
    };
    const auto& in = w.window.in;
    const int64_t length = w.span[2] + piece - 1;  // of a row, wherever it begins in its first piece
    row_step = padded(length, in[2]);
    slice_step = padded(int64_t{row_step} * (w.span[1] - 1) + length, int64_t{in[1]} * in[2]);
    image_step = padded(int64_t{slice_step} * (w.span[0] - 1) + int64_t{row_step} * (w.span[1] - 1) + length,
                        w.all_channels * w.in_plane);
    channel_step = padded(int64_t{image_step} * (w.box_images - 1) + int64_t{slice_step} * (w.span[0] - 1) +
                              int64_t{row_step} * (w.span[1] - 1) + length,
                          w.in_plane);
    pieces = static_cast<int>((length + piece - 1) / piece);
  }

  // Of all channels, and what the first begins behind.
  int elements() const { return (window_channels * channel_step + piece - 1 + piece - 1) / piece * piece; }
};

struct WindowGather {
  static constexpr int threads = window_threads, panel_rows = 0;
  static constexpr bool is_interleaved = true;
  static constexpr int channel_step = 2;

  const bfloat16* x;
  TapWindow window;
  StagedRows staged;
  int64_t tiles, elements;  // of x
  int rows, chunk_depth, steps, work_floats;
  SmallDivisor by_pieces, by_places, by_filled;

  // Its weights are read slice by slice of taps.
  WindowGather(const bfloat16* x, const TapWindow& window, int weights_bytes)
      : x(x),
        window(window),
        staged(window),
        tiles(window.tiles),
        elements(window.images * window.all_channels * window.in_plane),
        rows(window.taps),
        chunk_depth(window_channels * window.taps),
        steps(window.taps),
        work_floats(0),
        by_pieces(staged.pieces),
        by_places(int64_t{staged.pieces} * window_rows()),
        by_filled(int64_t{window_rows()} * window.span[2]) {
    work_floats = static_cast<int>((weights_bytes + bytes(window)) / sizeof(float));
  }

  // Of shared memory, for the window and the staged rows.
  static int64_t bytes(const TapWindow& w) {
    return int64_t{w.places} * window_channels * 2 + int64_t{StagedRows(w).elements()} * 2;
  }

  __host__ __device__ int window_rows() const { return window.box_images * window.span[0] * window.span[1]; }

  class AtTile;
};

// As store_tile wants it.
template <int tile_pixels>
struct WindowGatherOf : WindowGather {
  static constexpr int pixels = tile_pixels;
  using WindowGather::WindowGather;
};

class WindowGather::AtTile {
 public:
  __device__ AtTile(const WindowGather& gather, int64_t tile, bfloat16* window, bfloat16* staged)
      : g_(gather), corner_(gather.window.corner(tile)), window_(window), staged_(staged) {}

  __device__ PlacePair pair(int column) const {
    return pair_of(output(column), output(column + 1), g_.window.window.out_plane());
  }

  __device__ Place output(int column) const { return g_.window.output_of(corner_, column); }

  // Whether every position of the box is an output.
  __device__ bool is_whole() const {
    const TapWindow& w = g_.window;
    return corner_.image + w.box_images <= w.images && corner_.z + w.box[0] <= w.window.out[0] &&
           corner_.y + w.box[1] <= w.window.out[1] && corner_.x + w.box[2] <= w.window.out[2];
  }

  // Begins to copy the rows of up to 16 channels.
  __device__ void stage(int64_t first_channel, int channels, const TapWindow::Part& part) const {
    constexpr int piece = StagedRows::piece, channels_a_thread = 4;
    const Origin at = origin(first_channel, part);
    const TapWindow& w = g_.window;
    const auto& in = w.window.in;
    const int first = max(0, -at.x), last = min(w.span[2], in[2] - at.x);
    const int count = g_.by_places.divisor() * ((channels + channels_a_thread - 1) / channels_a_thread);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
      const int some = g_.by_places.divide(i), place = i - some * g_.by_places.divisor();
      const int all_rows = g_.by_pieces.divide(place), number = place - all_rows * g_.staged.pieces;
      const RowPosition row = row_of(all_rows);
      if (!is_inside(at, row)) continue;
      const int channel = some * channels_a_thread, there = min(channels_a_thread, channels - channel);
      int64_t from = at.element + row_element(row) + channel * w.in_plane;
      int to = at.shift + row_step(row) + channel * g_.staged.channel_step;
      const auto begin_of = [&](int64_t element) {  // of the piece, in the row
        return static_cast<int>(-(element & (piece - 1))) + number * piece;
      };
      const auto is_needed = [&](int begin) { return begin + piece > first && begin < last; };
      if (w.in_plane % piece == 0 && there == channels_a_thread) {
        // Rows of all channels begin alike, and the last piece of x is whole.
        const int begin = begin_of(from);
        if (!is_needed(begin)) continue;
        const auto* pieces = reinterpret_cast<const uint4*>(g_.x + from + begin);
        const int64_t step = w.in_plane / piece;
        bfloat16* staged = staged_ + to + begin;
#pragma unroll
        for (int c = 0; c < channels_a_thread; ++c, pieces += step, staged += g_.staged.channel_step) {
          copy_or_zero(reinterpret_cast<uint4*>(staged), pieces, true);
        }
      } else {
        for (int c = 0; c < there; ++c, from += w.in_plane, to += g_.staged.channel_step) {
          const int begin = begin_of(from);
          if (!is_needed(begin)) continue;
          const int64_t element = from + begin;
          const auto left = static_cast<int>(min(int64_t{piece}, g_.elements - element));
          copy_some(reinterpret_cast<uint4*>(staged_ + to + begin), reinterpret_cast<const uint4*>(g_.x + element),
                    left * static_cast<int>(sizeof(bfloat16)));
        }
      }
    }
  }

  // Makes the window of what has been staged.
  __device__ void fill(int64_t first_channel, int channels, const TapWindow::Part& part) const {
    const Origin at = origin(first_channel, part);
    const TapWindow& w = g_.window;
    const int count = g_.by_filled.divisor();
    const int64_t step = g_.staged.channel_step;
    for (int i = static_cast<int>(threadIdx.x); i < 2 * count; i += threads) {
      const int half = i < count ? 0 : 1, place = i - half * count;
      const int all_rows = w.span_x.divide(place), x = place - all_rows * w.span[2];
      const RowPosition row = row_of(all_rows);
      uint4 words{};
      if (is_inside(at, row) && static_cast<unsigned>(at.x + x) < static_cast<unsigned>(w.window.in[2])) {
        const auto* from = reinterpret_cast<const uint16_t*>(staged_) + at.shift + row_step(row) + x;
        const int first = half * (window_half / 2);
        from += first * step;
        // Channels 8 apart are neighbours, as pack_weights wants it.
        if (channels == window_channels) {
          const auto* far = from + int64_t{window_half} * step;
          const auto next = [&] {
            const uint32_t word = __byte_perm(*from, *far, 0x5410);
            from += step;
            far += step;
            return word;
          };
          words.x = next();
          words.y = next();
          words.z = next();
          words.w = next();
        } else {
          const auto word = [&](int k) {
            const uint32_t low = first + k < channels ? from[k * step] : 0;
            const uint32_t high = first + k + window_half < channels ? from[(k + window_half) * step] : 0;
            return high << 16 | low;
          };
          words = {word(0), word(1), word(2), word(3)};
        }
      }
      const int to = row.image * w.image_pitch + row.z * w.slice_pitch + row.y * w.row_pitch + w.column_place(x);
      reinterpret_cast<uint4*>(window_)[half * w.places + to] = words;
    }
  }

 private:
  // Of a part's window: its first element, which may lie outside of x, and where that is staged.
  struct Origin {
    int z, y, x;
    int64_t element;
    int shift;
  };
  struct RowPosition {
    int image, z, y;
  };

  __device__ Origin origin(int64_t first_channel, const TapWindow::Part& part) const {
    const Window& w = g_.window.window;
    Origin at{corner_.z * w.stride[0] - w.padding[0] + part.z, corner_.y * w.stride[1] - w.padding[1] + part.y,
              corner_.x * w.stride[2] - w.padding[2] + part.x, 0, 0};
    at.element =
        (corner_.image * g_.window.all_channels + first_channel) * g_.window.in_plane + w.offset(at.z, at.y, at.x);
    at.shift = static_cast<int>(at.element & (StagedRows::piece - 1));
    return at;
  }

  __device__ RowPosition row_of(int all_rows) const {
    const TapWindow& w = g_.window;
    const int slices = w.span_y.divide(all_rows), image = w.span_z.divide(slices);
    return {image, slices - image * w.span[0], all_rows - slices * w.span[1]};
  }

  __device__ bool is_inside(const Origin& at, const RowPosition& row) const {
    const TapWindow& w = g_.window;
    return corner_.image + row.image < w.images && w.window.is_inside(at.z + row.z, at.y + row.y, 0);
  }

  __device__ int64_t row_element(const RowPosition& row) const {
    const TapWindow& w = g_.window;
    return row.image * w.all_channels * w.in_plane + w.window.offset(row.z, row.y, 0);
  }
  __device__ int row_step(const RowPosition& row) const {
    return row.image * g_.staged.image_step + row.z * g_.staged.slice_step + row.y * g_.staged.row_step;
  }

  const WindowGather& g_;
  TapWindow::Corner corner_;
  bfloat16 *window_, *staged_;
};

template <typename Tile>
__device__ void window_product(const Bfloat16Product<WindowGatherOf<Tile::pixels>>& p) {
  extern __shared__ float4 shared_memory[];
  constexpr int slice_elements = Tile::slice_taps * Tile::tap_elements;
  const WindowGather& g = p.gather;
  auto* weights = reinterpret_cast<bfloat16*>(shared_memory);  // of two slices
  bfloat16* window = weights + 2 * slice_elements;
  bfloat16* staged = window + g.window.places * window_channels;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, output_part] = p.by_parts.divide(item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const WindowGather::AtTile at_tile(g, tile, window, staged);
    Tile product;
    start_sums(p, group, output_part * Tile::outputs, product);
    uint32_t at[Tile::n_pairs];
#pragma unroll
    for (int j = 0; j < Tile::n_pairs; ++j) {
      const int place = g.window.place_of(min(Tile::lane_pixel(j), Tile::pixels - 1));
      at[j] = shared_address(window + (Tile::lane_half() * g.window.places + place) * window_half);
    }

    const int64_t first_channel = group * p.shape.channels;
    const auto channels_at = [&](int64_t chunk) {
      return static_cast<int>(min(int64_t{window_channels}, p.shape.channels - chunk * window_channels));
    };
    const bfloat16* from = p.weights + (group * p.output_parts + output_part) * p.chunks * g.steps * Tile::tap_elements;
    // Weights of all chunks, parts and slices follow each other.
    const bfloat16* const end = from + p.chunks * g.steps * Tile::tap_elements;
    TapWindow::Part part = g.window.part_at(0);
    int buffer = 0;
    const auto start_weights = [&](int taps, int to) {
      copy_packed<Tile>(from, taps * Tile::tap_elements, weights + to * slice_elements);
      from += taps * Tile::tap_elements;
    };
    at_tile.stage(first_channel, channels_at(0), part);
    start_weights(min(Tile::slice_taps, part.end - part.first), 0);
    finish_group();
    int part_index = 0;
    for (int64_t chunk = 0; chunk < p.chunks;) {
      wait_for_all_groups_but<0>();
      __syncthreads();
      at_tile.fill(first_channel + chunk * window_channels, channels_at(chunk), part);
      __syncthreads();
      const TapWindow::Part own = part;
      const bool is_last_part = part_index + 1 == g.window.parts;
      part_index = is_last_part ? 0 : part_index + 1;
      chunk += is_last_part ? 1 : 0;
      if (chunk < p.chunks) {
        part = g.window.part_at(part_index);
        at_tile.stage(first_channel + chunk * window_channels, channels_at(chunk), part);
      }
      for (int tap = own.first; tap < own.end; tap += Tile::slice_taps) {
        const int next = tap + Tile::slice_taps;
        const bool is_last = next >= own.end;
        if (from != end)
          start_weights(min(Tile::slice_taps, is_last ? part.end - part.first : own.end - next), 1 - buffer);
        finish_group();
        product.add(weights + buffer * slice_elements, at, g.window.tap_places() + tap,
                    min(Tile::slice_taps, own.end - tap));
        buffer = 1 - buffer;
        if (!is_last) {
          wait_for_all_groups_but<0>();
          __syncthreads();
        }
      }
    }
    __syncthreads();
    finish_sums(p, group, output_part * Tile::outputs, product);
    store_tile(p, at_tile, product, group, output_part * Tile::outputs, reinterpret_cast<PairOffsets*>(weights));
  }
}

}  // namespace gmr::cuda
