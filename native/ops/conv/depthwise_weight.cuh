// The weight gradient of the layers of depthwise.cuh: a convolution of x with dy, whose outputs are the taps. A thread
// has `rows` x 4 taps of a plane and a share of dy: four columns of a band of rows. Shares are added up in order when a
// block has been through its tiles, which are planes, or bands of them, of one channel, or of several where they are
// small.
#pragma once

#include "ops/conv/depthwise.cuh"

namespace gmr::cuda {

// Neighbouring threads have neighbouring chunks of four columns of dy, then planes, bands, and blocks of taps.
struct DepthwiseWeightTile {
  int chunks, planes, bands;
  int tap_rows, tap_columns, tap_parts;  // blocks of taps of a tile; tiles that a kernel's rows are cut into
  int band_rows, rows, parts;            // rows of dy of a thread and of a tile; tiles of a plane
  int pitch, plane_floats;               // of the window of x
  int dy_pitch, dy_plane_floats;

  __host__ __device__ int shares() const { return chunks * planes * bands; }
  int threads() const {
    return static_cast<int>(divided_up(int64_t{shares()} * tap_rows * tap_columns, warp_threads)) * warp_threads;
  }
  int sums_floats(int rows_a_thread) const { return threads() * rows_a_thread * sum_columns; }
  // Behind the sums of threads lie those of taps.
  int floats(int rows_a_thread, int taps) const {
    return std::max(planes * (plane_floats + dy_plane_floats), sums_floats(rows_a_thread) + planes * taps);
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

// The least pitch from `quads` on, in floats of 16 bytes, at which `rows` rows further what eight threads read goes on as
// `chunks` neighbours do; 0 if there is none.
inline int64_t following_quads(int64_t quads, int64_t rows, int64_t chunks) {
  for (int64_t q = quads; q < quads + access_lanes; ++q) {
    if ((q * rows - chunks) % access_lanes == 0) return q;
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
  const int64_t step = access_lanes / std::gcd(std::gcd(chunks, height * g.out[2]), access_lanes);
  const auto tile_of = [&](int64_t planes, int64_t parts, int64_t tap_rows) -> std::optional<DepthwiseWeightTile> {
    const int64_t rows = divided_up(height, parts), quads = chunks + tap_columns;
    if (4 * planes * rows * (quads + chunks) > depthwise_shared_floats) return {};
    int64_t band_rows = 0;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t candidate = std::min<int64_t>(rows, rows_a_thread - 1); candidate <= rows; ++candidate) {
      const int64_t bands = divided_up(rows, candidate), threads = chunks * planes * bands * tap_rows * tap_columns;
      // All bands have rows enough for the loop over rows that all sums see, if the plane has.
      const bool is_short = rows - (bands - 1) * candidate < rows_a_thread - 1;
      if (threads > block_threads || (is_short && bands > 1)) continue;
      // Of a warp: multiply-adds, and what reads a row. Fewer warps would not hide what they wait for.
      const int64_t warps = std::max<int64_t>(divided_up(threads, warp_threads), depthwise_least_warps);
      const bool meets_twice = bands > 1 && planes == 1 && following_quads(quads, candidate, chunks) == 0;
      const double cost = static_cast<double>(warps * (int64_t{16} * rows_a_thread * candidate +
                                                       12 * (candidate + rows_a_thread - 1))) *
                          (meets_twice ? 1.02 : 1);
      if (cost < least) {
        least = cost;
        band_rows = candidate;
      }
    }
    if (band_rows == 0) return {};
    const int64_t bands = divided_up(rows, band_rows);
    const auto pitch_quads = [&](int64_t needed) {
      return planes > 1 || bands == 1 ? needed : std::max(needed, following_quads(needed, band_rows, chunks));
    };
    const int64_t x_quads = pitch_quads(quads), dy_quads = pitch_quads(chunks);
    const auto plane_quads = [&](int64_t count) {
      return count + (chunks + access_lanes - count % access_lanes) % access_lanes;
    };
    const auto narrow = [](int64_t value) { return static_cast<int>(value); };
    const DepthwiseWeightTile tile{narrow(chunks),
                                   narrow(planes),
                                   narrow(bands),
                                   narrow(tap_rows),
                                   narrow(tap_columns),
                                   narrow(divided_up(all_tap_rows, tap_rows)),
                                   narrow(band_rows),
                                   narrow(rows),
                                   narrow(parts),
                                   narrow(4 * x_quads),
                                   narrow(4 * plane_quads((rows + tap_rows * rows_a_thread - 1) * x_quads)),
                                   narrow(4 * dy_quads),
                                   narrow(4 * plane_quads(rows * dy_quads))};
    if (tile.floats(rows_a_thread, narrow(g.kernel[1] * g.kernel[2])) > depthwise_shared_floats) return {};
    return tile;
  };
  if (shape.outputs == 1) {
    const int64_t most = std::min({shape.groups, shape.images * shape.groups / depthwise_least_blocks,
                                   block_threads / (chunks * all_tap_rows * tap_columns)});
    for (int64_t planes = most; planes > 1; --planes) {
      const bool fill_a_warp = most >= step || chunks * all_tap_rows * tap_columns >= warp_threads;
      if (planes % step != 0 && fill_a_warp) continue;
      const auto tile = tile_of(planes, 1, all_tap_rows);
      if (tile) return tile;
    }
  }
  for (int64_t parts = 1; parts <= height; ++parts) {
    for (int64_t tap_parts = 1; tap_parts <= all_tap_rows; ++tap_parts) {
      const auto tile = tile_of(1, parts, divided_up(all_tap_rows, tap_parts));
      if (tile) return tile;
    }
  }
  return {};
}

template <typename T>
struct DepthwiseWeight {
  ProductShape shape;
  DepthwiseWeightTile tile;
  const T *x, *dy;
  const int32_t* rings;  // of taps, -1: of none; nullptr: sums are those of taps
  float* partials;       // [parts][groups][outputs][rows]
  PlaneGeometry plane;
  int taps, rows;                // rings or taps
  int64_t tiles, splits, items;  // tiles of a channel
  RowWalk x_rows, dy_rows;
  Divisor by_splits, by_tap_parts, by_outputs, by_parts;
  SmallDivisor by_shares, by_chunks, by_planes, by_tap_columns, by_taps, by_rows, by_kernel_width;

  DepthwiseWeight(const ProductShape& shape, const WindowGeometry& g, const DepthwiseWeightTile& tile,
                  const int32_t* rings, int64_t rows, const T* x, const T* dy)
      : shape(shape),
        tile(tile),
        x(x),
        dy(dy),
        rings(rings),
        partials(nullptr),
        plane(g),
        taps(static_cast<int>(g.kernel[1] * g.kernel[2])),
        rows(static_cast<int>(rows)),
        tiles(shape.images * tile.parts),
        splits(
            std::clamp<int64_t>(weight_gradient_blocks / (channel_parts() * shape.outputs * tile.tap_parts), 1, tiles)),
        items(channel_parts() * shape.outputs * tile.tap_parts * splits),
        x_rows(g.in[1], g.in[2], tile.pitch, tile.plane_floats, tile.threads(), elements_of_word(x, g.in[2])),
        dy_rows(g.out[1], g.out[2], tile.dy_pitch, tile.dy_plane_floats, tile.threads(),
                elements_of_word(dy, g.out[2])),
        by_splits(splits),
        by_tap_parts(tile.tap_parts),
        by_outputs(shape.outputs),
        by_parts(tile.parts),
        by_shares(tile.shares()),
        by_chunks(tile.chunks),
        by_planes(tile.planes),
        by_tap_columns(tile.tap_columns),
        by_taps(taps),
        by_rows(rows),
        by_kernel_width(g.kernel[2]) {}

  int64_t channel_parts() const { return divided_up(shape.groups, tile.planes); }
  int64_t size() const { return shape.groups * shape.outputs * rows; }
  // That are added up. A ring has taps in several parts of a kernel.
  int64_t parts() const { return rings == nullptr ? splits : splits * tile.tap_parts; }
};

template <int rows_a_thread, typename T>
__device__ void depthwise_weight(const DepthwiseWeight<T>& p) {
  extern __shared__ float4 shared_memory[];
  auto* window = reinterpret_cast<float*>(shared_memory);
  const DepthwiseWeightTile& tile = p.tile;
  float* gradient = window + tile.planes * tile.plane_floats;
  const auto thread = static_cast<int>(threadIdx.x);
  const int block = p.by_shares.divide(thread), tap_row = p.by_tap_columns.divide(block),
            tap_column = block - tap_row * tile.tap_columns;
  const int share = thread - block * tile.shares(), above_chunk = p.by_chunks.divide(share),
            band = p.by_planes.divide(above_chunk);
  const int chunk = share - above_chunk * tile.chunks, plane = above_chunk - band * tile.planes;
  const int first_row = band * tile.band_rows;
  const uint32_t x =
      shared_address(window + plane * tile.plane_floats + (first_row + tap_row * rows_a_thread) * tile.pitch +
                     (chunk + tap_column) * sum_columns);
  const uint32_t dy =
      shared_address(gradient + plane * tile.dy_plane_floats + first_row * tile.dy_pitch + chunk * sum_columns);
  const int columns = min(sum_columns, p.plane.out[1] - chunk * sum_columns);
  for (int64_t item = blockIdx.x; item < p.items; item += gridDim.x) {
    const auto [gradient_part, split] = p.by_splits.divide(item);
    const auto [pair, tap_part] = p.by_tap_parts.divide(gradient_part);
    const auto [part, output] = p.by_outputs.divide(pair);
    const int first_tap_row = static_cast<int>(tap_part) * tile.tap_rows * rows_a_thread;
    const int tap_rows = min(tile.tap_rows * rows_a_thread, p.plane.kernel[0] - first_tap_row);
    const int64_t first_channel = part * tile.planes;
    const auto planes = static_cast<int>(min(int64_t{tile.planes}, p.shape.groups - first_channel));
    const bool has_taps = tap_row < tile.tap_rows && plane < planes;
    float sum[rows_a_thread][sum_columns] = {};
    const int64_t first_tile = p.tiles * split / p.splits, last_tile = p.tiles * (split + 1) / p.splits;
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
        copy_rows(p.x + x_plane * p.shape.in_plane + int64_t{top} * p.plane.in[1],
                  (planes - 1) * p.plane.in[0] + end - top, p.x_rows,
                  window + (top - above) * tile.pitch + p.plane.padding[1]);
      }
      copy_rows(p.dy + (x_plane * p.shape.outputs + output) * p.shape.out_plane + int64_t{y} * p.plane.out[1],
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
    auto* sums = reinterpret_cast<float4*>(window);  // [row of a thread][thread]
#pragma unroll
    for (int j = 0; j < rows_a_thread; ++j) {
      sums[j * static_cast<int>(blockDim.x) + thread] = {sum[j][0], sum[j][1], sum[j][2], sum[j][3]};
    }
    __syncthreads();
    const int before = first_tap_row * p.plane.kernel[1];
    float* totals = window + rows_a_thread * sum_columns * static_cast<int>(blockDim.x);
    const auto store = [&, output = output](int of_tile, int64_t partial, int row, float total) {
      const int64_t channel = (first_channel + of_tile) * p.shape.outputs + output;
      p.partials[(partial * p.shape.groups * p.shape.outputs + channel) * p.rows + row] = total;
    };
    for (int i = thread; i < planes * tap_rows * p.plane.kernel[1]; i += static_cast<int>(blockDim.x)) {
      const int of_tile = p.by_taps.divide(i), tap = i - of_tile * p.taps;
      const int ty = p.by_kernel_width.divide(tap), tx = tap - ty * p.plane.kernel[1];
      const int tap_block = ty / rows_a_thread * tile.tap_columns + tx / sum_columns;
      const int first =
          ty % rows_a_thread * static_cast<int>(blockDim.x) + tap_block * tile.shares() + of_tile * tile.chunks;
      float total = 0;
      for (int b = 0; b < tile.bands; ++b) {
        for (int c = 0; c < tile.chunks; ++c) {
          const int place = (first + b * tile.planes * tile.chunks + c) * sum_columns + tx % sum_columns;
          total += window[place];
        }
      }
      if (p.rings == nullptr) {
        store(of_tile, split, before + tap, total);
      } else {
        totals[i] = total;
      }
    }
    if (p.rings != nullptr) {
      __syncthreads();
      for (int i = thread; i < planes * p.rows; i += static_cast<int>(blockDim.x)) {
        const int of_tile = p.by_rows.divide(i), ring = i - of_tile * p.rows;
        float total = 0;
        for (int tap = 0; tap < tap_rows * p.plane.kernel[1]; ++tap) {
          const int place = of_tile * p.taps + tap;
          if (p.rings[before + tap] == ring) total += totals[place];
        }
        store(of_tile, split * tile.tap_parts + tap_part, ring, total);
      }
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
