// Floating-point formats narrower than single precision: what they hold, and rounding to them.
#pragma once

#include <cstdint>

#include "testing/cuda_sim/rounding.h"

namespace gmr::cuda_sim {

struct FloatFormat {
  int exponent_bits;
  int fraction_bits;
};

constexpr FloatFormat half_format{5, 10};
constexpr FloatFormat bfloat_format{8, 7};

// Rounds once. With `saturates_finite` what is too large becomes the largest finite number; NaN is 0x7fff.
uint16_t narrow(double value, FloatFormat format, Rounding rounding, bool saturates_finite = false);

double widen(uint16_t bits, FloatFormat format);

inline float widen_bfloat(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

// The values of these formats, under types of their own.
struct Half {
  uint16_t bits;
  operator double() const { return widen(bits, half_format); }
};
struct Bfloat {
  uint16_t bits;
  operator double() const { return widen_bfloat(bits); }
};

// a * b + c, exact but for a last bit that is set where digits were lost: rounding it once more is rounding once.
double multiply_add_to_odd(double a, double b, double c);

}  // namespace gmr::cuda_sim
