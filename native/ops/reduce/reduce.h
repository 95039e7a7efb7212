// Sum over one axis of [outer, reduced, inner], divided by a number: y[o,i] = (sum_r x[o,r,i]) / divisor.
// The sum and the division are done in double. Sums over several axes are several passes, the mean's divisor is given
// to the last; `divisor` 0 is the mean of nothing, NaN. Gradient: dx[o,r,i] = dy[o,i] / divisor.
// The types may differ: sums that another pass adds up, and gradients of float32 parameters, are not rounded to less.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct ReduceForward {
  const void* x;  // [outer, reduced, inner]
  void* y;        // [outer, inner]
  int64_t outer, reduced, inner;
  int64_t divisor;
  ElementType x_type = ElementType::float32, y_type = ElementType::float32;
};

struct ReduceBackwardInput {
  const void* dy;  // [outer, inner]
  void* dx;        // [outer, reduced, inner]
  int64_t outer, reduced, inner;
  int64_t divisor;
  ElementType y_type = ElementType::float32, x_type = ElementType::float32;  // of dy and dx
};

}  // namespace gmr
