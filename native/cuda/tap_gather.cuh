// Operand rows that are sums over lists of taps, read where they lie: a convolution's rows are the kernel's taps, one a
// list. Also the fallback for ring sums of kernels that are too large for ring_gather.cuh.
#pragma once

#include <vector>

#include "cuda/grid_index.h"
#include "cuda/implicit_product.cuh"
#include "ops/conv/window_geometry.h"

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

struct TapGather {
  const float* x;
  const int32_t* table;  // a TapTable
  WindowGeometry window;
  int64_t all_channels, images, in_plane;
  int64_t tiles;
  int rows, chunk_depth, work_floats;
  GridIndex outputs;
  Divisor by_out_plane, by_rows;

  // `table` lies on the device and has `rows` rows.
  TapGather(const float* x, const int32_t* table, int64_t rows, const WindowGeometry& window, int64_t images,
            int64_t all_channels)
      : x(x),
        table(table),
        window(window),
        all_channels(all_channels),
        images(images),
        in_plane(volume(window.in)),
        tiles((images * volume(window.out) + product_pixels - 1) / product_pixels),
        rows(static_cast<int>(rows)),
        chunk_depth(product_depth),
        work_floats(0),
        outputs(window.out),
        by_out_plane(volume(window.out)),
        by_rows(rows) {}

  __device__ Place place(int64_t tile, int column) const {
    const auto [image, pixel] = by_out_plane.divide(tile * product_pixels + column);
    return {image < images ? image : -1, pixel};
  }

  // Each thread has one column and every fourth row.
  class AtTile {
   public:
    __device__ AtTile(const TapGather& gather, int64_t tile, float*)
        : g_(gather), column_(static_cast<int>(threadIdx.x) % product_pixels) {
      const Place place = g_.place(tile, column_);
      const Position o = g_.outputs.position(place.pixel);
      image_ = place.image;
      z_ = o.z * g_.window.stride[0] - g_.window.padding[0];
      y_ = o.y * g_.window.stride[1] - g_.window.padding[1];
      x_ = o.x * g_.window.stride[2] - g_.window.padding[2];
    }

    __device__ void fill(float* panel, int64_t first_channel, int64_t k0, int depth) const {
      for (int k = static_cast<int>(threadIdx.x) / product_pixels; k < depth; k += block_threads / product_pixels) {
        const auto [channel, row] = g_.by_rows.divide(k0 + k);
        float sum = 0;
        if (image_ >= 0) {
          const float* plane = g_.x + (image_ * g_.all_channels + first_channel + channel) * g_.in_plane;
          const int32_t end = g_.table[row + 1];
          for (int32_t at = g_.table[row]; at < end; at += 3) sum += tap(plane, g_.table + at);
        }
        panel[k * product_pitch + column_] = sum;
      }
    }

   private:
    __device__ float tap(const float* plane, const int32_t* t) const {
      const WindowGeometry& w = g_.window;
      const int64_t z = input_index(w, 0, z_ + t[0] * w.dilation[0]), y = input_index(w, 1, y_ + t[1] * w.dilation[1]),
                    x = input_index(w, 2, x_ + t[2] * w.dilation[2]);
      return z >= 0 && y >= 0 && x >= 0 ? plane[(z * w.in[1] + y) * w.in[2] + x] : 0;
    }

    const TapGather& g_;
    int column_;
    int64_t image_, z_, y_, x_;
  };
};

}  // namespace gmr::cuda
