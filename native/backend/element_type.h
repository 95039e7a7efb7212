// Types of elements of activations. Parameters, statistics and their gradients are float32 always, and so is the
// arithmetic: a kernel widens what it reads and rounds what it writes. In params structs activations are `void*`, and
// `type` says what all of them hold.
// Functions are constexpr so that code for other processors than the host's may use them too.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gmr {

enum class ElementType : int32_t { float32, bfloat16 };

constexpr size_t element_bytes(ElementType type) { return type == ElementType::float32 ? 4 : 2; }

// The upper half of a float32: its range with 8 digits of binary instead of 24.
struct bfloat16 {
  uint16_t bits;
};

// std::bit_cast by the compiler's own name: Debian 11's library, against which releases are built, has none.
constexpr float to_float(float value) { return value; }
constexpr float to_float(bfloat16 value) { return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16); }

// The nearest element, of two that are equally near the even one. NaN stays NaN.
template <typename Element>
constexpr Element to_element(float value);

template <>
constexpr float to_element<float>(float value) {
  return value;
}

template <>
constexpr bfloat16 to_element<bfloat16>(float value) {
  const auto bits = __builtin_bit_cast(uint32_t, value);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  // A NaN whose payload is all in the lower half would become infinity, and one of ones would overflow into the sign.
  const uint32_t upper = is_nan ? (bits >> 16) | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return {static_cast<uint16_t>(upper)};
}

// Calls f.template operator()<Element>() with the C++ type of `type`.
template <typename F>
constexpr decltype(auto) with_element_type(ElementType type, F&& f) {
  if (type == ElementType::bfloat16) return f.template operator()<bfloat16>();
  return f.template operator()<float>();
}

}  // namespace gmr
