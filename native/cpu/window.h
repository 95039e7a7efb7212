// The part of an input plane that a box of output positions sees, copied with its zero border, so that the loops after
// it need no bounds. Rows lie one after the other; within a row, columns are sorted by phase (column mod stride), so
// that the inputs of neighbouring outputs are neighbours at any stride.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "cpu/divide_up.h"
#include "cpu/implicit_product.h"
#include "cpu/simd.h"
#include "ops/conv/window_geometry.h"

namespace gmr::cpu {

class Window {
 public:
  // What `copy` must hold.
  static int64_t floats(const WindowGeometry& g, const Box& box) {
    // Far above any real layer, and low enough that no working memory made from it overflows: steps and padding are
    // not bounded by what any tensor holds.
    constexpr int64_t most = int64_t{1} << 26;
    const int64_t depth = span(g, box, 0), height = span(g, box, 1), pitch = phase_pitch(g, box) * g.stride[2];
    if (depth > most || height > most || pitch > most || depth * height > most || depth * height * pitch > most) {
      throw std::invalid_argument("expected a tile's inputs to span at most 2^26 elements, received spans of " +
                                  std::to_string(depth) + ", " + std::to_string(height) + ", " + std::to_string(pitch) +
                                  " (stride, dilation or kernel is too large)");
    }
    return depth * height * pitch + lanes;
  }

  Window(const WindowGeometry& g, const Box& box, float* copy)
      : copy_(copy), stride_(g.stride[2]), dilation_(g.dilation[2]), phase_pitch_(phase_pitch(g, box)) {
    for (int axis = 0; axis < 3; ++axis) {
      // Inputs first..last are seen; input i lies at position i * spread - origin of the copy.
      const int64_t origin = box.begin[axis] * g.stride[axis] - g.padding[axis];
      const int64_t end = origin + span(g, box, axis);
      Range& range = ranges_[axis];
      range.spread = g.spread[axis];
      range.origin = origin;
      range.first = origin <= 0 ? 0 : divide_up(origin, range.spread);
      range.last = end <= 0 ? 0 : std::min(g.in[axis], divide_up(end, range.spread));
      in_[axis] = g.in[axis];
      rows_[axis] = span(g, box, axis);
    }
    std::fill_n(copy, floats(g, box), 0.0f);
  }

  const float* data() const { return copy_; }
  int64_t rows_y() const { return rows_[1]; }
  int64_t rows() const { return rows_[0] * rows_[1]; }
  int64_t row_pitch() const { return phase_pitch_ * stride_; }
  bool has_slice(int64_t slice) const {  // false: zeros
    const Range& z = ranges_[0];
    const int64_t at = slice + z.origin;
    return at >= z.first * z.spread && at < z.last * z.spread && at % z.spread == 0;
  }

  // Where, from a row's start, the input of the first output column under column tap t lies.
  int64_t tap_offset(int64_t t) const {
    const int64_t column = t * dilation_;
    return stride_ == 1 ? column : column % stride_ * phase_pitch_ + column / stride_;
  }

  // Copies a plane's inputs in. What lies outside the plane stays zero from the constructor.
  template <typename Element>
  void fill(const Element* plane) const {
    const auto& [z, y, x] = ranges_;
    for (int64_t iz = z.first; iz < z.last; ++iz) {
      for (int64_t iy = y.first; iy < y.last; ++iy) {
        const int64_t row = (iz * z.spread - z.origin) * rows_[1] + iy * y.spread - y.origin;
        fill_row(plane + (iz * in_[1] + iy) * in_[2], copy_ + row * row_pitch(), x);
      }
    }
  }

 private:
  struct Range {
    int64_t first, last, spread, origin;
  };

  static int64_t span(const WindowGeometry& g, const Box& box, int axis) {
    return (box.extent(axis) - 1) * g.stride[axis] + (g.kernel[axis] - 1) * g.dilation[axis] + 1;
  }
  static int64_t phase_pitch(const WindowGeometry& g, const Box& box) {
    return (divide_up(span(g, box, 2), g.stride[2]) + lanes + 15) / 16 * 16;
  }

  template <typename Element>
  void fill_row(const Element* row, float* to, const Range& x) const {
    if (x.spread == 1 && stride_ == 1) {
      copy_row(to + x.first - x.origin, row + x.first, x.last - x.first, in_[0] * in_[1] * in_[2]);
      return;
    }
    for (int64_t i = x.first; i < x.last; ++i) {
      const int64_t column = i * x.spread - x.origin;
      to[column % stride_ * phase_pitch_ + column / stride_] = to_float(row[i]);
    }
  }

  // memcpy for the short rows of images, without the call. Asks for the same row of the plane `ahead`: the rows of a
  // tile are too short for the processor to see where the next channel's lie.
  template <typename Element>
  static void copy_row(float* to, const Element* from, int64_t count, int64_t ahead) {
    if (count < lanes) {
      copy_less_than<lanes>(to, from, count);
      __builtin_prefetch(from + ahead);
      return;
    }
    for (int64_t i = 0; i + lanes < count; i += lanes) {
      __builtin_prefetch(from + i + ahead);
      store(to + i, load(from + i));
    }
    __builtin_prefetch(from + count - lanes + ahead);
    store(to + count - lanes, load(from + count - lanes));
  }

  // By two halves of a vector that overlap.
  template <int Most, typename Element>
  static void copy_less_than(float* to, const Element* from, int64_t count) {
    constexpr int half = Most / 2;
    if constexpr (half >= 4) {
      if (count < half) return copy_less_than<half>(to, from, count);
      const auto end = load<half>(from + count - half);
      store<half>(to, load<half>(from));
      store<half>(to + count - half, end);
    } else {
      for (int64_t i = 0; i < count; ++i) to[i] = to_float(from[i]);
    }
  }

  float* copy_;
  int64_t stride_, dilation_, phase_pitch_;
  std::array<Range, 3> ranges_;
  std::array<int64_t, 3> in_, rows_;
};

}  // namespace gmr::cpu
