// The operands of a pass that knows float32 alone, and the check that it is given nothing else.
#pragma once

#include "backend/backend.h"
#include "backend/element_type.h"

#ifdef __CUDACC__
#define GMR_HOST_DEVICE __host__ __device__
#else
#define GMR_HOST_DEVICE
#endif

namespace gmr {

GMR_HOST_DEVICE inline const float* floats(const void* operand) { return static_cast<const float*>(operand); }
GMR_HOST_DEVICE inline float* floats(void* operand) { return static_cast<float*>(operand); }

template <typename Params>
void expect_float32(const Params& p, const char* op) {
  bool is_float32 = true;
  if constexpr (requires { p.type; }) is_float32 = p.type == ElementType::float32;
  if constexpr (requires { p.affine.type; }) is_float32 = p.affine.type == ElementType::float32;
  if constexpr (requires { p.x_type; }) {
    is_float32 = p.x_type == ElementType::float32 && p.y_type == ElementType::float32;
  }
  if (!is_float32) {
    throw BackendError("device_failure", "expected float32 tensors, received bfloat16, which it does not support yet",
                       op);
  }
}

}  // namespace gmr
