// bfloat16 on the device: the upper half of a float32, read exactly, written rounded to nearest even.
#pragma once

#include <cstdint>

namespace gmr::cuda {

struct Bfloat16 {
  uint16_t bits;
};

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(Bfloat16 x) { return __uint_as_float(uint32_t{x.bits} << 16); }

// The two of a word: the first lies in its lower half, as in memory.
__device__ inline float first_of(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ inline float second_of(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

__device__ inline uint32_t rounded_pair(float first, float second) {
#if __CUDA_ARCH__ >= 800
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
#else
  const auto round = [](float x) {
    const uint32_t bits = __float_as_uint(x);
    return x != x ? 0x7fffu : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  };
  return round(second) << 16 | round(first);
#endif
}

template <typename T>
__device__ T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__device__ inline Bfloat16 from_float<Bfloat16>(float x) {
  return {static_cast<uint16_t>(rounded_pair(x, 0))};
}

}  // namespace gmr::cuda
