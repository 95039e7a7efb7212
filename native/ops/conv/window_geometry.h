#pragma once

#include <array>
#include <cstdint>

#include "ops/conv/conv_geometry.h"

namespace gmr {

// A convolution as its operand sees it. `spread` inserts spread - 1 zeros between inputs: a strided convolution's
// adjoint is a convolution of stride 1 over its spread-out gradient.
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

// The input at position i of the spread-out axis; -1 where there is none.
constexpr int64_t input_index(const WindowGeometry& g, int axis, int64_t i) {
  const int64_t spread = g.spread[axis];
  if (spread != 1 && i > 0) {
    const int64_t quotient = i / spread;
    i = quotient * spread == i ? quotient : -1;
  }
  return i >= 0 && i < g.in[axis] ? i : -1;
}

}  // namespace gmr
