// Leaky rectifier, elementwise: y = x where x > 0, slope x elsewhere; slope 0 is relu. NaN stays NaN.
// Gradient: dx = dy where y > 0, slope dy elsewhere (slope >= 0, so y > 0 exactly where x > 0; relu's gradient at 0 is
// 0). As PyTorch's, relu stops infinities and NaN of dy where y <= 0, and lets dy pass where y is NaN.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct ActivationForward {
  const void* x;
  void* y;
  int64_t count;
  float slope;
  ElementType type = ElementType::float32;
};

struct ActivationBackwardInput {
  const void* y;
  const void* dy;
  void* dx;
  int64_t count;
  float slope;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
