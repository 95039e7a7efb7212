// Maximum over windows. Padding counts as -infinity; NaN is larger than all; of equal maxima the first in the window
// wins. `indices` tells where in its input plane each maximum was, row-major, -1 where a window holds padding alone.
// Gradient: dx[i] = sum of dy[o] over the outputs o whose index is i. Indices outside the plane are passed over.
#pragma once

#include "backend/element_type.h"
#include "ops/pool_geometry.h"

namespace gmr {

struct MaxPoolForward {
  const void* x;     // [planes, input]; a plane has fewer than 2^31 elements
  void* y;           // [planes, output]
  int32_t* indices;  // [planes, output], or nullptr where no gradient is wanted
  PoolGeometry geometry;
  ElementType type = ElementType::float32;
};

struct MaxPoolBackwardInput {
  const void* dy;
  const int32_t* indices;
  void* dx;
  PoolGeometry geometry;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
