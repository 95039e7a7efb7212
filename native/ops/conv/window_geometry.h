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

}  // namespace gmr
