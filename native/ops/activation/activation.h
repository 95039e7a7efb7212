// Leaky rectifier, elementwise: y = x where x > 0, slope x elsewhere; slope 0 is relu. NaN stays NaN.
// Gradient: dx = dy where y > 0, slope dy elsewhere (slope >= 0, so y > 0 exactly where x > 0; relu's gradient at 0 is
// 0). As PyTorch's, relu stops infinities and NaN of dy where y <= 0, and lets dy pass where y is NaN.
#pragma once

#include <cstdint>

namespace gmr {

struct ActivationForward {
  const float* x;
  float* y;
  int64_t count;
  float slope;
};

struct ActivationBackwardInput {
  const float* y;
  const float* dy;
  float* dx;
  int64_t count;
  float slope;
};

}  // namespace gmr
