// Operand rows that are sums over lists of taps, read where they lie: a convolution's rows are the kernel's taps, one a
// list. Also the fallback for ring sums of kernels that are too large for ring_gather.cuh.
#pragma once

#include <vector>

#include "cuda/bfloat16_product.cuh"
#include "cuda/grid_index.h"
#include "cuda/window.h"

namespace gmr::cuda {

// The taps of each row: row r's lie at table[table[r]] .. table[table[r + 1]], depth, height and width of each.
using TapTable = std::vector<int32_t>;

inline TapTable one_tap_a_row(const std::array<int64_t, 3>& kernel) {
  const int64_t rows = volume(kernel);
  TapTable table;
  table.reserve(static_cast<size_t>(4 * rows + 1));
  for (int64_t r = 0; r <= rows; ++r) table.push_back(static_cast<int32_t>(rows + 1 + 3 * r));
  for (int32_t z = 0; z < kernel[0]; ++z) {
    for (int32_t y = 0; y < kernel[1]; ++y) {
      for (int32_t x = 0; x < kernel[2]; ++x) table.insert(table.end(), {z, y, x});
    }
  }
  return table;
}

template <typename T>
struct TapGather {
  static constexpr int threads = block_threads, pixels = product_pixels, panel_rows = product_depth;
  static constexpr bool is_interleaved = false;

  const T* x;
  const int32_t* table;  // a TapTable
  Window window;
  int64_t all_channels, images, in_plane, out_plane;
  int64_t tiles;
  int rows, chunk_depth, steps, work_floats;
  GridIndex outputs;
  Divisor by_out_plane, by_rows;

  // `table` lies on the device and has `rows` rows.
  TapGather(const T* x, const int32_t* table, int64_t rows, const WindowGeometry& g, int64_t images,
            int64_t all_channels)
      : x(x),
        table(table),
        window(g),
        all_channels(all_channels),
        images(images),
        in_plane(volume(g.in)),
        out_plane(volume(g.out)),
        tiles((images * volume(g.out) + product_pixels - 1) / product_pixels),
        rows(static_cast<int>(rows)),
        chunk_depth(product_depth),
        steps(steps_of(product_depth)),
        work_floats(product_depth * static_cast<int>(sizeof(Row) / sizeof(float))),
        outputs(g.out),
        by_out_plane(volume(g.out)),
        by_rows(rows) {}

  __host__ __device__ int steps_of(int depth) const { return (depth + bfloat16_depth - 1) / bfloat16_depth; }

  // An operand row of the chunk: its channel, its first tap, and where in the table its other taps lie.
  struct alignas(16) Row {
    int64_t plane;      // of the row's channel, from the image's first element
    int64_t first_tap;  // from there
    int32_t z, y, x;    // the same tap
    int32_t next, end;
  };

  // Each thread has one column and every fourth row.
  class AtTile {
   public:
    __device__ AtTile(const TapGather& gather, int64_t tile, float* work)
        : g_(gather),
          first_(tile * product_pixels),
          rows_(reinterpret_cast<Row*>(work)),
          column_(static_cast<int>(threadIdx.x) % product_pixels) {
      const Place own = place(column_);
      const Position o = g_.outputs.position(own.pixel);
      const Window& w = g_.window;
      z_ = static_cast<int>(o.z) * w.stride[0] - w.padding[0];
      y_ = static_cast<int>(o.y) * w.stride[1] - w.padding[1];
      x_ = static_cast<int>(o.x) * w.stride[2] - w.padding[2];
      image_ = own.image < 0 ? nullptr : g_.x + own.image * g_.all_channels * g_.in_plane;
    }

    __device__ Place place(int column) const {
      const auto [image, pixel] = g_.by_out_plane.divide(first_ + column);
      return {image < g_.images ? image : -1, pixel};
    }

    __device__ PlacePair pair(int column) const { return pair_of(place(column), place(column + 1), g_.out_plane); }

    __device__ void start(int64_t, const Chunk&) const { finish_group(); }  // nothing to copy

    __device__ void fill(T* panel, int64_t first_channel, const Chunk& chunk, const Chunk& next) const {
      if (static_cast<int>(threadIdx.x) < chunk.depth) {
        rows_[threadIdx.x] = row_of(first_channel, chunk.first_row + static_cast<int>(threadIdx.x));
      }
      start(first_channel, next);
      __syncthreads();
      const bool is_spread = g_.window.is_spread();
      const T* column = image_ + g_.window.offset(z_, y_, x_);
      for (int k = static_cast<int>(threadIdx.x) / product_pixels; k < chunk.depth;
           k += block_threads / product_pixels) {
        const Row& row = rows_[k];
        float sum = 0;
        if (image_ != nullptr) {
          const T* plane = image_ + row.plane;
          if (is_spread) {
            sum = tap(plane, row.z, row.y, row.x);
          } else if (g_.window.is_inside(z_ + row.z, y_ + row.y, x_ + row.x)) {
            sum = to_float(column[row.first_tap]);
          }
          for (int32_t at = row.next; at < row.end; at += 3) {
            const Window& w = g_.window;
            sum += tap(plane, g_.table[at] * w.dilation[0], g_.table[at + 1] * w.dilation[1],
                       g_.table[at + 2] * w.dilation[2]);
          }
        }
        panel[k * panel_pitch<T> + column_] = rounded<T>(sum);
      }
      if constexpr (!std::is_same_v<T, float>) zero_rows(panel, chunk.depth);
    }

   private:
    __device__ Row row_of(int64_t first_channel, int64_t k) const {
      constexpr int32_t nowhere = -(1 << 30);  // the first tap of a row without taps
      const auto [channel, r] = g_.by_rows.divide(k);
      const int32_t begin = g_.table[r];
      Row row{(first_channel + channel) * g_.in_plane, 0, nowhere, 0, 0, begin + 3, g_.table[r + 1]};
      if (begin < row.end) {
        row.z = g_.table[begin] * g_.window.dilation[0];
        row.y = g_.table[begin + 1] * g_.window.dilation[1];
        row.x = g_.table[begin + 2] * g_.window.dilation[2];
        row.first_tap = row.plane + g_.window.offset(row.z, row.y, row.x);
      }
      return row;
    }

    // The input under a tap that lies (z, y, x) behind the column's first.
    __device__ float tap(const T* plane, int z, int y, int x) const {
      const Window& w = g_.window;
      z = w.input_index(0, z_ + z);
      y = w.input_index(1, y_ + y);
      x = w.input_index(2, x_ + x);
      return w.is_inside(z, y, x) ? to_float(plane[w.offset(z, y, x)]) : 0;
    }

    const TapGather& g_;
    int64_t first_;  // position of all outputs
    Row* rows_;
    int column_;
    const T* image_;  // nullptr: the column stands for nothing
    int z_, y_, x_;   // of its first tap, spread out
  };
};

}  // namespace gmr::cuda
