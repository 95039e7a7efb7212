// What a tile of a convolution sees in shared memory: a box of output positions of one image, or of several where they
// are small, and the window of the input under it and under a part of the kernel. Kernels that are too large for one
// window are cut into parts of taps that follow each other: of slices, rows or columns of the kernel.
//
// A window's places are [image][z][y][x modulo the stride][x / stride], so that neighbouring outputs see neighbouring
// places under every tap: an output's place is that of its first tap, and a tap adds a number that is the same for all
// outputs. Rows, slices and images are as far apart as it takes for lanes of neighbouring outputs to meet different
// banks.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "cuda/box_tiling.cuh"
#include "cuda/implicit_product.cuh"

namespace gmr::cuda {

// How a kernel may use windows.
struct TapWindowLimits {
  int pixels;  // of a tile
  int lanes;   // neighbouring outputs that are read at a time
  int banks;   // that their places must not share: of 32, each is a word of one place or several of it
  int places;  // of a window, at most
  int taps;    // of a part of the kernel, at most
  // What the choice weighs, in clocks of a multiprocessor: a part, a place of its window, and a tap for a tile.
  double part_cost, place_cost, tap_cost;
};

struct TapWindow {
  Window window;
  int64_t images, all_channels, in_plane, tiles;
  int box[3], box_images;
  int part[3], parts;  // extents of a part of the kernel
  int taps;            // of the kernel
  int most_taps;       // of a part
  int span[3];         // of the window
  int phase;           // columns of the window with the same remainder
  int row_pitch, slice_pitch, image_pitch, places;
  Divisor tiles_z, tiles_y, tiles_x;
  SmallDivisor box_z, box_y, box_x, span_z, span_y, span_x, stride_x;
  const int32_t* table;  // on the device: of each part a TapPart, then of each tap what it adds to a place

  struct Part {
    int z, y, x;  // of its first tap, in inputs
    int first, end;
  };
  struct Corner {
    int64_t image;
    int z, y, x;
  };

  // A position of a box; an image beyond the box's where it has none.
  struct BoxPosition {
    int image, z, y, x;
  };

  TapWindow(const WindowGeometry& g, int64_t images, int64_t all_channels, const std::array<int64_t, 3>& box_extent,
            int64_t images_a_box, const std::array<int64_t, 3>& part_extent);

  // What `table` has to be.
  std::vector<int32_t> make_table() const;

#ifdef __CUDACC__
  __device__ Corner corner(int64_t tile) const {
    const auto [rows_of_tiles, x] = tiles_x.divide(tile);
    const auto [slices_of_tiles, y] = tiles_y.divide(rows_of_tiles);
    const auto [image, z] = tiles_z.divide(slices_of_tiles);
    return {image * box_images, static_cast<int>(z) * box[0], static_cast<int>(y) * box[1],
            static_cast<int>(x) * box[2]};
  }

  __device__ BoxPosition position_of(int pixel) const {
    const int rows = box_x.divide(pixel), slices = box_y.divide(rows), image = box_z.divide(slices);
    return {image, slices - image * box[0], rows - slices * box[1], pixel - rows * box[2]};
  }

  // Place of a pixel's first tap; of pixels that the box does not have that of the first.
  __device__ int place_of(int pixel) const {
    const BoxPosition p = position_of(pixel);
    if (p.image >= box_images) return 0;
    return p.image * image_pitch + p.z * window.stride[0] * slice_pitch + p.y * window.stride[1] * row_pitch + p.x;
  }

  // The output that a pixel of a tile stands for.
  __device__ Place output_of(const Corner& corner, int pixel) const {
    const BoxPosition p = position_of(pixel);
    const int64_t image = corner.image + p.image;
    const int z = corner.z + p.z, y = corner.y + p.y, x = corner.x + p.x;
    const bool is_there =
        p.image < box_images && image < images && z < window.out[0] && y < window.out[1] && x < window.out[2];
    return {is_there ? image : -1, (int64_t{z} * window.out[1] + y) * window.out[2] + x};
  }

  __device__ Part part_at(int i) const {
    const int32_t* at = table + 5 * i;
    return {at[0], at[1], at[2], at[3], at[4]};
  }
  __device__ const int32_t* tap_places() const { return table + 5 * parts; }

  // A column of the window among the places of its row.
  __device__ int column_place(int x) const {
    const int quotient = stride_x.divide(x);
    return (x - quotient * window.stride[2]) * phase + quotient;
  }
#endif
};

// The window of the least cost, of those that fit; none of inputs that are spread out. Its table is left to be uploaded.
std::optional<TapWindow> choose_tap_window(const WindowGeometry& g, int64_t images, int64_t all_channels,
                                           const TapWindowLimits& limits,
                                           const std::function<bool(const TapWindow&)>& fits);

}  // namespace gmr::cuda
