// The part of an input plane that a box of output positions sees, copied with its zero border, so that the loops after it need no
// bounds. Rows lie one after the other; within a row, columns are sorted by phase (column mod stride), so that the inputs of
// neighbouring outputs are neighbours at any stride.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "cpu/implicit_product.h"
#include "ops/conv/conv_geometry.h"

namespace gmr::cpu {

// A convolution as its operand sees it. `spread` inserts spread - 1 zeros between inputs: a strided convolution's adjoint is a
// convolution of stride 1 over its spread-out gradient.
struct WindowGeometry {
  std::array<int64_t, 3> in, out, kernel, stride, dilation, padding, spread;
};

inline WindowGeometry forward_window(const ConvGeometry& g) {
  return {g.in, g.out, g.kernel, g.stride, g.dilation, g.padding, {1, 1, 1}};
}

// Taps are then met in reverse order.
inline WindowGeometry adjoint_window(const ConvGeometry& g) {
  WindowGeometry w{g.out, g.in, g.kernel, {1, 1, 1}, g.dilation, {}, g.stride};
  for (int axis = 0; axis < 3; ++axis) w.padding[axis] = g.dilation[axis] * (g.kernel[axis] - 1) - g.padding[axis];
  return w;
}

class Window {
 public:
  explicit Window(const WindowGeometry& geometry) : g_(geometry) {}

  const WindowGeometry& geometry() const { return g_; }

  // Rows of the copy along z or y for a box.
  int64_t rows(const Box& box, int axis) const { return span(box, axis); }

  int64_t phase_pitch(const Box& box) const {
    return ((span(box, 2) + g_.stride[2] - 1) / g_.stride[2] + lanes + 15) / 16 * 16;
  }
  int64_t row_pitch(const Box& box) const { return phase_pitch(box) * g_.stride[2]; }
  int64_t floats(const Box& box) const { return rows(box, 0) * rows(box, 1) * row_pitch(box) + lanes; }

  // Where, from a row's start, the input of the first output column under column tap t lies.
  int64_t tap_offset(const Box& box, int64_t t) const {
    const int64_t column = t * g_.dilation[2];
    return column % g_.stride[2] * phase_pitch(box) + column / g_.stride[2];
  }

  void clear(const Box& box, float* copy) const { std::fill_n(copy, floats(box), 0.0f); }

  // Fills in the inputs; what lies outside the plane stays as `clear` left it.
  void fill(const float* plane, const Box& box, float* copy) const {
    const int64_t pitch = row_pitch(box);
    const int64_t origin_z = origin(box, 0), origin_y = origin(box, 1);
    for (int64_t z = 0; z < rows(box, 0); ++z) {
      const int64_t iz = input(origin_z + z, 0);
      if (iz < 0) continue;
      for (int64_t y = 0; y < rows(box, 1); ++y) {
        const int64_t iy = input(origin_y + y, 1);
        if (iy < 0) continue;
        fill_row(plane + (iz * g_.in[1] + iy) * g_.in[2], box, copy + (z * rows(box, 1) + y) * pitch);
      }
    }
  }

 private:
  int64_t span(const Box& box, int axis) const {
    return (box.extent(axis) - 1) * g_.stride[axis] + (g_.kernel[axis] - 1) * g_.dilation[axis] + 1;
  }
  int64_t origin(const Box& box, int axis) const { return box.begin[axis] * g_.stride[axis] - g_.padding[axis]; }

  // The input index at a position of the spread-out axis, or -1 where there is none.
  int64_t input(int64_t position, int axis) const {
    if (position < 0 || position % g_.spread[axis] != 0) return -1;
    const int64_t index = position / g_.spread[axis];
    return index < g_.in[axis] ? index : -1;
  }

  void fill_row(const float* row, const Box& box, float* copy) const {
    const int64_t start = origin(box, 2), spread = g_.spread[2], stride = g_.stride[2];
    const int64_t first = start <= 0 ? 0 : (start + spread - 1) / spread;
    const int64_t last = std::min(g_.in[2], (start + span(box, 2) - 1) / spread + 1);  // of inputs seen, one past
    if (last <= first || start + span(box, 2) <= 0) return;
    if (spread == 1 && stride == 1) {
      copy_floats(copy + first - start, row + first, last - first);
      return;
    }
    const int64_t pitch = phase_pitch(box);
    for (int64_t i = first; i < last; ++i) {
      const int64_t column = i * spread - start;
      copy[column % stride * pitch + column / stride] = row[i];
    }
  }

  // memcpy for the short rows of images, without the call.
  static void copy_floats(float* to, const float* from, int64_t count) {
    if (count < lanes) {
      for (int64_t i = 0; i < count; ++i) to[i] = from[i];
      return;
    }
    for (int64_t i = 0; i + lanes < count; i += lanes) store(to + i, load(from + i));
    store(to + count - lanes, load(from + count - lanes));
  }

  WindowGeometry g_;
};

}  // namespace gmr::cpu
