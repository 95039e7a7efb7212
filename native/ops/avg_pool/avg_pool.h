// Mean over windows: y[o] = sum of the window's elements inside x / divisor. The divisor is the window's size, padding
// included, or with count_includes_padding false the number of elements inside x. Windows of 2 x 2 at stride 2 are
// summed as (a + d) + (b + c), by diagonals: turns and mirrors of the window change no bit. Gradient, the adjoint:
// dx[i] = sum of dy[o] / divisor[o] over the windows o that hold i.
#pragma once

#include "ops/pool_geometry.h"

namespace gmr {

struct AvgPoolForward {
  const float* x;  // [planes, input]
  float* y;        // [planes, output]
  PoolGeometry geometry;
  bool count_includes_padding;
};

struct AvgPoolBackwardInput {
  const float* dy;
  float* dx;
  PoolGeometry geometry;
  bool count_includes_padding;
};

}  // namespace gmr
