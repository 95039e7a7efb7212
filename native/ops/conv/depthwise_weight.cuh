// The weight gradient of the layers of depthwise.cuh: a convolution of x with dy, whose outputs are the taps. A thread
// has `rows` x 4 taps of a plane and a share of dy: four columns of a band of rows. Shares are added up in order when a
// block has been through its tiles, which are planes, or bands of them, of one channel, or of several where they are
// small. Of eight neighbouring threads, which read 16 bytes of either tensor at a time, nearly all meet different banks or
// the same words.
#pragma once

#include "ops/conv/depthwise.cuh"

namespace gmr::cuda {

// Shares are neighbours by chunks of four columns of dy, then planes, then bands, and lie in shared memory at one
// distance, modulo the banks. Threads have eight shares of a block of taps each; the few left over come behind, of one
// block after the other, where the next block of a row of taps sees the same dy and an x that is one chunk further.
struct DepthwiseWeightTile {
  int chunks, planes, bands;
  int tap_rows, tap_columns, tap_parts;  // blocks of taps of a tile; tiles that a kernel's rows are cut into
  int band_rows, rows, parts;            // rows of dy of a thread and of a tile; tiles of a plane
  int pitch, plane_floats;               // of the window of x
  int dy_pitch, dy_plane_floats;

  __host__ __device__ int tap_blocks() const { return tap_rows * tap_columns; }
  __host__ __device__ int shares() const { return chunks * planes * bands; }
  __host__ __device__ int whole_shares() const { return shares() / int{access_lanes} * int{access_lanes}; }
  int threads() const {
    return static_cast<int>(divided_up(int64_t{shares()} * tap_blocks(), warp_threads)) * warp_threads;
  }
  // Of the sums, as [row of a thread][block of taps][share] of four, from block to block: an odd number, so that threads
  // which add up those of neighbouring blocks meet different banks.
  __host__ __device__ int sums_pitch() const { return (shares() | 1) * sum_columns; }
  __host__ __device__ int sums_floats(int rows_a_thread) const { return rows_a_thread * tap_blocks() * sums_pitch(); }
  // Behind the sums lie those of bands.
  int floats(int rows_a_thread, int taps) const {
    return std::max(planes * (plane_floats + dy_plane_floats), sums_floats(rows_a_thread) + bands * planes * taps);
  }
};

// Rows of taps of a thread: with more of them a read serves more multiply-adds, but more may be taps that no kernel has.
inline int depthwise_tap_rows(int64_t kernel_height) {
  int best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const int rows : {9, 7, 5, 3}) {
    const double cost = static_cast<double>(divided_up(kernel_height, rows)) * (rows + 1);
    if (cost < least) {
      least = cost;
      best = rows;
    }
  }
  return best;
}

// How many pieces the tiles of a channel are cut into, so that none is longer than it must be.
struct DepthwiseWeightPieces {
  int64_t tiles, count;  // of a channel, or of those of a tile
  int64_t items;         // of all

  DepthwiseWeightPieces(const ProductShape& shape, int64_t planes, int64_t parts, int64_t tap_parts)
      : tiles(shape.images * parts) {
    const int64_t channel_items = divided_up(shape.groups, planes) * shape.outputs * tap_parts;
    const int64_t most = std::clamp<int64_t>(depthwise_weight_items / channel_items, 1, tiles);
    count = divided_up(tiles, divided_up(tiles, most));
    items = channel_items * count;
  }

  // Of the multiprocessor that has the most, in what a tile costs and a piece beside its tiles.
  int64_t cost(int64_t of_tile, int64_t of_piece) const {
    return divided_up(items, h100_multiprocessors) * (divided_up(tiles, count) * of_tile + of_piece);
  }
};

// The least pitch from `quads` on, in units of 16 bytes, at which `rows` rows further the banks are those `shares` further;
// 0 if there is none.
inline int64_t following_quads(int64_t quads, int64_t rows, int64_t shares) {
  for (int64_t q = quads; q < quads + access_lanes; ++q) {
    if ((q * rows - shares) % access_lanes == 0) return q;
  }
  return 0;
}

inline std::optional<DepthwiseWeightTile> choose_depthwise_weight_tile(const ProductShape& shape,
                                                                       const WindowGeometry& g) {
  if (!is_depthwise(shape, g)) return {};
  const int64_t height = g.out[1], chunks = divided_up(g.out[2], sum_columns);
  const int rows_a_thread = depthwise_tap_rows(g.kernel[1]);
  const int64_t all_tap_rows = divided_up(g.kernel[1], rows_a_thread),
                tap_columns = divided_up(g.kernel[2], sum_columns);
  if (chunks * tap_columns > block_threads) return {};
  struct Choice {
    DepthwiseWeightTile tile;
    int64_t cost;
  };
  std::optional<Choice> best;
  const auto consider = [&](int64_t planes, int64_t parts, int64_t tap_rows, int64_t cost_percent) {
    const int64_t rows = divided_up(height, parts), quads = chunks + tap_columns,
                  tap_parts = divided_up(all_tap_rows, tap_rows);
    if (4 * planes * rows * (quads + chunks) > depthwise_shared_floats) return;
    const DepthwiseWeightPieces pieces(shape, planes, parts, tap_parts);
    for (int64_t band_rows = std::min<int64_t>(rows, rows_a_thread - 1); band_rows <= rows; ++band_rows) {
      const int64_t bands = divided_up(rows, band_rows), threads = chunks * planes * bands * tap_rows * tap_columns;
      // All bands have rows enough for the loop over rows that all sums see, if the plane has.
      const bool is_short = rows - (bands - 1) * band_rows < rows_a_thread - 1;
      if (threads > block_threads || (is_short && bands > 1)) continue;
      // Of a warp: multiply-adds, and what reads a row; stores of sums, and additions of shares. Fewer warps would not
      // hide what they wait for.
      const int64_t warps = std::max<int64_t>(divided_up(threads, warp_threads), depthwise_least_warps);
      const int64_t of_tile = int64_t{16} * rows_a_thread * band_rows + 12 * (band_rows + rows_a_thread - 1),
                    of_piece = int64_t{16} * rows_a_thread + 8 * chunks + 100;
      // Bands follow each other where eight threads see the end of one and the beginning of the next.
      const bool are_apart = bands == 1 || chunks * planes % access_lanes == 0;
      const int64_t following = are_apart ? quads : following_quads(quads, band_rows, chunks * planes);
      const int64_t x_quads = following == 0 ? quads : following;
      const int64_t dy_quads =
          are_apart || following == 0 ? chunks : following_quads(chunks, band_rows, chunks * planes);
      const int64_t cost =
          warps * pieces.cost(of_tile, of_piece) * cost_percent * (following == 0 ? depthwise_conflicts_percent : 100);
      if (best && cost >= best->cost) continue;
      const auto plane_quads = [&](int64_t count) {
        return count + (chunks + access_lanes - count % access_lanes) % access_lanes;
      };
      const auto narrow = [](int64_t value) { return static_cast<int>(value); };
      const DepthwiseWeightTile tile{narrow(chunks),
                                     narrow(planes),
                                     narrow(bands),
                                     narrow(tap_rows),
                                     narrow(tap_columns),
                                     narrow(tap_parts),
                                     narrow(band_rows),
                                     narrow(rows),
                                     narrow(parts),
                                     narrow(4 * x_quads),
                                     narrow(4 * plane_quads((rows + tap_rows * rows_a_thread - 1) * x_quads)),
                                     narrow(4 * dy_quads),
                                     narrow(4 * plane_quads(rows * dy_quads))};
      if (tile.floats(rows_a_thread, narrow(g.kernel[1] * g.kernel[2])) > depthwise_shared_floats) continue;
      best = Choice{tile, cost};
    }
  };
  if (shape.outputs == 1) {
    const int64_t most = std::min({shape.groups, shape.images * shape.groups / depthwise_least_blocks,
                                   block_threads / (chunks * all_tap_rows * tap_columns)});
    for (int64_t planes = most; planes > 1; --planes) {
      const bool are_whole = planes * height * g.out[2] % RowWalk::sector_elements == 0;
      consider(planes, 1, all_tap_rows, are_whole ? 100 : depthwise_sectors_percent);
    }
  }
  consider(1, 1, all_tap_rows, 100);
  for (int64_t parts = 1; parts <= height && !best; ++parts) {
    for (int64_t tap_parts = 1; tap_parts <= all_tap_rows && !best; ++tap_parts) {
      consider(1, parts, divided_up(all_tap_rows, tap_parts), 100);
    }
  }
  return best ? std::optional(best->tile) : std::nullopt;
}

struct DepthwiseWeight {
  ProductShape shape;
  DepthwiseWeightTile tile;
  ElementType type;
  const void *x, *dy;
  const int32_t* rings;  // of taps, -1: of none; nullptr: sums are those of taps
  float* partials;       // [parts][groups][outputs][rows]
  PlaneGeometry plane;
  int taps, rows;  // rings or taps
  DepthwiseWeightPieces pieces;
  RowWalk x_rows, dy_rows;
  Divisor by_pieces, by_tap_parts, by_outputs, by_parts;
  SmallDivisor by_whole_shares, by_other_shares, by_chunks, by_planes, by_tap_columns, by_tile_rows, by_rows;

  DepthwiseWeight(const ProductShape& shape, const WindowGeometry& g, const DepthwiseWeightTile& tile,
                  const int32_t* rings, int64_t rows, ElementType type, const void* x, const void* dy)
      : shape(shape),
        tile(tile),
        type(type),
        x(x),
        dy(dy),
        rings(rings),
        partials(nullptr),
        plane(g),
        taps(static_cast<int>(g.kernel[1] * g.kernel[2])),
        rows(static_cast<int>(rows)),
        pieces(shape, tile.planes, tile.parts, tile.tap_parts),
        x_rows(g.in[1], g.in[2], tile.pitch, tile.plane_floats, tile.threads(), elements_of_word(x, type, g.in[2])),
        dy_rows(g.out[1], g.out[2], tile.dy_pitch, tile.dy_plane_floats, tile.threads(),
                elements_of_word(dy, type, g.out[2])),
        by_pieces(pieces.count),
        by_tap_parts(tile.tap_parts),
        by_outputs(shape.outputs),
        by_parts(tile.parts),
        by_whole_shares(std::max(tile.whole_shares(), 1)),
        by_other_shares(std::max(tile.shares() - tile.whole_shares(), 1)),
        by_chunks(tile.chunks),
        by_planes(tile.planes),
        by_tap_columns(tile.tap_columns),
        by_tile_rows(int64_t{tile.tap_rows} * depthwise_tap_rows(g.kernel[1])),
        by_rows(rows) {}

  int64_t size() const { return shape.groups * shape.outputs * rows; }
  // That are added up. A ring has taps in several parts of a kernel.
  int64_t parts() const { return rings == nullptr ? pieces.count : pieces.count * tile.tap_parts; }
};

template <int rows_a_thread>
__device__ void depthwise_weight(const DepthwiseWeight& p) {
  extern __shared__ float4 shared_memory[];
  auto* window = reinterpret_cast<float*>(shared_memory);
  const DepthwiseWeightTile& tile = p.tile;
  float* gradient = window + tile.planes * tile.plane_floats;
  const auto thread = static_cast<int>(threadIdx.x);
  const int whole = tile.whole_shares(), behind = thread - whole * tile.tap_blocks();
  const bool has_whole = behind < 0, has_block = thread < tile.shares() * tile.tap_blocks();
  const int block = has_whole ? p.by_whole_shares.divide(thread) : p.by_other_shares.divide(behind);
  const int share = has_whole ? thread - block * whole : whole + behind - block * (tile.shares() - whole);
  const int tap_row = p.by_tap_columns.divide(block), tap_column = block - tap_row * tile.tap_columns;
  const int above_chunk = p.by_chunks.divide(share), band = p.by_planes.divide(above_chunk);
  const int chunk = share - above_chunk * tile.chunks, plane = above_chunk - band * tile.planes;
  const int first_row = band * tile.band_rows;
  const uint32_t x =
      shared_address(window + plane * tile.plane_floats + (first_row + tap_row * rows_a_thread) * tile.pitch +
                     (chunk + tap_column) * sum_columns);
  const uint32_t dy =
      shared_address(gradient + plane * tile.dy_plane_floats + first_row * tile.dy_pitch + chunk * sum_columns);
  const uint32_t sums_at = shared_address(window + block * tile.sums_pitch() + share * sum_columns);
  const int columns = min(sum_columns, p.plane.out[1] - chunk * sum_columns);
  for (int64_t item = blockIdx.x; item < p.pieces.items; item += gridDim.x) {
    const auto [gradient_part, piece] = p.by_pieces.divide(item);
    const auto [pair, tap_part] = p.by_tap_parts.divide(gradient_part);
    const auto [part, output] = p.by_outputs.divide(pair);
    const int first_tap_row = static_cast<int>(tap_part) * tile.tap_rows * rows_a_thread;
    const int tap_rows = min(tile.tap_rows * rows_a_thread, p.plane.kernel[0] - first_tap_row);
    const int64_t first_channel = part * tile.planes;
    const auto planes = static_cast<int>(min(int64_t{tile.planes}, p.shape.groups - first_channel));
    const bool has_taps = has_block && plane < planes;
    float sum[rows_a_thread][sum_columns] = {};
    const int64_t first_tile = p.pieces.tiles * piece / p.pieces.count,
                  last_tile = p.pieces.tiles * (piece + 1) / p.pieces.count;
    for (int64_t i = first_tile; i < last_tile; ++i) {
      const auto [image, of_plane] = p.by_parts.divide(i);
      const int y = static_cast<int>(of_plane) * tile.rows, rows = min(tile.rows, p.plane.out[0] - y);
      const int above = y + first_tap_row - p.plane.padding[0], top = max(above, 0),
                end = min(above + rows + tap_rows - 1, p.plane.in[0]);
      const int64_t x_plane = image * p.shape.groups + first_channel;
      // Borders of whole planes are the same in all tiles.
      if (i == first_tile || tile.parts > 1) {
        zero_floats(window, tile.planes * (tile.plane_floats + tile.dy_plane_floats));
        __syncthreads();
      }
      if (end > top) {  // else the tile sees padding only
        copy_rows(p.x, p.type, x_plane * p.shape.in_plane + int64_t{top} * p.plane.in[1],
                  (planes - 1) * p.plane.in[0] + end - top, p.x_rows,
                  window + (top - above) * tile.pitch + p.plane.padding[1]);
      }
      copy_rows(p.dy, p.type, (x_plane * p.shape.outputs + output) * p.shape.out_plane + int64_t{y} * p.plane.out[1],
                (planes - 1) * p.plane.out[0] + rows, p.dy_rows, gradient);
      wait_for_copies();
      __syncthreads();
      const int height = min(tile.band_rows, rows - first_row);
      if (has_taps && height > 0) {
        const auto slide = [&](int there) {
          slide_rows<sum_columns>(sum, x, tile.pitch * 4, dy, tile.dy_pitch * 4, height, there);
        };
        if (p.plane.out[1] % sum_columns == 0) {
          slide(sum_columns);
        } else {
          slide(columns);
        }
      }
      __syncthreads();
    }
    const int blocks = tile.tap_blocks(), sums_pitch = tile.sums_pitch();
    if (has_block) {
      uint32_t to = sums_at;
#pragma unroll
      for (int j = 0; j < rows_a_thread; ++j, to += blocks * sums_pitch * static_cast<int>(sizeof(float))) {
        store_floats<0>(to, sum[j]);
      }
    }
    __syncthreads();
    float* of_bands = window + tile.sums_floats(rows_a_thread);  // [band][plane][tap]
    const int tile_rows = tile.tap_rows * rows_a_thread, kernel_width = p.plane.kernel[1];
#pragma unroll 1
    for (int i = thread; i < tile.bands * tile.planes * tile_rows * tile.tap_columns;
         i += static_cast<int>(blockDim.x)) {
      const int above = p.by_tap_columns.divide(i), plane_band = p.by_tile_rows.divide(above);
      const int column = i - above * tile.tap_columns, row = above - plane_band * tile_rows;
      const int of_block = row / rows_a_thread * tile.tap_columns + column;
      const uint32_t sums = shared_address(window + (row % rows_a_thread * blocks + of_block) * sums_pitch +
                                           plane_band * tile.chunks * sum_columns);
      float total[sum_columns] = {};
#pragma unroll 1
      for (int c = 0; c < tile.chunks; ++c) {
        float more[sum_columns];
        load_floats<0>(sums + c * static_cast<uint32_t>(sizeof(more)), more);
#pragma unroll
        for (int k = 0; k < sum_columns; ++k) total[k] += more[k];
      }
      const int first_tap = plane_band * p.taps + row * kernel_width + column * sum_columns;
#pragma unroll
      for (int k = 0; k < sum_columns; ++k) {
        if (row < tap_rows && column * sum_columns + k < kernel_width) of_bands[first_tap + k] = total[k];
      }
    }
    __syncthreads();
    // Of several planes a tile has all taps, and channels of one output.
    const int tile_taps = tap_rows * kernel_width, before = first_tap_row * kernel_width;
    const int64_t partial = p.rings == nullptr ? piece : piece * tile.tap_parts + tap_part;
    const int64_t channel = first_channel * p.shape.outputs + output;
    float* partials = p.partials + (partial * p.shape.groups * p.shape.outputs + channel) * p.rows;
#pragma unroll 1
    for (int i = thread; i < planes * tile_taps; i += static_cast<int>(blockDim.x)) {
      float total = 0;
#pragma unroll 1
      for (int b = 0; b < tile.bands; ++b) total += of_bands[b * tile.planes * p.taps + i];
      if (p.rings == nullptr) {
        partials[before + i] = total;
      } else {
        of_bands[i] = total;
      }
    }
    if (p.rings != nullptr) {
      __syncthreads();
#pragma unroll 1
      for (int i = thread; i < planes * p.rows; i += static_cast<int>(blockDim.x)) {
        const int of_tile = p.by_rows.divide(i), ring = i - of_tile * p.rows;
        float total = 0;
        for (int tap = 0; tap < tile_taps; ++tap) {
          if (p.rings[before + tap] == ring) total += of_bands[of_tile * p.taps + tap];
        }
        partials[i] = total;
      }
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
