// Padding of the spatial axes: y[o] = x[source(o)], with source taken axis by axis; i = o - low, n the axis's extent:
//   zeros      outside x: 0
//   reflect    -i, 2 (n - 1) - i: mirrored about the border element, which is not repeated; padding < n
//   replicate  the nearest border element
//   circular   i + n, i - n; padding <= n
// Gradient, the adjoint: dx[i] = sum of dy[o] over the o with source(o) = i.
#pragma once

#include <array>
#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

enum class PadMode : int32_t { zeros, reflect, replicate, circular };

struct PadGeometry {
  int64_t planes;  // N C
  // Depth, height, width; axes that are not there have extent 1 and no padding.
  std::array<int64_t, 3> input;
  std::array<int64_t, 3> low;
  std::array<int64_t, 3> high;
  PadMode mode;

  constexpr int64_t output(int axis) const { return low[axis] + input[axis] + high[axis]; }

  // The input index of output index o of an axis, -1 for a zero.
  constexpr int64_t source(int axis, int64_t o) const {
    const int64_t i = o - low[axis], extent = input[axis];
    if (i >= 0 && i < extent) return i;
    switch (mode) {
      case PadMode::reflect:
        return i < 0 ? -i : 2 * (extent - 1) - i;
      case PadMode::replicate:
        return i < 0 ? 0 : extent - 1;
      case PadMode::circular:
        return i < 0 ? i + extent : i - extent;
      default:
        return -1;
    }
  }
};

struct PadForward {
  const void* x;  // [planes, input]
  void* y;        // [planes, output]
  PadGeometry geometry;
  ElementType type = ElementType::float32;
};

struct PadBackwardInput {
  const void* dy;
  void* dx;
  PadGeometry geometry;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
