// The types of PTX as types of C++, to list instructions by.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace gmr::cuda_sim {

template <class T>
struct Named {
  using type = T;
  const char* name;
};

template <class F>
void for_signed_types(F f) {
  f(Named<int16_t>{"s16"});
  f(Named<int32_t>{"s32"});
  f(Named<int64_t>{"s64"});
}

template <class F>
void for_unsigned_types(F f) {
  f(Named<uint16_t>{"u16"});
  f(Named<uint32_t>{"u32"});
  f(Named<uint64_t>{"u64"});
}

template <class F>
void for_integer_types(F f) {
  for_signed_types(f);
  for_unsigned_types(f);
}

template <class F>
void for_bit_types(F f) {
  f(Named<uint16_t>{"b16"});
  f(Named<uint32_t>{"b32"});
  f(Named<uint64_t>{"b64"});
}

template <class T>
constexpr int bits_of = static_cast<int>(sizeof(T) * 8);

// Twice as wide, with the same sign.
template <class T>
using Wide =
    std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
                       std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                                          std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

template <class T>
inline std::string bytes() {
  return std::to_string(sizeof(T));
}

// "=4 4 4": a result and `sources` operands of one type.
template <class T>
inline std::string same_width(int sources) {
  std::string text = "=" + bytes<T>();
  for (int i = 0; i < sources; ++i) text += " " + bytes<T>();
  return text;
}

template <class To, class From>
inline To bit_cast_to(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

}  // namespace gmr::cuda_sim
