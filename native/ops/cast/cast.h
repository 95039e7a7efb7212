// The same numbers as another type of element, to the nearest; the gradient is the gradient cast back, another forward
// pass.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct CastForward {
  const void* x;
  void* y;
  int64_t count;
  ElementType x_type = ElementType::float32, y_type = ElementType::float32;
};

}  // namespace gmr
