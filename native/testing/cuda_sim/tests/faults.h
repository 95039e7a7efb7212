// Kernels with one fault each, and the same kernels without it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace gmr::cuda_sim::tests {

struct PlantedFault {
  const char* name;    // of the kernel, and in the comment that marks its line in faults.cu
  const char* kind;    // what the report must begin with
  const char* thread;  // who must be named; nullptr where the schedule decides
  void (*launch)(bool right, float* data, float* raw);
};

// Floats behind `data`, which are zero, and behind `raw`, which nobody has written.
constexpr size_t fault_floats = 256;

const PlantedFault* planted_faults(size_t& count);

// Kernels that use what ordinary code uses; the value that `out[thread]` must get from `in[thread]`.
void launch_features(float* out, const float* in, int count);
// One write of four bytes a thread, a warp a block.
void launch_grid(float* data, int count, cudaStream_t stream = nullptr);
void launch_too_large(int threads, size_t shared);
// Asks for so many bytes of dynamic shared memory, which the kernel uses to the last, beside its static ones.
cudaError_t launch_with_shared(float* data, int dynamic_bytes);
constexpr int static_shared_bytes = 256;

}  // namespace gmr::cuda_sim::tests
