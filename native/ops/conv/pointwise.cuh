// Convolutions of one tap at stride 1, which are matrix products: of each image and group y = w x, [outputs][channels]
// times [channels][pixels]. The pixels of all images are columns, one after the other, of which a tile has 64 or
// 128, of one image or of several; rows of x are copied as they lie.
//
//   panel    [rows][columns] of x          by cp.async, some chunks ahead
//   weights  of the same channels          by cp.async, with them
//     -> sums of outputs x columns         in registers
#pragma once

#include "cuda/async_copy.cuh"
#include "cuda/elements.cuh"
#include "cuda/implicit_product.cuh"
#include "cuda/shared_words.cuh"
#include "ops/conv/conv_cuda_tuning.h"

namespace gmr::cuda {

// Elements of a row that are copied at a time, as many as rows of all images begin at multiples of; 16 bytes at most.
template <typename T>
int pointwise_elements(int64_t plane, const T* data) {
  int elements = 1;
  with_pack_width<T>([&](auto width) { elements = width; }, plane, data);
  return elements;
}

// Calls f(std::integral_constant<int, elements>) for a power of two up to `most`.
template <int most, typename F>
__device__ void with_elements(int elements, F&& f) {
  if constexpr (most > 1) {
    if (elements < most) return with_elements<most / 2>(elements, std::forward<F>(f));
  }
  f(std::integral_constant<int, most>());
}

struct PointwiseColumns {
  int64_t count, plane;  // of all images and of one
  Divisor by_plane;

  explicit PointwiseColumns(const ProductShape& shape)
      : count(shape.images * shape.out_plane), plane(shape.out_plane), by_plane(shape.out_plane) {}

  int64_t tiles(int columns) const { return (count + columns - 1) / columns; }
};

// What a product takes in tiles of so many outputs and columns, in multiply-adds of the multiprocessor that has the most of
// them. `each`: what one takes in such a tile.
inline double pointwise_cost(const ProductShape& shape, int outputs, int columns, double each) {
  const int64_t blocks =
      PointwiseColumns(shape).tiles(columns) * shape.groups * ((shape.outputs + outputs - 1) / outputs);
  const int64_t most = (blocks + h100_multiprocessors - 1) / h100_multiprocessors;
  return static_cast<double>(most * outputs * columns) * each;
}

// A thread's part of the rows of a tensor under a tile, of one group: the same columns of every so many rows.
template <typename T, int columns, int threads>
class PointwiseRows {
 public:
  static constexpr int most_elements = 16 / sizeof(T);

  // `data`: of the group's first row in the first image; `image_step`: elements from there to the next.
  __device__ PointwiseRows(const PointwiseColumns& all, int64_t tile, int elements, const T* data, int64_t image_step)
      : data_(data), from_(data), plane_(all.plane), elements_(elements) {
    with_elements<most_elements>(elements, [&](auto some) {
      const int64_t column = tile * columns + column_of<some>();
      is_there_ = column < all.count;
      if (!is_there_) return;
      const auto [image, pixel] = all.by_plane.divide(column);
      from_ += image * image_step + pixel + row<some>() * plane_;
    });
  }

  // Starts to copy `rows` rows, of which `there` are, from row `first` on; of the others zeros.
  template <int rows, int pitch>
  __device__ void copy(int64_t first, int64_t there, T* to) const {
    with_elements<most_elements>(elements_, [&](auto some) {
      constexpr int pieces = columns / some, at_a_time = threads / pieces;
      static_assert(threads % pieces == 0 && rows % at_a_time == 0);
      const T* from = is_there_ ? from_ + first * plane_ : from_;
      const int64_t step = is_there_ ? at_a_time * plane_ : 0;
#pragma unroll 4  // more would take more registers than there are
      for (int i = 0; i < rows; i += at_a_time, from += step) {
        T* at = to + (row<some>() + i) * pitch + column_of<some>();
        const bool has_row = is_there_ && first + row<some>() + i < there;
        if constexpr (some * sizeof(T) == 16) {
          copy_or_zero(reinterpret_cast<float4*>(at), reinterpret_cast<const float4*>(has_row ? from : data_), has_row);
        } else if constexpr (some * sizeof(T) == 8) {
          copy_or_zero(reinterpret_cast<float2*>(at), reinterpret_cast<const float2*>(has_row ? from : data_), has_row);
        } else if constexpr (some * sizeof(T) == 4) {
          copy_or_zero(reinterpret_cast<float*>(at), reinterpret_cast<const float*>(has_row ? from : data_), has_row);
        } else {
          *at = has_row ? *from : T{};
        }
      }
    });
  }

 private:
  template <int some>
  __device__ static int column_of() {
    return static_cast<int>(threadIdx.x) % (columns / some) * some;
  }
  template <int some>
  __device__ static int row() {
    return static_cast<int>(threadIdx.x) / (columns / some);
  }

  const T *data_, *from_;
  int64_t plane_;
  int elements_;
  bool is_there_;
};

}  // namespace gmr::cuda
