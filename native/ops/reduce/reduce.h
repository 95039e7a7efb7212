// Sum over one axis of [outer, reduced, inner], divided by a number: y[o,i] = (sum_r x[o,r,i]) / divisor.
// The sum and the division are done in double. Sums over several axes are several passes, the mean's divisor is given
// to the last; `divisor` 0 is the mean of nothing, NaN. Gradient: dx[o,r,i] = dy[o,i] / divisor.
#pragma once

#include <cstdint>

namespace gmr {

struct ReduceForward {
  const float* x;  // [outer, reduced, inner]
  float* y;        // [outer, inner]
  int64_t outer, reduced, inner;
  int64_t divisor;
};

struct ReduceBackwardInput {
  const float* dy;  // [outer, inner]
  float* dx;        // [outer, reduced, inner]
  int64_t outer, reduced, inner;
  int64_t divisor;
};

}  // namespace gmr
