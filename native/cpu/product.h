// The register-blocked micro-kernels of the implicit matrix product.
//
//   panel_product:  c[i][j] (+)= sum_k a[i][k] b[k][j]
//   panel_dots:     c[i][j] (+)= sum_k a[i][k] b[j][k]     where there are fewer j than a vector has lanes
//
// Forward, i are outputs, j pixels and k operand rows; for the weight gradient, i are operand rows, j outputs and k
// pixels. `a` is read where it lies (no packing: a row's elements are used in order, so a few streams of it stay in
// L1); rows of b and c have an odd number of cache lines between them, so that the lines of one column block fall into
// all sets of the cache.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "cpu/divide_up.h"
#include "cpu/product_tuning.h"
#include "cpu/simd.h"

namespace gmr::cpu {

// Row pitch, in floats, of a panel of `columns`, with room for a vector of spill.
inline int64_t panel_pitch(int64_t columns) {
  constexpr int64_t line = 16;
  return (divide_up(columns + lanes, line) | 1) * line;
}

namespace detail {

template <int Rows, int Vectors>
void tile_product(int64_t depth, const float* a, int64_t a_pitch, const float* b, int64_t b_pitch, float* c,
                  int64_t c_pitch, bool accumulate) {
  Vector sums[Rows][Vectors];
  if (accumulate) {
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
      for (int j = 0; j < Vectors; ++j) sums[i][j] = load(c + i * c_pitch + j * lanes);
    }
  } else {
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
      for (int j = 0; j < Vectors; ++j) sums[i][j] = Vector{};
    }
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    Vector operand[Vectors];
#pragma GCC unroll 3
    for (int j = 0; j < Vectors; ++j) operand[j] = load(b + j * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const float weight = a[i * a_pitch + k];
#pragma GCC unroll 3
      for (int j = 0; j < Vectors; ++j) sums[i][j] += weight * operand[j];
    }
    b += b_pitch;
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
    for (int j = 0; j < Vectors; ++j) store(c + i * c_pitch + j * lanes, sums[i][j]);
  }
}

using TileProduct = decltype(&tile_product<1, 1>);

template <int... I>
constexpr std::array<TileProduct, sizeof...(I)> tile_products(std::integer_sequence<int, I...>) {
  return {&tile_product<I / tile_vectors + 1, I % tile_vectors + 1>...};
}

}  // namespace detail

// Columns are rounded up to whole vectors: b must be readable and c writable there.
inline void panel_product(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t a_pitch, const float* b,
                          int64_t b_pitch, float* c, int64_t c_pitch, bool accumulate) {
  static constexpr auto kernels = detail::tile_products(std::make_integer_sequence<int, tile_rows * tile_vectors>{});
  const int64_t vectors = divide_up(columns, lanes);
  for (int64_t v = 0, nv; v < vectors; v += nv) {
    // One more than full tiles is shared by the last two: a tile of one vector waits for its loads.
    const int64_t left = vectors - v;
    nv = left == tile_vectors + 1 ? (left + 1) / 2 : std::min<int64_t>(tile_vectors, left);
    for (int64_t i = 0; i < rows; i += tile_rows) {
      const int64_t ni = std::min<int64_t>(tile_rows, rows - i);
      kernels[static_cast<size_t>((ni - 1) * tile_vectors + nv - 1)](
          depth, a + i * a_pitch, a_pitch, b + v * lanes, b_pitch, c + i * c_pitch + v * lanes, c_pitch, accumulate);
    }
  }
}

// Rows of a and b hold whole vectors; what lies behind the last element is zero in both.
inline void panel_dots(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t a_pitch, const float* b,
                       int64_t b_pitch, float* c, int64_t c_pitch, bool accumulate) {
  constexpr int side_by_side = 4;
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; i += side_by_side) {
      const int64_t ni = std::min<int64_t>(side_by_side, rows - i);
      const float* row[side_by_side];
      for (int64_t q = 0; q < side_by_side; ++q) row[q] = a + (i + std::min(q, ni - 1)) * a_pitch;
      Vector sums[side_by_side] = {};
      for (int64_t k = 0; k < depth; k += lanes) {
        const Vector operand = load(b + j * b_pitch + k);
#pragma GCC unroll 4
        for (int q = 0; q < side_by_side; ++q) sums[q] += load(row[q] + k) * operand;
      }
      for (int64_t q = 0; q < ni; ++q) {
        float& out = c[(i + q) * c_pitch + j];
        float total = accumulate ? out : 0;
        for (int lane = 0; lane < lanes; ++lane) total += sums[q][lane];
        out = total;
      }
    }
  }
}

}  // namespace gmr::cpu
