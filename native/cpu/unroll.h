#pragma once

#include <type_traits>
#include <utility>

namespace gmr::cpu {

// Calls f(std::integral_constant<int, i>) for i = 0..Count - 1.
template <int Count, typename F>
inline void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, Count>{});
}

}  // namespace gmr::cpu
