// Elementwise kernels: four floats an access where the operands allow it, in one pass over memory.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/launch.h"

namespace gmr::cuda {

template <int width>
struct alignas(4 * width) Pack {
  float v[width];
};

template <int width>
__device__ inline Pack<width> load_pack(const float* x) {
  return *reinterpret_cast<const Pack<width>*>(x);
}

template <int width>
__device__ inline void store_pack(float* y, const Pack<width>& pack) {
  *reinterpret_cast<Pack<width>*>(y) = pack;
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
