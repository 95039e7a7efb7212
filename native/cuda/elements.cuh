// Elementwise kernels: four floats an access where the operands allow it, in one pass over memory.
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
__device__ inline Pack<width> load_pack(const Bfloat16* x) {
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
__device__ inline void store_pack(Bfloat16* y, const Pack<width>& pack) {
  if constexpr (width == 1) {
    *y = from_float<Bfloat16>(pack.v[0]);
  } else {
    Pairs<width> pairs;
#pragma unroll
    for (int i = 0; i < width; i += 2) pairs.word[i / 2] = rounded_pair(pack.v[i], pack.v[i + 1]);
    *reinterpret_cast<Pairs<width>*>(y) = pairs;
  }
}

template <int width>
using Width = std::integral_constant<int, width>;

// How many groups of four elements the operands, of `count` elements each, can be taken apart into; absent ones are
// nullptr.
template <typename... Operands>
int64_t quads_of(int64_t count, const Operands*... operands) {
  const bool aligned = (... && (reinterpret_cast<uintptr_t>(operands) % 16 == 0));
  return aligned ? count / 4 : 0;
}

// The launch for for_elements.
inline LaunchShape elements_shape(const BackendDevice& device, int64_t count, int64_t quads) {
  return thread_each(device, quads > 0 ? quads : count);
}

// Calls f(i, Width<4>()) for the groups of four and f(i, Width<1>()) for what is left.
template <typename F>
__device__ inline void for_elements(int64_t count, int64_t quads, F&& f) {
  for (int64_t quad = first_item(); quad < quads; quad += item_step()) f(4 * quad, Width<4>());
  for (int64_t i = 4 * quads + first_item(); i < count; i += item_step()) f(i, Width<1>());
}

}  // namespace gmr::cuda
