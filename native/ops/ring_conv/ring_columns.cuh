// Ring sums of standard 2-D kernels at stride 1 for the bfloat16 product, without runs in shared memory: a thread has
// two neighbouring columns of a channel and slides down the rows of its window (ring_sums.cuh). Everything but the
// window is in registers.
#pragma once

#include "cuda/bfloat16_product.cuh"
#include "cuda/box_tiling.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/ring_sums.cuh"

namespace gmr::cuda {

// A box of the outputs of RingColumns.
Box choose_columns_box(const WindowGeometry& g, int64_t images, int rings);

// is_masked: columns that stand for nothing are zero, as a sum over columns wants it.
template <int side, bool is_masked>
struct RingColumns {
  using Discs = StandardDiscs<side>;
  static constexpr int half = Discs::half, rings = Discs::rings;
  static constexpr int threads = columns_threads, pixels = columns_pixels;
  static constexpr int panel_rows = columns_channels * rings;
  static constexpr int steps = rings;  // 16 channels of a ring each
  static constexpr bool is_interleaved = true;
  static constexpr int channel_step = 2;
  // Columns of the window to the left of the box: even, so that its pairs are words.
  static constexpr int margin = (half + 1) / 2 * 2;
  static constexpr int words_a_pair = (margin + half + 3) / 2;  // that a thread reads of a row

  const bfloat16* x;
  Window window;
  int box_images, box_rows, box_columns;  // columns even
  int64_t images, all_channels, in_plane, tiles;
  int rows, chunk_depth, work_floats;
  int pairs;           // of a row of the box
  int piece_elements;  // that are copied at a time; 1: neighbours are no words; 0: planes are
  int pieces;          // of a row of the window
  int copiers;         // threads that copy the same piece of different channels
  int image_words, channel_words;
  Divisor tiles_y, tiles_x;
  SmallDivisor by_pairs, by_image_columns, by_columns, by_pieces, by_window_rows, by_image_pieces, by_height;

  RingColumns(const bfloat16* x, const WindowGeometry& g, const Box& box, int64_t images, int64_t all_channels,
              int64_t group_channels)
      : x(x),
        window(g),
        box_images(box.images),
        box_rows(box.extent[1]),
        box_columns(box.extent[2]),
        images(images),
        all_channels(all_channels),
        in_plane(volume(g.in)),
        rows(rings),
        chunk_depth(panel_rows),
        pairs(box_columns / 2),
        piece_elements(piece_of(g, box, group_channels)),
        pieces(pieces_of(pairs - 1 + words_a_pair, piece_elements)),
        tiles_y(parts(g.out[1], box_rows)),
        tiles_x(parts(g.out[2], box_columns)),
        by_pairs(pairs),
        by_image_columns(box_rows * box_columns),
        by_columns(box_columns),
        by_pieces(pieces),
        by_window_rows(window_rows()),
        by_image_pieces(box_images * window_rows() * pieces),
        by_height(g.in[1]) {
    tiles = parts(images, box_images) * parts(g.out[1], box_rows) * parts(g.out[2], box_columns);
    copiers = 1;
    while (2 * copiers * box_images * window_rows() * pieces <= threads && copiers < 4) copiers *= 2;
    // The lanes of a warp, pairs of images of channels, read neighbouring banks.
    int lanes = 1;
    while (lanes < pairs) lanes *= 2;
    image_words = padded_words(window_rows() * columns_row_words, lanes);
    channel_words = padded_words(box_images * image_words, columns_slots);
    if (piece_elements > 2) {  // so that pieces are aligned
      image_words = padded_words(image_words, std::max(lanes, 4));
      channel_words = padded_words(box_images * image_words, columns_slots);
    }
    work_floats = columns_channels * channel_words;
    if (piece_elements == 0) work_floats += static_cast<int>(box_images * columns_channels * in_plane / 2);
  }

  static int64_t parts(int64_t extent, int64_t part) { return (extent + part - 1) / part; }

  // The longest pieces of which every row of x is a whole number.
  static int piece_of(const WindowGeometry& g, const Box& box, int64_t group_channels) {
    if ((g.padding[2] - half) % 2 == 0) {
      for (int elements = 8; elements > 1; elements /= 2) {
        if (g.in[2] % elements == 0) return elements;
      }
    }
    const bool is_whole = g.out == g.in && box.extent[1] >= g.out[1] && box.extent[2] >= g.out[2];
    return is_whole && group_channels % columns_channels == 0 ? 0 : 1;
  }

  // That hold so many words, wherever in the first piece these begin.
  static int pieces_of(int words, int elements) {
    if (elements < 2) return words;
    return (2 * words + elements - 2 + elements - 1) / elements;
  }

  __host__ __device__ int window_rows() const { return box_rows + 2 * half; }
  __host__ __device__ int steps_of(int) const { return rings; }

  class AtTile;
};

template <int side, bool is_masked>
class RingColumns<side, is_masked>::AtTile {
 public:
  __device__ AtTile(const RingColumns& gather, int64_t tile, float* work)
      : g_(gather), windows_(reinterpret_cast<uint32_t*>(work)) {
    const auto [rows_of_tiles, x_part] = g_.tiles_x.divide(tile);
    const auto [image_part, y_part] = g_.tiles_y.divide(rows_of_tiles);
    first_image_ = image_part * g_.box_images;
    y_ = static_cast<int>(y_part) * g_.box_rows;
    x_ = static_cast<int>(x_part) * g_.box_columns;
    const int first = x_ - g_.window.padding[2] - (margin - half);
    shift_ = g_.piece_elements > 1 ? first & (g_.piece_elements - 1) : 0;
    first_x_ = first - shift_;
    if (g_.piece_elements > 0) {
      own_ = piece_at(static_cast<int>(threadIdx.x));
    } else {
      clear_windows();
    }
  }

  __device__ PlacePair pair(int column) const {
    const int image = g_.by_image_columns.divide(column), rest = column - image * g_.by_image_columns.divisor();
    const int row = g_.by_columns.divide(rest);
    const int y = y_ + row, x = x_ + rest - row * g_.box_columns, width = g_.window.out[2];
    const bool is_there =
        image < g_.box_images && first_image_ + image < g_.images && y < g_.window.out[1] && x < width;
    const int64_t pixel = int64_t{y} * width + x;
    const int64_t at = is_there ? first_image_ + image : -1;
    const bool has_second = x + 1 < width;
    return {{at, pixel}, {has_second ? at : -1, pixel + 1}, is_there && has_second && width % 2 == 0};
  }

  // The windows of 16 channels, with zeros where there is no input or no channel.
  __device__ void start(int64_t first_channel, const Chunk& chunk) const {
    if (chunk.depth > 0) {
      const int64_t first = first_channel + chunk.first_row / rings;
      const int channels = chunk.depth / rings;
      switch (g_.piece_elements) {
        case 8:
          copy_windows<uint4>(first, channels);
          break;
        case 4:
          copy_windows<uint2>(first, channels);
          break;
        case 2:
          copy_windows<uint32_t>(first, channels);
          break;
        case 1:
          copy_elements(first, channels);
          break;
        default:
          copy_planes(first);
      }
    }
    finish_group();
  }

  __device__ void fill(bfloat16* panel, int64_t first_channel, const Chunk& chunk, const Chunk& next) const {
    wait_for_all_groups_but<1>();
    __syncthreads();
    if (g_.piece_elements == 0) {
      spread_planes();
      __syncthreads();
    }
    const int channel = static_cast<int>(threadIdx.x) / columns_slots;
    const int slot = static_cast<int>(threadIdx.x) % columns_slots;
    const int image = g_.by_pairs.divide(slot), pair = slot - image * g_.pairs;
    if (image < g_.box_images) {
      const uint32_t* window = windows_ + channel * g_.channel_words + image * g_.image_words + pair + shift_ / 2;
      bfloat16* out = panel + ChunkOrder::place_of<channel_step>(channel) * bfloat16_pitch(pixels) +
                      image * g_.by_image_columns.divisor() + 2 * pair;
      const auto sum_rings = [&](auto box_rows) {
        const uint32_t at = shared_address(window), to = shared_address(out);
        // What of the columns, and of the rows, stands for an output.
        [[maybe_unused]] const int columns = g_.window.out[2] - x_ - 2 * pair, there = g_.window.out[1] - y_;
        [[maybe_unused]] const uint32_t mask = columns <= 0 ? 0 : columns == 1 ? 0xffffu : 0xffffffffu;
        uint32_t row_at[box_rows];
#pragma unroll
        for (int y = 0; y < box_rows; ++y) row_at[y] = to + y * g_.box_columns * static_cast<int>(sizeof(bfloat16));
        RingSums<side, 2, box_rows, margin> sums;
        sums.make(
            0, box_rows + 2 * half,
            [&](auto r, float(&x)[2 * words_a_pair]) {
              unroll<words_a_pair>([&](auto i) {
                const uint32_t word = load_word<(r * columns_row_words + i) * 4>(at);
                x[2 * i] = first_of(word);
                x[2 * i + 1] = second_of(word);
              });
            },
            [&](auto l, auto y, const float(&sum)[2]) {
              uint32_t word = rounded_pair(sum[0], sum[1]);
              if constexpr (is_masked) word &= y < there ? mask : 0;
              store_word<l * bfloat16_depth * bfloat16_pitch(pixels) * static_cast<int>(sizeof(bfloat16))>(row_at[y],
                                                                                                           word);
            });
      };
      if (g_.box_rows == columns_most_rows) {
        sum_rings(std::integral_constant<int, columns_most_rows>{});
      } else {
        sum_rings(std::integral_constant<int, columns_most_rows - 1>{});
      }
    }
    __syncthreads();
    start(first_channel, next);  // the windows are free again
  }

 private:
  static __device__ bool is_below(int i, int extent) {
    return static_cast<unsigned>(i) < static_cast<unsigned>(extent);
  }

  // Where piece i of the window of a channel, and of every `copiers`th behind it, comes from and goes to.
  struct PieceCopy {
    int64_t from;  // from the tile's first channel
    int to;        // in words
    int channel;
    bool has_first, has_last;  // of its elements
  };

  __device__ PieceCopy piece_at(int i) const {
    const int count = g_.by_image_pieces.divisor();
    const int channel = g_.by_image_pieces.divide(i), place = i - channel * count;
    const int all_rows = g_.by_pieces.divide(place), image = g_.by_window_rows.divide(all_rows);
    const int row = all_rows - image * g_.window_rows(), piece = place - all_rows * g_.pieces;
    const int elements = max(g_.piece_elements, 2);
    const int y = y_ - g_.window.padding[1] + row, x = first_x_ + elements * piece;
    const bool has_row = first_image_ + image < g_.images && is_below(y, g_.window.in[1]);
    return {((first_image_ + image) * g_.all_channels + channel) * g_.in_plane + int64_t{y} * g_.window.in[2] + x,
            channel * g_.channel_words + image * g_.image_words + row * columns_row_words + elements / 2 * piece,
            channel, has_row && is_below(x, g_.window.in[2]), has_row && is_below(x + elements - 1, g_.window.in[2])};
  }

  // f(piece) for a thread's pieces, of which most have one.
  template <typename F>
  __device__ void for_pieces(F&& f) const {
    const int count = g_.by_image_pieces.divisor() * g_.copiers;
    if (static_cast<int>(threadIdx.x) < count) f(own_);
    for (int i = static_cast<int>(threadIdx.x) + threads; i < count; i += threads) f(piece_at(i));
  }

  template <typename Piece>
  __device__ void copy_windows(int64_t first_channel, int channels) const {
    for_pieces([&](const PieceCopy& piece) {
      const bool is_there = piece.has_first && piece.channel < channels;
      const auto* from =
          reinterpret_cast<const Piece*>(g_.x + (is_there ? piece.from + first_channel * g_.in_plane : 0));
      const int64_t step = is_there ? g_.copiers * g_.in_plane / (sizeof(Piece) / sizeof(bfloat16)) : 0;
      const int to_step = g_.copiers * g_.channel_words;
      uint32_t* to = windows_ + piece.to;
      if (channels == columns_channels) {
#pragma unroll 4
        for (int channel = piece.channel; channel < columns_channels; channel += g_.copiers) {
          copy_or_zero(reinterpret_cast<Piece*>(to), from, is_there);
          to += to_step;
          from += step;
        }
      } else {
        for (int channel = piece.channel; channel < columns_channels; channel += g_.copiers, to += to_step) {
          copy_or_zero(reinterpret_cast<Piece*>(to), from, is_there && channel < channels);
          if (channel + g_.copiers < channels) from += step;
        }
      }
    });
  }

  // Two elements at a time.
  __device__ void copy_elements(int64_t first_channel, int channels) const {
    for_pieces([&](const PieceCopy& piece) {
      const bfloat16* from = g_.x + piece.from + first_channel * g_.in_plane;
      uint32_t* to = windows_ + piece.to;
#pragma unroll 4
      for (int channel = piece.channel; channel < columns_channels; channel += g_.copiers) {
        const uint32_t first = piece.has_first && channel < channels ? from[0].bits : 0;
        const uint32_t second = piece.has_last && channel < channels ? from[1].bits : 0;
        *to = second << 16 | first;
        to += g_.copiers * g_.channel_words;
        from += g_.copiers * g_.in_plane;
      }
    });
  }

  // Where x has odd rows and a box whole images, the planes of 16 channels are copied as they lie, which is aligned,
  // and taken apart by rows. What is around them stays zero.
  __device__ uint4* planes() const { return reinterpret_cast<uint4*>(windows_ + columns_channels * g_.channel_words); }

  __device__ void clear_windows() const {
    for (int i = static_cast<int>(threadIdx.x); i < columns_channels * g_.channel_words / 4; i += threads) {
      reinterpret_cast<uint4*>(windows_)[i] = {0, 0, 0, 0};
    }
  }

  __device__ void copy_planes(int64_t first_channel) const {
    const auto pieces = static_cast<int>(columns_channels * g_.in_plane / 8);
    for (int image = 0; image < g_.box_images; ++image) {
      const bool is_there = first_image_ + image < g_.images;
      const int64_t from = ((first_image_ + image) * g_.all_channels + first_channel) * g_.in_plane;
      const auto* plane = reinterpret_cast<const uint4*>(g_.x + (is_there ? from : 0));
      for (int i = static_cast<int>(threadIdx.x); i < pieces; i += threads) {
        copy_or_zero(planes() + image * pieces + i, plane + (is_there ? i : 0), is_there);
      }
    }
  }

  __device__ void spread_planes() const {
    const int height = g_.window.in[1], width = g_.window.in[2];
    const auto* from = reinterpret_cast<const bfloat16*>(planes());
    auto* to = reinterpret_cast<bfloat16*>(windows_);
    // Lanes have channels of their own, whose windows and planes lie in several banks.
    for (int i = static_cast<int>(threadIdx.x); i < g_.box_images * columns_channels * height; i += threads) {
      const int channel = i % columns_channels, image_rows = i / columns_channels;
      const int image = g_.by_height.divide(image_rows), row = image_rows - image * height;
      const int window =
          channel * g_.channel_words + image * g_.image_words + (g_.window.padding[1] + row) * columns_row_words;
      const bfloat16* plane = from + ((image * columns_channels + channel) * height + row) * width;
#pragma unroll 4
      for (int x = 0; x < width; ++x) to[2 * window - first_x_ + x] = plane[x];
    }
  }

  const RingColumns& g_;
  uint32_t* windows_;  // [channel][image][row][word]
  int64_t first_image_;
  int y_, x_;    // of the tile's first output
  int first_x_;  // of the windows' first column
  PieceCopy own_;
  int shift_;  // columns from there to what the first pair needs
};

}  // namespace gmr::cuda
