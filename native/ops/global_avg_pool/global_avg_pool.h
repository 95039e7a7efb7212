// Mean of each plane, y[plane] = sum_i x[plane,i] / extent, summed in double: a turned or mirrored plane has the same
// mean up to float rounding. Gradient: dx[plane,i] = dy[plane] / extent.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct GlobalAvgPoolForward {
  const void* x;  // [planes, extent]
  void* y;        // [planes]
  int64_t planes;
  int64_t extent;
  ElementType type = ElementType::float32;
};

struct GlobalAvgPoolBackwardInput {
  const void* dy;
  void* dx;
  int64_t planes;
  int64_t extent;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
