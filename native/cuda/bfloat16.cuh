// bfloat16 (backend/element_type.h) on the device: pairs of them as words, and rounding by the GPU's own instruction.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/element_type.h"

namespace gmr::cuda {

// The two of a word: the first lies in its lower half, as in memory.
__device__ inline float first_of(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ inline float second_of(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

__device__ inline uint32_t rounded_pair(float first, float second) {
#if __CUDA_ARCH__ >= 800
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
#else
  return uint32_t{to_element<bfloat16>(second).bits} << 16 | to_element<bfloat16>(first).bits;
#endif
}

// to_element in one instruction.
template <typename T>
__device__ inline T rounded(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return {static_cast<uint16_t>(rounded_pair(x, 0))};
  }
}

}  // namespace gmr::cuda
