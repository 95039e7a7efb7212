// Shared memory at constant distances, in bytes, from a 32-bit address: of pointers the compiler works out each address
// anew, in 64 bits.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace gmr::cuda {

// The least number >= words that is `rest` modulo the 32 banks.
constexpr int padded_words(int words, int rest) { return words + (rest - words % 32 + 32) % 32; }

__device__ inline uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

// Calls f(std::integral_constant<int, i>) for i = 0..count - 1.
template <int count, typename F>
__device__ inline void unroll(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) { (f(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, count>{});
}

template <int distance>
__device__ inline uint32_t load_word(uint32_t address) {
  uint32_t word;
  asm volatile("ld.shared.u32 %0, [%1+%2];" : "=r"(word) : "r"(address), "n"(distance) : "memory");
  return word;
}
// The second half of what is returned is zero.
template <int distance>
__device__ inline uint32_t load_half(uint32_t address) {
  uint16_t half;
  asm volatile("ld.shared.u16 %0, [%1+%2];" : "=h"(half) : "r"(address), "n"(distance) : "memory");
  return half;
}
template <int distance>
__device__ inline uint2 load_two_words(uint32_t address) {
  uint2 words;
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2+%3];"
               : "=r"(words.x), "=r"(words.y)
               : "r"(address), "n"(distance)
               : "memory");
  return words;
}
template <int distance>
__device__ inline uint4 load_four_words(uint32_t address) {
  uint4 words;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4+%5];"
               : "=r"(words.x), "=r"(words.y), "=r"(words.z), "=r"(words.w)
               : "r"(address), "n"(distance)
               : "memory");
  return words;
}
// One, two or four words.
template <typename Words>
__device__ inline Words load_as(uint32_t address) {
  if constexpr (std::is_same_v<Words, uint4>) {
    return load_four_words<0>(address);
  } else if constexpr (std::is_same_v<Words, uint2>) {
    return load_two_words<0>(address);
  } else {
    return load_word<0>(address);
  }
}
template <int distance>
__device__ inline void store_word(uint32_t address, uint32_t word) {
  asm volatile("st.shared.u32 [%0+%1], %2;" : : "r"(address), "n"(distance), "r"(word) : "memory");
}
template <int distance>
__device__ inline void store_two_words(uint32_t address, uint2 words) {
  asm volatile("st.shared.v2.u32 [%0+%1], {%2, %3};"
               :
               : "r"(address), "n"(distance), "r"(words.x), "r"(words.y)
               : "memory");
}

}  // namespace gmr::cuda
