// Elementwise kernels: 16 bytes an access where the operands allow it, in one pass over memory.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/bfloat16.cuh"
#include "cuda/launch.h"

namespace gmr::cuda {

template <int width>
struct alignas(4 * width) Pack {
  float v[width];
};

template <int width>
__device__ inline Pack<width> load_pack(const float* x) {
  if constexpr (width <= 4) {
    return *reinterpret_cast<const Pack<width>*>(x);
  } else {
    const Pack<4> first = load_pack<4>(x), second = load_pack<4>(x + 4);
    return {first.v[0], first.v[1], first.v[2], first.v[3], second.v[0], second.v[1], second.v[2], second.v[3]};
  }
}

template <int width>
__device__ inline void store_pack(float* y, const Pack<width>& pack) {
  if constexpr (width <= 4) {
    *reinterpret_cast<Pack<width>*>(y) = pack;
  } else {
    store_pack(y, Pack<4>{pack.v[0], pack.v[1], pack.v[2], pack.v[3]});
    store_pack(y + 4, Pack<4>{pack.v[4], pack.v[5], pack.v[6], pack.v[7]});
  }
}

// The words of `width` bfloat16.
template <int width>
struct alignas(2 * width) Pairs {
  uint32_t word[width / 2];
};

template <int width>
__device__ inline Pack<width> load_pack(const bfloat16* x) {
  Pack<width> pack;
  if constexpr (width == 1) {
    pack.v[0] = to_float(*x);
  } else {
    const auto pairs = *reinterpret_cast<const Pairs<width>*>(x);
#pragma unroll
    for (int i = 0; i < width; ++i) pack.v[i] = i % 2 == 0 ? first_of(pairs.word[i / 2]) : second_of(pairs.word[i / 2]);
  }
  return pack;
}

template <int width>
__device__ inline void store_pack(bfloat16* y, const Pack<width>& pack) {
  if constexpr (width == 1) {
    *y = rounded<bfloat16>(pack.v[0]);
  } else {
    Pairs<width> pairs;
#pragma unroll
    for (int i = 0; i < width; i += 2) pairs.word[i / 2] = rounded_pair(pack.v[i], pack.v[i + 1]);
    *reinterpret_cast<Pairs<width>*>(y) = pairs;
  }
}

template <int width>
using Width = std::integral_constant<int, width>;

// Elements of a group: 16 bytes of T.
template <typename T>
constexpr int group_width = 16 / sizeof(T);

// How many groups of T the operands, of `count` elements each, can be taken apart into; absent ones are nullptr.
template <typename T, typename... Operands>
int64_t groups_of(int64_t count, const Operands*... operands) {
  const bool aligned = (... && (reinterpret_cast<uintptr_t>(operands) % 16 == 0));
  return aligned ? count / group_width<T> : 0;
}

// The launch for for_elements.
inline LaunchShape elements_shape(const BackendDevice& device, int64_t count, int64_t groups) {
  return thread_each(device, groups > 0 ? groups : count);
}

// Calls f(i, Width<group_width<T>>()) for the groups and f(i, Width<1>()) for what is left.
template <typename T, typename F>
__device__ inline void for_elements(int64_t count, int64_t groups, F&& f) {
  constexpr int width = group_width<T>;
  for (int64_t group = first_item(); group < groups; group += item_step()) f(width * group, Width<width>());
  for (int64_t i = width * groups + first_item(); i < count; i += item_step()) f(i, Width<1>());
}

}  // namespace gmr::cuda
