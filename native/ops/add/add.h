// Elementwise sum of two tensors of one shape: y = a + b. Both gradients are dy itself. y may be a or b.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct AddForward {
  const void* a;
  const void* b;
  void* y;
  int64_t count;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
