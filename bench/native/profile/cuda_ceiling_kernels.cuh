// Kernels that do nothing but multiply and add, or copy.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace gmr::profile {

constexpr int fma_threads = 256;
constexpr int fma_chains = 8;  // 8 x 16 warps a scheduler: far more than the latency of a multiply-add
constexpr int fma_steps = 32;  // enough for the loop around them to take 1 %

constexpr double fma_flops_a_thread(int turns) { return 2.0 * fma_chains * fma_steps * turns; }

// The sums are stored, so that none is left out; `factor` and `term` are not known to the compiler.
static __global__ void fma_ceiling_kernel(float* results, float factor, float term, int turns) {
  float chain[fma_chains];
#pragma unroll
  for (int i = 0; i < fma_chains; ++i) chain[i] = static_cast<float>(i);
  for (int turn = 0; turn < turns; ++turn) {
#pragma unroll
    for (int step = 0; step < fma_steps; ++step) {
#pragma unroll
      for (int i = 0; i < fma_chains; ++i) chain[i] = fmaf(chain[i], factor, term);
    }
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < fma_chains; ++i) total += chain[i];
  results[int64_t{blockIdx.x} * fma_threads + threadIdx.x] = total;
}

// Four accesses under way a thread.
static __global__ void copy_ceiling_kernel(float4* to, const float4* from, int64_t count) {
  constexpr int unroll = 4;
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (; i + (unroll - 1) * step < count; i += unroll * step) {
    float4 values[unroll];
#pragma unroll
    for (int j = 0; j < unroll; ++j) values[j] = from[i + j * step];
#pragma unroll
    for (int j = 0; j < unroll; ++j) to[i + j * step] = values[j];
  }
  for (; i < count; i += step) to[i] = from[i];
}

}  // namespace gmr::profile
