// Copies from global to shared memory that go on while the thread does other things (sm_80 and later; before, they are
// done at once). Copies up to a finish_group() form a group; wait_for_all_groups_but<n>() waits for the thread's groups
// but the n last ones. Other threads see what was copied after a barrier behind that.
#pragma once

#include <cstdint>

namespace gmr::cuda {

// A copy of 4, 8 or 16 bytes, or zeros; `from` must be a global address in any case. 16 go past the L1 cache.
template <typename T>
__device__ inline void copy_or_zero(T* to, const T* from, bool is_there) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);
#if __CUDA_ARCH__ >= 800
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const auto global = __cvta_generic_to_global(from);
  const int bytes = is_there ? static_cast<int>(sizeof(T)) : 0;
  if constexpr (sizeof(T) == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(shared), "l"(global), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :
                 : "r"(shared), "l"(global), "n"(sizeof(T)), "r"(bytes)
                 : "memory");
  }
#else
  *to = is_there ? *from : T{};
#endif
}

// The same at constant distances, in bytes, from a shared address and a global pointer. `bytes`: of a T, or 0 for zeros.
template <typename T, int to_bytes, int from_bytes>
__device__ inline void copy_at(uint32_t to, const void* from, int bytes) {
#if __CUDA_ARCH__ >= 800
  const auto global = __cvta_generic_to_global(from);
  if constexpr (sizeof(T) == 16) {
    asm volatile("cp.async.cg.shared.global [%0+%3], [%1+%4], 16, %2;"
                 :
                 : "r"(to), "l"(global), "r"(bytes), "n"(to_bytes), "n"(from_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0+%4], [%1+%5], %2, %3;"
                 :
                 : "r"(to), "l"(global), "n"(sizeof(T)), "r"(bytes), "n"(to_bytes), "n"(from_bytes)
                 : "memory");
  }
#else
  copy_or_zero(reinterpret_cast<T*>(__cvta_shared_to_generic(to + to_bytes)),
               reinterpret_cast<const T*>(static_cast<const char*>(from) + from_bytes), bytes > 0);
#endif
}
template <typename T, int to_bytes, int from_bytes>
__device__ inline void copy_or_zero_at(uint32_t to, const void* from, bool is_there) {
  copy_at<T, to_bytes, from_bytes>(to, from, is_there ? static_cast<int>(sizeof(T)) : 0);
}

// The first `bytes` of 16, an even number, and zeros behind them.
__device__ inline void copy_some(uint4* to, const uint4* from, int bytes) {
#if __CUDA_ARCH__ >= 800
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const auto global = __cvta_generic_to_global(from);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(shared), "l"(global), "r"(bytes) : "memory");
#else
  if (bytes == 16) {
    *to = *from;
  } else {
    const auto* elements = reinterpret_cast<const uint16_t*>(from);
    for (int i = 0; i < 8; ++i) reinterpret_cast<uint16_t*>(to)[i] = 2 * i < bytes ? elements[i] : 0;
  }
#endif
}

__device__ inline void finish_group() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" : : : "memory");
#endif
}

template <int n>
__device__ inline void wait_for_all_groups_but() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" : : "n"(n) : "memory");
#endif
}

__device__ inline void wait_for_copies() {
  finish_group();
  wait_for_all_groups_but<0>();
}

}  // namespace gmr::cuda
