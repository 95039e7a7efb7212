#include "testing/cuda_sim/narrow_float.h"

#include <cstring>
#include <limits>

namespace gmr::cuda_sim {

uint16_t narrow(double value, FloatFormat format, Rounding rounding, bool saturates_finite) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const uint16_t infinity = static_cast<uint16_t>(((1 << format.exponent_bits) - 1) << format.fraction_bits);
  if (value != value) return 0x7fff;
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return sign;
  if (std::isinf(magnitude)) return sign | static_cast<uint16_t>(infinity - (saturates_finite ? 1 : 0));
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, 0.5 <= f < 1
  // The place of the last digit, which subnormal numbers share.
  const int last = std::max(exponent - 1, 1 - bias) - format.fraction_bits;
  const double scaled = std::ldexp(magnitude, -last);
  double whole = std::floor(scaled);
  const double rest = scaled - whole;
  const bool up = (rounding == Rounding::up && sign == 0) || (rounding == Rounding::down && sign != 0);
  if (rounding == Rounding::nearest_even) {
    if (rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) != 0)) ++whole;
  } else if (up && rest > 0) {
    ++whole;
  }
  const double rounded = std::ldexp(whole, last);
  const double largest = std::ldexp(std::ldexp(2.0, format.fraction_bits) - 1, bias - format.fraction_bits);
  if (rounded > largest) {
    const bool stays_finite = saturates_finite || (rounding != Rounding::nearest_even && !up);
    return sign | static_cast<uint16_t>(infinity - (stays_finite ? 1 : 0));
  }
  const auto digits = static_cast<uint32_t>(whole);
  const uint32_t hidden = 1u << format.fraction_bits;
  if (digits < hidden) return static_cast<uint16_t>(sign | digits);
  // A carry into the next power of two carries into the exponent's field by itself.
  const uint32_t field = static_cast<uint32_t>(last + format.fraction_bits + bias);
  return static_cast<uint16_t>(sign | ((field << format.fraction_bits) + (digits - hidden)));
}

double widen(uint16_t bits, FloatFormat format) {
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const int field = bits >> format.fraction_bits & ((1 << format.exponent_bits) - 1);
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (field == (1 << format.exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (field == 0) return sign * std::ldexp(fraction, 1 - bias - format.fraction_bits);
  return sign * std::ldexp(fraction + (1 << format.fraction_bits), field - bias - format.fraction_bits);
}

double multiply_add_to_odd(double a, double b, double c) {
  const double product = a * b;  // exact: factors of at most 11 digits
  const double sum = product + c;
  if (!std::isfinite(sum)) return sum;
  // What the sum lost (Knuth).
  const double part = sum - product;
  const double lost = (product - (sum - part)) + (c - part);
  uint64_t bits;
  std::memcpy(&bits, &sum, sizeof bits);
  if (lost == 0 || bits & 1) return sum;
  return std::nextafter(sum,
                        lost > 0 ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity());
}

}  // namespace gmr::cuda_sim
