// Kernels whose resources resources_test.cc knows.
#include <cuda_runtime.h>

namespace gmr::cuda_sim::tests {

namespace {

__global__ void __launch_bounds__(96) known_shared(float* data) {
  __shared__ float tile[96];
  tile[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = tile[95 - threadIdx.x];
}

// Indices that only the data tell keep the array out of registers.
__global__ void known_stack(int* data) {
  int own[16];
  for (int i = 0; i < 16; ++i) own[i] = data[i];
  for (int i = 0; i < 16; ++i) own[data[16 + i] & 15] += i;
  data[threadIdx.x] = own[data[threadIdx.x] & 15];
}

}  // namespace

// Keeps the kernels: what is never launched is left out.
void launch_known_kernels(float* data) {
  known_shared<<<1, 96>>>(data);
  known_stack<<<1, 16>>>(reinterpret_cast<int*>(data));
}

}  // namespace gmr::cuda_sim::tests
