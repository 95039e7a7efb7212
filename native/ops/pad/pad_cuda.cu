#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "cuda/shared_words.cuh"
#include "ops/pad/pad_cuda_tuning.h"

namespace gmr::cuda {
namespace {

constexpr int word_bytes = 4;

struct Range {
  int64_t begin, end;
};

// The outputs that read input i lie in three ranges: at its own place, in the padding in front, in the padding behind.
__device__ int parts_of(const PadGeometry& g, int axis) {
  return g.mode != PadMode::zeros && g.output(axis) != g.input[axis] ? 3 : 1;
}

__device__ Range readers_of(const PadGeometry& g, int axis, int64_t i, int part) {
  const int64_t low = g.low[axis], extent = g.input[axis], output = g.output(axis);
  if (part == 0) return {low + i, low + i + 1};
  int64_t o;  // the one output of this part that reads i, if it lies there
  switch (g.mode) {
    case PadMode::reflect:
      o = part == 1 ? low - i : low + 2 * (extent - 1) - i;
      break;
    case PadMode::replicate:
      if (part == 1) return {0, i == 0 ? low : 0};
      return {low + extent, i == extent - 1 ? output : low + extent};
    case PadMode::circular:
      o = part == 1 ? low + i - extent : low + i + extent;
      break;
    default:
      return {0, 0};
  }
  const bool is_there = part == 1 ? o >= 0 && o < low : o >= low + extent && o < output;
  return {o, is_there ? o + 1 : o};
}

// The inputs that a part has readers of.
__device__ Range inputs_of(const PadGeometry& g, int axis, int part) {
  const int64_t low = g.low[axis], high = g.high[axis], extent = g.input[axis];
  switch (g.mode) {
    case PadMode::reflect:
      return part == 1 ? Range{1, 1 + low} : Range{extent - 1 - high, extent - 1};
    case PadMode::replicate:
      return part == 1 ? Range{0, low > 0 ? 1 : 0} : Range{extent - (high > 0 ? 1 : 0), extent};
    case PadMode::circular:
      return part == 1 ? Range{extent - low, extent} : Range{0, high};
    default:
      return {0, 0};
  }
}

// Calls f(o) for all outputs that read input i.
template <typename F>
__device__ void for_readers(const PadGeometry& g, int axis, int64_t i, F&& f) {
  // Further from the borders than padding reaches there is the first part alone.
  const bool is_near_border = min(i, g.input[axis] - 1 - i) <= max(g.low[axis], g.high[axis]);
  const int parts = is_near_border ? parts_of(g, axis) : 1;
#pragma unroll 1
  for (int part = 0; part < parts; ++part) {
    const Range o = readers_of(g, axis, i, part);
#pragma unroll 1
    for (int64_t at = o.begin; at < o.end; ++at) f(at);
  }
}

// How a result, of y or dx, is cut: into tiles of some whole slices one after the other, or of a band of rows of one
// slice. Shared memory has what a tile reads, of each of its slices rows one after the other, in float32.
struct PadTiles {
  struct Tile {
    int64_t first_slice, first_row;
    int slices, rows;
  };

  PadGeometry geometry;
  int64_t tiles, slices, result_width;
  int64_t sections[4];  // of the rows, which bands do not cross
  int64_t section_bands[3];
  int slices_a_tile, rows_a_tile;
  int pitch;  // floats from slice to slice
  bool is_whole;
  Divisor by_bands, by_depth;
  SmallDivisor by_rows, by_width, by_packs;

  // `inner`: sections that bands must not cross begin and end there.
  PadTiles(const PadGeometry& g, const std::array<int64_t, 3>& result, Range inner, int64_t tiles_at_least)
      : geometry(g),
        tiles(0),
        slices(g.planes * result[0]),
        result_width(result[2]),
        sections{0, inner.begin, inner.end, result[1]},
        is_whole(g.output(1) * g.output(2) <= pad_tile_floats),
        by_bands(1),
        by_depth(result[0]),
        by_rows(1),
        by_width(std::max<int64_t>(result_width, 1)),
        by_packs(1) {
    constexpr int ends = 2 * (pad_pack - 1);
    const int64_t row = std::max<int64_t>(g.output(2), 1);
    if (is_whole) {
      const int64_t fit = pad_tile_floats / (row * g.output(1) + ends + result[1]);
      const int64_t enough = (slices + tiles_at_least - 1) / tiles_at_least;
      slices_a_tile = static_cast<int>(std::max<int64_t>(std::min(fit, enough), 1));
      rows_a_tile = static_cast<int>(result[1]);
      sections[1] = sections[2] = result[1];
    } else {
      slices_a_tile = 1;
      rows_a_tile = static_cast<int>(pad_tile_floats / row);
    }
    int64_t bands = 0;
    for (int i = 0; i < 3; ++i) {
      const int64_t rows = sections[i + 1] - sections[i];
      bands += section_bands[i] = rows_a_tile == 0 ? 0 : (rows + rows_a_tile - 1) / rows_a_tile;
    }
    by_bands = Divisor(bands);
    const int64_t staged = is_whole ? g.output(1) * row : rows_a_tile * row;
    // A slice begins within the first of its packs and ends within the last.
    pitch = static_cast<int>((staged + ends) / pad_pack * pad_pack);
    by_rows = SmallDivisor(std::max(rows_a_tile, 1));
    by_packs = SmallDivisor(pitch / pad_pack);
    tiles = (slices + slices_a_tile - 1) / slices_a_tile * bands;
  }

  int tile_rows() const { return slices_a_tile * rows_a_tile; }
  int staged_floats() const { return slices_a_tile * pitch; }

#ifdef __CUDACC__
  __device__ Tile tile(int64_t i) const {
    auto [group, band] = by_bands.divide(i);
    const int64_t first_slice = group * slices_a_tile;
    int section = 0;
    while (band >= section_bands[section]) band -= section_bands[section++];
    const int64_t first_row = sections[section] + band * rows_a_tile;
    return {first_slice, first_row, static_cast<int>(min(int64_t{slices_a_tile}, slices - first_slice)),
            static_cast<int>(min(int64_t{rows_a_tile}, sections[section + 1] - first_row))};
  }
#endif
};

// Where a slice's first element lies among its staged packs.
__device__ int shift_of(int64_t first) { return static_cast<int>(first & (pad_pack - 1)); }

// Copies `count` elements of each slice of a tile, from first_of(slice) on; of a slice where that is negative none.
template <typename T, typename F>
__device__ void stage(const PadTiles& p, const PadTiles::Tile& tile, const T* x, const Grouping& grouping, int count,
                      F&& first_of, float* staged) {
  // As many threads as a slice has packs take one slice after the other.
  const int packs = p.pitch / pad_pack, team = min(packs, pad_threads), thread = static_cast<int>(threadIdx.x);
  const int own = p.by_packs.divide(thread), teams = max(p.by_packs.divide(pad_threads), 1);
  const int first_element = (thread - own * packs) * pad_pack, step = team * pad_pack;
  for (int slice = own; slice < tile.slices && own < teams; slice += teams) {
    const int64_t begin = first_of(slice), end = begin + count;
    if (begin < 0) continue;
    int64_t first = begin - shift_of(begin) + first_element;
    const T* from = x + first;
    float* to = staged + slice * p.pitch + first_element;
    for (; first < end; first += step, from += step, to += step) {
      Pack<pad_pack> values{};
      if (first < grouping.whole) {
        values = load_pack<pad_pack>(from);
      } else {
#pragma unroll
        for (int k = 0; k < pad_pack; ++k) {
          if (first + k < grouping.count) values.v[k] = to_float(from[k]);
        }
      }
      store_pack(to, values);
    }
  }
}

// Stores a tile, a word a thread, beginning at a sector; value(row, column) is what it has there.
template <typename T, typename F>
__device__ void store_tile(const PadTiles& p, const PadTiles::Tile& tile, int64_t result_rows, T* y, bool is_aligned,
                           F&& value) {
  constexpr int word = 4 / sizeof(T), sector = 32 / sizeof(T);
  const int64_t begin = (tile.first_slice * result_rows + tile.first_row) * p.result_width;
  const auto width = static_cast<int>(p.result_width);
  const int count = tile.slices * tile.rows * width, before = static_cast<int>(begin & (sector - 1));
  const auto at = [&](int i) {
    const int row = p.by_width.divide(i);
    return value(row, i - row * width);
  };
  int i = static_cast<int>(threadIdx.x) * word - before;
  for (T* to = y + begin + i; i < count; i += pad_threads * word, to += pad_threads * word) {
    if constexpr (word == 2) {
      if (is_aligned && i >= 0 && i + 1 < count) {
        store_pack(to, Pack<2>{at(i), at(i + 1)});
        continue;
      }
      if (i + 1 >= 0 && i + 1 < count) to[1] = rounded<T>(at(i + 1));
    }
    if (i >= 0) to[0] = rounded<T>(at(i));
  }
}

// kernels, a block a tile

template <typename T>
__global__ void __launch_bounds__(pad_threads, pad_least_blocks)
    pad_forward_kernel(const T* x, T* y, const __grid_constant__ PadTiles tiles,
                       const __grid_constant__ Grouping x_grouping) {
  extern __shared__ float4 shared_memory[];
  auto* staged = reinterpret_cast<float*>(shared_memory);
  auto* column_source = reinterpret_cast<int*>(staged + tiles.slices_a_tile * tiles.pitch);
  int* row_place = column_source + tiles.result_width;  // of each row of a tile; both in bytes, -1: zeros
  const PadGeometry& g = tiles.geometry;
  const bool is_aligned = reinterpret_cast<uintptr_t>(y) % 4 == 0;
  for (int i = static_cast<int>(threadIdx.x); i < tiles.result_width; i += pad_threads) {
    const auto source = static_cast<int>(g.source(2, i));
    column_source[i] = source < 0 ? -1 : source * word_bytes;
  }
  const PadTiles::Tile tile = tiles.tile(blockIdx.x);
  int64_t begin = 0, end = g.input[1];
  if (!tiles.is_whole) {
    const int64_t first = g.source(1, tile.first_row), last = g.source(1, tile.first_row + tile.rows - 1);
    begin = min(first, last);
    end = first < 0 ? begin : max(first, last) + 1;
  }
  const auto first_of = [&](int slice) -> int64_t {
    const auto [plane, z] = tiles.by_depth.divide(tile.first_slice + slice);
    const int64_t source = g.source(0, z);
    return source < 0 ? -1 : ((plane * g.input[0] + source) * g.input[1] + begin) * g.input[2];
  };
  const auto count = static_cast<int>((end - begin) * g.input[2]);
  stage(tiles, tile, x, x_grouping, count, first_of, staged);
  for (int row = static_cast<int>(threadIdx.x); row < tile.slices * tile.rows; row += pad_threads) {
    const int slice = tiles.by_rows.divide(row), of_slice = row - slice * tiles.rows_a_tile;
    const int64_t source = g.source(1, tile.first_row + of_slice), first = first_of(slice);
    const bool is_there = source >= 0 && first >= 0;
    const auto place = slice * tiles.pitch + shift_of(first) + static_cast<int>((source - begin) * g.input[2]);
    row_place[row] = is_there ? place * word_bytes : -1;
  }
  __syncthreads();
  const uint32_t staged_at = shared_address(staged), rows_at = shared_address(row_place),
                 columns_at = shared_address(column_source);
  store_tile(tiles, tile, g.output(1), y, is_aligned, [&](int row, int column) {
    const uint32_t place = load_word<0>(rows_at + row * word_bytes);
    const uint32_t from = load_word<0>(columns_at + column * word_bytes);
    const bool is_there = static_cast<int>(place | from) >= 0;
    return is_there ? __uint_as_float(load_word<0>(staged_at + place + from)) : 0;
  });
}

template <typename T>
__global__ void __launch_bounds__(pad_threads, pad_least_blocks)
    pad_backward_input_kernel(const T* dy, T* dx, const __grid_constant__ PadTiles tiles,
                              const __grid_constant__ Grouping dy_grouping) {
  extern __shared__ float4 shared_memory[];
  auto* staged = reinterpret_cast<float*>(shared_memory);
  auto* row_place = reinterpret_cast<int*>(staged + tiles.slices_a_tile * tiles.pitch);  // of a row's own elements
  const PadGeometry& g = tiles.geometry;
  const bool is_aligned = reinterpret_cast<uintptr_t>(dx) % 4 == 0;
  const auto width = static_cast<int>(g.output(2)), low = static_cast<int>(g.low[2]);
  const PadTiles::Tile tile = tiles.tile(blockIdx.x);
  // Rows of dy: all, or those of the tile's own.
  const int64_t begin = tiles.is_whole ? 0 : g.low[1] + tile.first_row;
  const auto count = static_cast<int>(tiles.is_whole ? g.output(1) : tile.rows) * width;
  const auto first_in = [&](int64_t plane, int64_t z) {
    return ((plane * g.output(0) + z) * g.output(1) + begin) * g.output(2);
  };
  const auto first_of = [&](int slice) {
    const auto [plane, z] = tiles.by_depth.divide(tile.first_slice + slice);
    return first_in(plane, g.low[0] + z);
  };
  stage(tiles, tile, dy, dy_grouping, count, first_of, staged);
  for (int row = static_cast<int>(threadIdx.x); row < tile.slices * tile.rows; row += pad_threads) {
    const int slice = tiles.by_rows.divide(row), y = row - slice * tiles.rows_a_tile;
    const int own = y + static_cast<int>(tiles.is_whole ? g.low[1] : 0);
    row_place[row] = slice * tiles.pitch + shift_of(first_of(slice)) + own * width + low;
  }
  __syncthreads();

  // Padding is added to what it was copied from: slices, then rows, then columns.
#pragma unroll 1
  for (int part = 1; part < parts_of(g, 0); ++part) {
#pragma unroll 1
    for (int slice = 0; slice < tile.slices; ++slice) {
      const auto [plane, z] = tiles.by_depth.divide(tile.first_slice + slice);
      float* to = staged + slice * tiles.pitch + shift_of(first_of(slice));
      const Range readers = readers_of(g, 0, z, part);
#pragma unroll 1
      for (int64_t oz = readers.begin; oz < readers.end; ++oz) {
        const T* from = dy + first_in(plane, oz);
        for (int k = static_cast<int>(threadIdx.x); k < count; k += pad_threads) to[k] += to_float(from[k]);
      }
    }
    __syncthreads();
  }
#pragma unroll 1
  for (int part = 1; part < parts_of(g, 1); ++part) {
    const Range inputs = inputs_of(g, 1, part);
    const auto row_of_tile = [&](int64_t y) {
      return static_cast<int>(min(max(y - tile.first_row, int64_t{0}), int64_t{tile.rows}));
    };
    const int first = row_of_tile(inputs.begin), rows = row_of_tile(inputs.end) - first, each = tile.slices * width;
    for (int k = static_cast<int>(threadIdx.x); k < rows * each; k += pad_threads) {
      const int row = k / each, slice = (k - row * each) / width, column = k - row * each - slice * width;
      const Range readers = readers_of(g, 1, tile.first_row + first + row, part);
      const int first_of_slice = slice * tiles.rows_a_tile;
      float sum = 0;
#pragma unroll 1
      for (int64_t oy = readers.begin; oy < readers.end; ++oy) {
        if (tiles.is_whole) {
          sum += staged[row_place[first_of_slice] - low + static_cast<int>(oy - g.low[1]) * width + column];
        } else {
          const auto [plane, z] = tiles.by_depth.divide(tile.first_slice);
          for_readers(g, 0, z, [&, plane = plane](int64_t oz) {
            sum += to_float(dy[first_in(plane, oz) + (oy - begin) * width + column]);
          });
        }
      }
      staged[row_place[first_of_slice + first + row] - low + column] += sum;
    }
    __syncthreads();
  }
#pragma unroll 1
  for (int part = 1; part < parts_of(g, 2); ++part) {
    const Range inputs = inputs_of(g, 2, part);
    const int rows = tile.slices * tile.rows, all = static_cast<int>(inputs.end - inputs.begin) * rows;
    for (int k = static_cast<int>(threadIdx.x); k < all; k += pad_threads) {
      const int column = k / rows;
      float* row = staged + row_place[k - column * rows];
      const Range readers = readers_of(g, 2, inputs.begin + column, part);
      float sum = 0;
#pragma unroll 1
      for (int64_t ox = readers.begin; ox < readers.end; ++ox) sum += row[ox - low];
      row[inputs.begin + column] += sum;
    }
    __syncthreads();
  }
  const uint32_t staged_at = shared_address(staged), rows_at = shared_address(row_place);
  store_tile(tiles, tile, g.input[1], dx, is_aligned, [&](int row, int column) {
    const uint32_t place = load_word<0>(rows_at + row * word_bytes) + column;
    return __uint_as_float(load_word<0>(staged_at + place * word_bytes));
  });
}

// Rows that are too long for a tile: a thread an element.
template <typename T>
__global__ void pad_forward_elements_kernel(const __grid_constant__ PadForward p,
                                            const __grid_constant__ GridIndex outputs, int64_t count) {
  const PadGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = outputs.position(i);
    const int64_t z = g.source(0, o.z), y = g.source(1, o.y), x = g.source(2, o.x);
    const int64_t from = ((o.plane * g.input[0] + z) * g.input[1] + y) * g.input[2] + x;
    static_cast<T*>(p.y)[i] = z < 0 || y < 0 || x < 0 ? rounded<T>(0) : static_cast<const T*>(p.x)[from];
  }
}

template <typename T>
__global__ void pad_backward_input_elements_kernel(const __grid_constant__ PadBackwardInput p,
                                                   const __grid_constant__ GridIndex inputs, int64_t count) {
  const PadGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = inputs.position(i);
    float sum = 0;
    for_readers(g, 0, at.z, [&](int64_t z) {
      for_readers(g, 1, at.y, [&](int64_t y) {
        const T* row = static_cast<const T*>(p.dy) + ((at.plane * g.output(0) + z) * g.output(1) + y) * g.output(2);
        for_readers(g, 2, at.x, [&](int64_t x) { sum += to_float(row[x]); });
      });
    });
    static_cast<T*>(p.dx)[i] = rounded<T>(sum);
  }
}

// Signals of one axis become columns of one element, so that tiles need not have a whole one.
PadGeometry columns_of(PadGeometry g) {
  if (g.output(0) == 1 && g.output(1) == 1) {
    std::swap(g.input[1], g.input[2]);
    std::swap(g.low[1], g.low[2]);
    std::swap(g.high[1], g.high[2]);
  }
  return g;
}

bool fits_tiles(const PadGeometry& g) { return g.output(2) <= pad_most_width; }

int64_t tiles_wanted(const BackendDevice& device) { return device.multiprocessors() * pad_blocks_a_multiprocessor; }

}  // namespace

// launchers

void pad_forward(BackendDevice& device, const PadForward& p) {
  const PadGeometry g = columns_of(p.geometry);
  const std::array<int64_t, 3> outputs{g.output(0), g.output(1), g.output(2)};
  with_element_type(p.type, [&]<typename T>() {
    if (!fits_tiles(g)) {
      return launch_positions(device, Kernel{"pad_forward_elements_kernel", pad_forward_elements_kernel<T>}, g.planes,
                              outputs, p);
    }
    // Rows of a band are copies of rows that follow each other.
    const PadTiles tiles(g, outputs, {g.low[1], g.low[1] + g.input[1]}, tiles_wanted(device));
    const size_t words = tiles.staged_floats() + g.output(2) + tiles.tile_rows();
    launch(device, Kernel{"pad_forward_kernel", pad_forward_kernel<T>},
           one_block_each(tiles.tiles, pad_threads, words * sizeof(float)), static_cast<const T*>(p.x),
           static_cast<T*>(p.y), tiles, grouping_of<T>(g.planes * volume(g.input), static_cast<const T*>(p.x)));
  });
}

void pad_backward_input(BackendDevice& device, const PadBackwardInput& p) {
  const PadGeometry g = columns_of(p.geometry);
  const std::array<int64_t, 3> outputs{g.output(0), g.output(1), g.output(2)};
  with_element_type(p.type, [&]<typename T>() {
    if (!fits_tiles(g)) {
      return launch_positions(device,
                              Kernel{"pad_backward_input_elements_kernel", pad_backward_input_elements_kernel<T>},
                              g.planes, g.input, p);
    }
    const PadTiles tiles(g, g.input, {0, g.input[1]}, tiles_wanted(device));
    const size_t words = tiles.staged_floats() + tiles.tile_rows();
    launch(device, Kernel{"pad_backward_input_kernel", pad_backward_input_kernel<T>},
           one_block_each(tiles.tiles, pad_threads, words * sizeof(float)), static_cast<const T*>(p.dy),
           static_cast<T*>(p.dx), tiles, grouping_of<T>(g.planes * volume(outputs), static_cast<const T*>(p.dy)));
  });
}

}  // namespace gmr::cuda
