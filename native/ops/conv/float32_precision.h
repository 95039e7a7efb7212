#pragma once

#include <cstdint>

namespace gmr {

// What products of float32 may lose for speed, as in lib/precision.ts; sums, ring sums among them, are always float32.
// A permission: a backend without a faster way computes at `highest`, as the CPU's does.
enum class Float32Precision : int32_t {
  highest,  // float32 products
  high,     // each operand as two numbers of fewer digits, for matrix units: float32 but for the last digits
};

}  // namespace gmr
