// Transposition of a matrix into floats by square blocks of vectors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpu/simd.h"

namespace gmr::cpu {

namespace detail {

// In each group of four lanes, a0 b0 a1 b1 or, upper, a2 b2 a3 b3: one instruction at any width.
template <bool Upper, int... I>
inline Vector interleave(Vector a, Vector b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I / 4 * 4 + (Upper ? 2 : 0) + I % 4 / 2 + I % 2 * lanes)...);
}

// Exchanges the upper halves of a's groups of 2 Size lanes with the lower halves of b's.
template <int Size, int... I>
inline void exchange(Vector& a, Vector& b, std::integer_sequence<int, I...>) {
  const Vector lower = __builtin_shufflevector(a, b, (I & Size ? lanes + I - Size : I)...);
  b = __builtin_shufflevector(a, b, (I & Size ? lanes + I : I + Size)...);
  a = lower;
}

template <int Size>
inline void exchange_groups(Vector (&rows)[lanes]) {
  if constexpr (Size < lanes) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (!(i & Size)) exchange<Size>(rows[i], rows[i + Size], std::make_integer_sequence<int, lanes>{});
    }
    exchange_groups<2 * Size>(rows);
  }
}

// Squares of 4 x 4, then the squares as wholes.
inline void transpose_block(Vector (&rows)[lanes]) {
  constexpr auto all = std::make_integer_sequence<int, lanes>{};
#pragma GCC unroll 4
  for (int i = 0; i < lanes; i += 4) {
    const Vector even_low = interleave<false>(rows[i], rows[i + 2], all);
    const Vector even_high = interleave<true>(rows[i], rows[i + 2], all);
    const Vector odd_low = interleave<false>(rows[i + 1], rows[i + 3], all);
    const Vector odd_high = interleave<true>(rows[i + 1], rows[i + 3], all);
    rows[i] = interleave<false>(even_low, odd_low, all);
    rows[i + 1] = interleave<true>(even_low, odd_low, all);
    rows[i + 2] = interleave<false>(even_high, odd_high, all);
    rows[i + 3] = interleave<true>(even_high, odd_high, all);
  }
  exchange_groups<4>(rows);
}

}  // namespace detail

// to[j][i] = from[i][j] for i < rows, j < columns. Reads up to a vector behind a row's end.
template <typename Element>
inline void transpose(int64_t rows, int64_t columns, const Element* from, int64_t from_pitch, float* to,
                      int64_t to_pitch) {
  if (columns == 1 && from_pitch == 1) {
    for (int64_t i = 0; i < rows; ++i) to[i] = to_float(from[i]);
    return;
  }
  for (int64_t i = 0; i < rows; i += lanes) {
    const int64_t ni = std::min<int64_t>(lanes, rows - i);
    for (int64_t j = 0; j < columns; j += lanes) {
      const int64_t nj = std::min<int64_t>(lanes, columns - j);
      Vector block[lanes];
      const Element* source = from + i * from_pitch + j;
      float* target = to + j * to_pitch + i;
      if (ni == lanes) {
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) block[k] = load(source + k * from_pitch);
      } else {
        for (int64_t k = 0; k < lanes; ++k) block[k] = load(source + std::min(k, ni - 1) * from_pitch);
      }
      detail::transpose_block(block);
      if (ni == lanes && nj == lanes) {
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) store(target + k * to_pitch, block[k]);
      } else {
        float values[lanes * lanes];
        for (int k = 0; k < lanes; ++k) store(values + k * lanes, block[k]);
        for (int64_t k = 0; k < nj; ++k) std::copy_n(values + k * lanes, ni, target + k * to_pitch);
      }
    }
  }
}

}  // namespace gmr::cpu
