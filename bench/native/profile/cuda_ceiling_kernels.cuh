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

enum class MmaType { tf32, bf16 };
constexpr int mma_chains = 4;  // 4 x 8 warps a scheduler: more than the latency of a product
constexpr int mma_steps = 16;

constexpr int mma_depth(MmaType type) { return type == MmaType::tf32 ? 8 : 16; }

// Of m16n8 results.
constexpr double mma_flops_a_warp(MmaType type, int turns) {
  return 2.0 * 16 * 8 * mma_depth(type) * mma_chains * mma_steps * turns;
}

template <MmaType type>
static __device__ void mma_of_ones(float (&sums)[4], uint32_t ones) {
#if __CUDA_ARCH__ >= 800
  if constexpr (type == MmaType::tf32) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %4, %4, %4}, {%4, %4}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(ones));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %4, %4, %4}, {%4, %4}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(ones));
  }
#endif
}

// Products of ones, in as many chains as hide their latency; GPUs before sm_80 do nothing.
template <MmaType type>
static __global__ void mma_ceiling_kernel(float* results, int turns) {
  constexpr uint32_t ones = type == MmaType::tf32 ? 0x3f800000 : 0x3f803f80;
  float sums[mma_chains][4] = {};
  for (int turn = 0; turn < turns; ++turn) {
#pragma unroll
    for (int step = 0; step < mma_steps; ++step) {
#pragma unroll
      for (int i = 0; i < mma_chains; ++i) mma_of_ones<type>(sums[i], ones);
    }
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < mma_chains; ++i) total += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  results[int64_t{blockIdx.x} * blockDim.x + threadIdx.x] = total;
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
