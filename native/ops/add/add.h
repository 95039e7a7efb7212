// Elementwise sum of two tensors of one shape: y = a + b. Both gradients are dy itself. y may be a or b.
#pragma once

#include <cstdint>

namespace gmr {

struct AddForward {
  const float* a;
  const float* b;
  float* y;
  int64_t count;
};

}  // namespace gmr
