// Mean over windows: y[o] = sum of the window's elements inside x / divisor. The divisor is the window's size, padding
// included, or with count_includes_padding false the number of elements inside x. Windows of 2 x 2 at stride 2 are
// summed as (a + d) + (b + c), by diagonals: turns and mirrors of the window change no bit. Gradient, the adjoint:
// dx[i] = sum of dy[o] / divisor[o] over the windows o that hold i.
#pragma once

#include "backend/element_type.h"
#include "ops/pool_geometry.h"

namespace gmr {

struct AvgPoolForward {
  const void* x;  // [planes, input]
  void* y;        // [planes, output]
  PoolGeometry geometry;
  bool count_includes_padding;
  ElementType type = ElementType::float32;
};

struct AvgPoolBackwardInput {
  const void* dy;
  void* dx;
  PoolGeometry geometry;
  bool count_includes_padding;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
