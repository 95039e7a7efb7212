// Modifiers of floating-point instructions: rounding, flushing of subnormal numbers, saturation.
#pragma once

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "testing/cuda_sim/opcode_table.h"

namespace gmr::cuda_sim {

enum class Rounding : uint32_t { nearest_even, toward_zero, down, up };

struct Modifiers {
  Rounding rounding = Rounding::nearest_even;
  bool flushes = false;
  bool saturates = false;

  static Modifiers of(std::string_view opcode) {
    Modifiers modifiers;
    if (has_modifier(opcode, ".rz") || has_modifier(opcode, ".rzi")) modifiers.rounding = Rounding::toward_zero;
    if (has_modifier(opcode, ".rm") || has_modifier(opcode, ".rmi")) modifiers.rounding = Rounding::down;
    if (has_modifier(opcode, ".rp") || has_modifier(opcode, ".rpi")) modifiers.rounding = Rounding::up;
    modifiers.flushes = has_modifier(opcode, ".ftz");
    modifiers.saturates = has_modifier(opcode, ".sat");
    return modifiers;
  }
  static Modifiers of(uint32_t variant) {
    return {static_cast<Rounding>(variant >> 2 & 3), (variant & 1) != 0, (variant & 2) != 0};
  }
  uint32_t variant() const {
    return static_cast<uint32_t>(flushes) | static_cast<uint32_t>(saturates) << 1 |
           static_cast<uint32_t>(rounding) << 2;
  }
};

// The processor rounds like this while the object lives. The compiler keeps arithmetic on memory between the two
// barriers; arithmetic on values that were loaded before would escape.
class RoundingScope {
 public:
  explicit RoundingScope(Rounding rounding) {
    constexpr int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    std::fesetround(modes[static_cast<uint32_t>(rounding)]);
    asm volatile("" ::: "memory");
  }
  ~RoundingScope() {
    asm volatile("" ::: "memory");
    std::fesetround(FE_TONEAREST);
  }
  RoundingScope(const RoundingScope&) = delete;
  RoundingScope& operator=(const RoundingScope&) = delete;
};

inline float flush(float value) { return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value; }
inline double flush(double value) { return value; }  // .ftz concerns single precision alone

template <class T>
inline T saturate_unit(T value) {
  return value > T{0} ? (value < T{1} ? value : T{1}) : T{0};  // NaN becomes 0
}

}  // namespace gmr::cuda_sim
