// Copies from global to shared memory that go on while the thread does other things (sm_80 and later; before, they are
// done at once). Copies up to a finish_group() form a group; wait_for_all_groups_but<n>() waits for the thread's groups
// but the n last ones. Other threads see what was copied after a barrier behind that.
#pragma once

#include <cstdint>

namespace gmr::cuda {

// A copy of a float, or a zero; `from` must be a global address in any case.
__device__ inline void copy_or_zero(float* to, const float* from, bool is_there) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               :
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(to))), "l"(__cvta_generic_to_global(from)),
                 "r"(is_there ? 4 : 0)
               : "memory");
#else
  *to = is_there ? *from : 0;
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
