// Neighbouring floats of shared memory at constant distances from a 32-bit address (shared_words.cuh).
#pragma once

#include "cuda/shared_words.cuh"

namespace gmr::cuda {

// Floats from row to row, a multiple of four, made an odd one, so that 16 bytes of eight rows meet different banks.
constexpr int odd_packs(int floats) { return floats % 8 == 0 ? floats + 4 : floats; }

// Neighbouring floats at a constant distance, in bytes, from an address, as many at a time as are aligned.
template <int distance, int count>
__device__ inline void load_floats(uint32_t address, float (&x)[count]) {
  constexpr int pack = count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
  unroll<count / pack>([&](auto i) {
    constexpr int at = distance + i * pack * 4;
    if constexpr (pack == 4) {
      const uint4 words = load_four_words<at>(address);
      x[4 * i] = __uint_as_float(words.x);
      x[4 * i + 1] = __uint_as_float(words.y);
      x[4 * i + 2] = __uint_as_float(words.z);
      x[4 * i + 3] = __uint_as_float(words.w);
    } else if constexpr (pack == 2) {
      const uint2 words = load_two_words<at>(address);
      x[2 * i] = __uint_as_float(words.x);
      x[2 * i + 1] = __uint_as_float(words.y);
    } else {
      x[i] = __uint_as_float(load_word<at>(address));
    }
  });
}
// At a constant distance, all at a time. Behind a pointer sums that are finished element by element may become as many
// stores, which meet banks that often.
template <int distance, int count>
__device__ inline void store_floats(uint32_t address, const float (&x)[count]) {
  static_assert(count == 2 || count == 4);
  if constexpr (count == 4) {
    asm volatile("st.shared.v4.f32 [%0+%1], {%2, %3, %4, %5};"
                 :
                 : "r"(address), "n"(distance), "f"(x[0]), "f"(x[1]), "f"(x[2]), "f"(x[3])
                 : "memory");
  } else {
    store_two_words<distance>(address, {__float_as_uint(x[0]), __float_as_uint(x[1])});
  }
}

}  // namespace gmr::cuda
