// Planes in shared memory, for depthwise layers: runs of whole rows of planes, which lie one behind the other in memory,
// so that they are copied and stored in whole sectors; and the sums of products that threads make of them, in registers.
#pragma once

#include <numeric>

#include "cuda/async_copy.cuh"
#include "cuda/bfloat16.cuh"
#include "cuda/divisor.h"
#include "cuda/launch.h"
#include "cuda/shared_floats.cuh"
#include "ops/conv/conv_cuda_tuning.h"

namespace gmr::cuda {

// How the threads of a block go through rows of planes: thread after thread has the next word of a row, as many whole
// rows at a time as there are threads for. `height` and `width` are a plane's; the rows of several planes follow each
// other. `elements` are those of a word: two bfloat16, if rows begin at words.
class RowWalk {
 public:
  RowWalk(int64_t height, int64_t width, int pitch, int plane_floats, int threads, int elements)
      : by_columns_(width / elements),
        by_height_(height),
        width_(static_cast<int>(width)),
        pitch_(pitch),
        plane_floats_(plane_floats),
        elements_(elements) {
    // A number of rows of whole sectors where there is one.
    const auto most = static_cast<int>(std::max<int64_t>(threads / (width / elements), 1));
    const int whole = sector_elements / std::gcd(width_, sector_elements);
    row_step_ = most < whole ? most : most / whole * whole;
    const int planes = row_step_ / static_cast<int>(height), rows = row_step_ - planes * static_cast<int>(height);
    rows_of_plane_step_ = rows;
    ends_together_ = row_step_ < height && height % row_step_ == 0;
    place_step_ = (planes * plane_floats + rows * pitch) * static_cast<int>(sizeof(float));
    plane_gap_ = (plane_floats - static_cast<int>(height) * pitch) * static_cast<int>(sizeof(float));
  }

  static constexpr int sector_elements = 8;  // of float32, and half a sector's of bfloat16

  __device__ int elements() const { return elements_; }

  // Calls f(data, shared) for the words of this thread in `rows` rows, of more than one plane all: where they lie, from
  // where the first row begins.
  template <typename T, typename F>
  __device__ void for_words(int rows, T* data, uint32_t shared, F&& f) const {
    const auto thread = static_cast<int>(threadIdx.x);
    int row = by_columns_.divide(thread);
    const int columns = by_columns_.divisor(), column = thread - row * columns;
    if (row >= row_step_) return;
    const int plane = by_height_.divide(row), height = by_height_.divisor();
    int row_of_plane = row - plane * height;
    data += row * width_ + column * elements_;
    shared +=
        (plane * plane_floats_ + row_of_plane * pitch_ + column * elements_) * static_cast<uint32_t>(sizeof(float));
    // Loops of few instructions, as each is met for every word.
    const int64_t step = int64_t{row_step_} * width_;
    const auto threads = static_cast<int>(blockDim.x);
    const auto next_row = [&] {
      data += step;
      shared += place_step_;
    };
    const auto next_row_of_planes = [&] {
      next_row();
      row_of_plane += rows_of_plane_step_;
      if (row_of_plane >= height) {
        row_of_plane -= height;
        shared += plane_gap_;
      }
    };
    if (columns > threads) {
#pragma unroll 1
      for (; row < rows; row += row_step_) {
#pragma unroll 1
        for (int c = column; c < columns; c += threads) {
          const int further = (c - column) * elements_;
          f(data + further, shared + further * static_cast<uint32_t>(sizeof(float)));
        }
        next_row_of_planes();
      }
    } else if (rows <= height || ends_together_) {
      const int end = min(rows, height);
#pragma unroll 1
      for (; row < rows; row += height) {
        for (int r = row_of_plane; r < end; r += row_step_) {
          f(data, shared);
          next_row();
        }
        shared += plane_gap_;
      }
    } else {
      for (; row < rows; row += row_step_) {
        f(data, shared);
        next_row_of_planes();
      }
    }
  }

 private:
  SmallDivisor by_columns_, by_height_;
  int width_, pitch_, plane_floats_, elements_;
  int row_step_, rows_of_plane_step_;
  bool ends_together_;          // all threads reach the end of a plane at the same time
  int place_step_, plane_gap_;  // in bytes
};

// Elements of a word of the rows of a tensor.
inline int elements_of_word(const void* data, ElementType type, int64_t width) {
  const bool is_aligned = reinterpret_cast<uintptr_t>(data) % sizeof(uint32_t) == 0;
  return type == ElementType::bfloat16 && width % 2 == 0 && is_aligned ? 2 : 1;
}

// Starts to copy rows, see async_copy.cuh; bfloat16 becomes float32, at once.
template <typename T>
__device__ void copy_rows(const T* from, int rows, const RowWalk& walk, float* to) {
  const uint32_t first = shared_address(to);
  if constexpr (std::is_same_v<T, float>) {
    walk.for_words(rows, from, first, [](const float* x, uint32_t shared) { copy_at<float, 0, 0>(shared, x, 4); });
  } else if (walk.elements() == 2) {
    // Half of a warp stores the second of each pair first: words two apart would meet banks twice.
    const uint32_t second_half = threadIdx.x / (warp_threads / 2) % 2;
    const uint32_t one = second_half * 4, to_other = 4 - 2 * one;
    const uint32_t bytes_of_one = second_half != 0 ? 0x3244 : 0x1044, bytes_of_other = bytes_of_one ^ (0x3244 ^ 0x1044);
    walk.for_words(rows, from, first + one, [=](const bfloat16* x, uint32_t shared) {
      const auto pair = *reinterpret_cast<const uint32_t*>(x);
      store_word<0>(shared, __byte_perm(pair, 0, bytes_of_one));
      store_word<0>(shared + to_other, __byte_perm(pair, 0, bytes_of_other));
    });
  } else {
    walk.for_words(rows, from, first,
                   [](const bfloat16* x, uint32_t shared) { store_word<0>(shared, __float_as_uint(to_float(*x))); });
  }
}

// The same of element `first` of a tensor on. The type is no parameter of kernels, as their loops are the same for both.
__device__ inline void copy_rows(const void* tensor, ElementType type, int64_t first, int rows, const RowWalk& walk,
                                 float* to) {
  if (type == ElementType::float32) {
    copy_rows(static_cast<const float*>(tensor) + first, rows, walk, to);
  } else {
    copy_rows(static_cast<const bfloat16*>(tensor) + first, rows, walk, to);
  }
}

// `from` is a multiple of 8 bytes, and so are its rows.
template <typename T>
__device__ void store_rows(const float* from, int rows, const RowWalk& walk, T* to) {
  const uint32_t first = shared_address(from);
  if constexpr (std::is_same_v<T, bfloat16>) {
    if (walk.elements() == 2) {
      walk.for_words(rows, to, first, [](bfloat16* y, uint32_t shared) {
        const uint2 pair = load_two_words<0>(shared);
        *reinterpret_cast<uint32_t*>(y) = rounded_pair(__uint_as_float(pair.x), __uint_as_float(pair.y));
      });
      return;
    }
  }
  walk.for_words(rows, to, first,
                 [](T* y, uint32_t shared) { *y = rounded<T>(__uint_as_float(load_word<0>(shared))); });
}
__device__ inline void store_rows(const float* from, int rows, const RowWalk& walk, void* tensor, ElementType type,
                                  int64_t first) {
  if (type == ElementType::float32) {
    store_rows(from, rows, walk, static_cast<float*>(tensor) + first);
  } else {
    store_rows(from, rows, walk, static_cast<bfloat16*>(tensor) + first);
  }
}

// Floats of a multiple of four, from a multiple of 16 bytes on.
__device__ inline void zero_floats(float* to, int count) {
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < count / 4; i += static_cast<int>(blockDim.x)) {
    reinterpret_cast<float4*>(to)[i] = {0, 0, 0, 0};
  }
}

// The sums of a thread: four columns of `rows` rows.
constexpr int sum_columns = 4;
template <int rows>
using RowSums = float[rows][sum_columns];

// The first floats at an address, which is a multiple of 16 bytes.
template <int count>
__device__ inline void load_aligned_floats(uint32_t address, float* to) {
  unroll<count / 4>([&](auto i) {
    const uint4 words = load_four_words<i * 16>(address);
    to[4 * i] = __uint_as_float(words.x);
    to[4 * i + 1] = __uint_as_float(words.y);
    to[4 * i + 2] = __uint_as_float(words.z);
    to[4 * i + 3] = __uint_as_float(words.w);
  });
  constexpr int done = count / 4 * 4;
  if constexpr (count % 4 >= 2) {
    const uint2 words = load_two_words<done * 4>(address);
    to[done] = __uint_as_float(words.x);
    to[done + 1] = __uint_as_float(words.y);
  }
  if constexpr (count % 2 == 1) to[count - 1] = __uint_as_float(load_word<(count - 1) * 4>(address));
}

// sum[j][c] += sum over t < height, k < taps of w[t][k] x[t + j][c + k]; x and w are in shared memory, with `x_step` and
// `w_step` bytes from row to row. Weights go from sum to sum as rows go by, so that each is read once. What a sum does
// not see is not multiplied by zero: it may be infinite. So are taps from `there` on.
template <int taps, int rows>
__device__ void slide_rows(RowSums<rows>& sum, uint32_t x, int x_step, uint32_t w, int w_step, int height,
                           int there = taps) {
  float weight[rows][taps] = {};  // that the next row meets in each sum
  // Whole quads: 16 bytes behind each other meet no bank twice, less at the same distance would.
  constexpr int values = taps == 1 ? sum_columns : 2 * sum_columns;
  float value[values];
  const auto shift = [&](bool is_there) {
#pragma unroll
    for (int j = rows - 1; j > 0; --j) {
#pragma unroll
      for (int k = 0; k < taps; ++k) weight[j][k] = weight[j - 1][k];
    }
    if (is_there) load_aligned_floats<taps>(w, weight[0]);
    w += w_step;
  };
  const auto next_row = [&] {
    load_aligned_floats<values>(x, value);
    x += x_step;
  };
  const auto add = [&](int j) {
#pragma unroll
    for (int k = 0; k < taps; ++k) {
      if (k >= there) break;
#pragma unroll
      for (int c = 0; c < sum_columns; ++c) sum[j][c] += weight[j][k] * value[c + k];
    }
  };
  constexpr int before = rows - 1;  // rows that not all sums see, at either end
  if (height < before) {
    for (int r = 0; r < height + before; ++r) {
      shift(r < height);
      next_row();
#pragma unroll
      for (int j = 0; j < rows; ++j) {
        if (r >= j && r - j < height) add(j);
      }
    }
    return;
  }
#pragma unroll
  for (int r = 0; r < before; ++r) {
    shift(true);
    next_row();
#pragma unroll
    for (int j = 0; j <= r; ++j) add(j);
  }
#pragma unroll 1
  for (int r = before; r < height; ++r) {
    shift(true);
    next_row();
#pragma unroll
    for (int j = 0; j < rows; ++j) add(j);
  }
#pragma unroll
  for (int behind = 0; behind < before; ++behind) {
    shift(false);
    next_row();
#pragma unroll
    for (int j = behind + 1; j < rows; ++j) add(j);
  }
}

}  // namespace gmr::cuda
