// Mean of each plane, y[plane] = sum_i x[plane,i] / extent, summed in double: a turned or mirrored plane has the same
// mean up to float rounding. Gradient: dx[plane,i] = dy[plane] / extent.
#pragma once

#include <cstdint>

namespace gmr {

struct GlobalAvgPoolForward {
  const float* x;  // [planes, extent]
  float* y;        // [planes]
  int64_t planes;
  int64_t extent;
};

struct GlobalAvgPoolBackwardInput {
  const float* dy;
  float* dx;
  int64_t planes;
  int64_t extent;
};

}  // namespace gmr
