// "fault: name" marks the line that must be reported, "other: name" the other side of a race.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cassert>
#include <cstdint>

#include "testing/cuda_sim/tests/faults.h"

namespace gmr::cuda_sim::tests {

namespace {

__device__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

__device__ void copy_async(void* to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
}

__device__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

template <bool right>
__global__ void global_out_of_bounds(float* data, float*) {
  data[threadIdx.x + (right ? 0 : 200)] = 1;  // fault: global_out_of_bounds
}

template <bool right>
__global__ void global_read_before(float* data, float*) {
  const int i = static_cast<int>(threadIdx.x) - (right ? 0 : 7);
  data[threadIdx.x] = data[i] + 1;  // fault: global_read_before
}

template <bool right>
__global__ void shared_out_of_bounds(float* data, float*) {
  __shared__ float tile[64];
  tile[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = tile[threadIdx.x + (right ? 0 : 2)];  // fault: shared_out_of_bounds
}

template <bool right>
__global__ void local_out_of_bounds(float* data, float*) {
  float own[8];
  for (int i = 0; i < 8; ++i) own[i] = data[i];
  const int i = static_cast<int>(data[threadIdx.x]) + static_cast<int>(threadIdx.x) % 8 + (right ? 0 : 1);
  data[threadIdx.x] = own[i];  // fault: local_out_of_bounds
}

template <bool right>
__global__ void misaligned_vector(float* data, float*) {
  float* const at = data + 4 * threadIdx.x + (right ? 0 : 2);
  *reinterpret_cast<float4*>(at) = make_float4(1, 2, 3, 4);  // fault: misaligned_vector
}

template <bool right>
__global__ void uninitialised_global(float* data, float* raw) {
  if (right || threadIdx.x != 5) raw[threadIdx.x] = 1;
  data[threadIdx.x] = raw[threadIdx.x];  // fault: uninitialised_global
}

template <bool right>
__global__ void uninitialised_shared(float* data, float*) {
  __shared__ float tile[64];
  if (right || threadIdx.x < 60) tile[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = tile[63 - threadIdx.x];  // fault: uninitialised_shared
}

template <bool right>
__global__ void missing_barrier(float* data, float*) {
  __shared__ float tile[64];
  tile[threadIdx.x] = 0;
  __syncthreads();
  tile[threadIdx.x] = data[threadIdx.x];  // other: missing_barrier
  if (right) __syncthreads();
  data[threadIdx.x] = tile[63 - threadIdx.x];  // fault: missing_barrier
}

template <bool right>
__global__ void missing_second_barrier(float* data, float*) {
  __shared__ float tile[64];
  float sum = 0;
  for (int step = 0; step < 3; ++step) {
    tile[threadIdx.x] = data[threadIdx.x] + step;  // fault: missing_second_barrier
    __syncthreads();
    sum += tile[threadIdx.x ^ 32];  // other: missing_second_barrier
    if (right) __syncthreads();
  }
  data[threadIdx.x] = sum;
}

template <bool right>
__global__ void missing_syncwarp(float* data, float*) {
  __shared__ float tile[32];
  tile[threadIdx.x] = data[threadIdx.x];  // other: missing_syncwarp
  if (right) __syncwarp();
  data[threadIdx.x] = tile[31 - threadIdx.x];  // fault: missing_syncwarp
}

template <bool right>
__global__ void blocks_write_one_place(float* data, float*) {
  data[right ? blockIdx.x : 0] = static_cast<float>(blockIdx.x);  // fault: blocks_write_one_place
}

template <bool right>
__global__ void blocks_in_place(float* data, float*) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const float left = right ? 0 : data[(i + 32) % 128];
  data[i] = left + 1;  // fault: blocks_in_place
}

template <bool right>
__global__ void missing_fence(float* data, float*) {
  __shared__ bool last;
  unsigned* const counter = reinterpret_cast<unsigned*>(data + 64);
  data[blockIdx.x] = 1;  // other: missing_fence
  if (right) __threadfence();
  last = atomicAdd(counter, 1) == gridDim.x - 1;
  if (!last) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += data[i];  // fault: missing_fence
  data[65] = sum;
}

template <bool right>
__global__ void divergent_barrier(float* data, float*) {
  if (right || threadIdx.x % 32 != 9) {
    data[threadIdx.x] = 2;
    __syncthreads();  // fault: divergent_barrier
  }
  data[threadIdx.x] += 1;
}

template <bool right>
__global__ void barrier_after_exit(float* data, float*) {
  if (!right && threadIdx.x >= 32) return;
  __syncthreads();  // fault: barrier_after_exit
  data[threadIdx.x] = 1;
}

template <bool right>
__global__ void wrong_named_barrier(float* data, float*) {
  if (threadIdx.x < 32) {
    asm volatile("bar.arrive %0, 64;" ::"r"(right ? 1 : 3) : "memory");
  } else {
    asm volatile("bar.sync 1, 64;" ::: "memory");  // fault: wrong_named_barrier
  }
  data[threadIdx.x] = 1;
}

template <bool right>
__global__ void shuffle_in_branch(float* data, float*) {
  float value = data[threadIdx.x];
  if (right || threadIdx.x != 3) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);  // fault: shuffle_in_branch
  }
  data[threadIdx.x] = value;
}

template <bool right>
__global__ void copy_not_awaited(float* data, float*) {
  __shared__ alignas(16) float tile[128];
  copy_async(tile + 4 * threadIdx.x, data + 4 * threadIdx.x);  // other: copy_not_awaited
  if (right) wait_for_copies();
  data[4 * threadIdx.x] = tile[4 * threadIdx.x] + 1;  // fault: copy_not_awaited
  wait_for_copies();
}

template <bool right>
__global__ void copy_misaligned(float* data, float*) {
  __shared__ alignas(16) float tile[136];
  copy_async(tile + 4 * threadIdx.x + (right ? 0 : 1), data + 4 * threadIdx.x);  // fault: copy_misaligned
  wait_for_copies();
}

template <bool right>
__global__ void mbarrier_short_of_arrivals(float* data, float*) {
  __shared__ uint64_t barrier;
  const uint32_t at = shared_address(&barrier);
  if (threadIdx.x == 0) asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(at), "r"(right ? 32 : 33) : "memory");
  __syncthreads();
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(at) : "memory");
  uint32_t done = 0;
  while (done == 0) {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], 0; selp.u32 %0, 1, 0, p; }"
                 : "=r"(done)
                 : "r"(at)
                 : "memory");
  }
  data[threadIdx.x] = 1;
}

template <bool right>
__global__ void failed_assertion(float* data, float*) {
  assert(right || data[threadIdx.x] > 0);  // fault: failed_assertion
  data[threadIdx.x] = 1;
}

template <bool right>
__global__ void use_after_free(float* data, float*) {
  data[threadIdx.x] = 1;  // fault: use_after_free
}

template <void (*right_kernel)(float*, float*), void (*wrong_kernel)(float*, float*), int blocks, int threads>
void start(bool right, float* data, float* raw) {
  if (right) {
    right_kernel<<<blocks, threads>>>(data, raw);
  } else {
    wrong_kernel<<<blocks, threads>>>(data, raw);
  }
}

void start_after_free(bool right, float*, float*) {
  float* freed = nullptr;
  cudaMalloc(&freed, 256);
  if (!right) cudaFree(freed);
  use_after_free<false><<<1, 32>>>(freed, freed);
  if (right) cudaFree(freed);
}

#define GMR_FAULT(name, kind, thread, blocks, threads)                         \
  {                                                                            \
#name, kind, thread, start < name < true>, name < false>, blocks, threads> \
  }

constexpr PlantedFault faults[] = {
    GMR_FAULT(global_out_of_bounds, "out of bounds", "thread (56,0,0)", 1, 64),
    GMR_FAULT(global_read_before, "out of bounds", "thread (0,0,0)", 1, 32),
    GMR_FAULT(shared_out_of_bounds, "out of bounds", "thread (62,0,0)", 1, 64),
    GMR_FAULT(local_out_of_bounds, "out of bounds", "thread (7,0,0)", 1, 32),
    GMR_FAULT(misaligned_vector, "misaligned access", "thread (0,0,0)", 1, 32),
    GMR_FAULT(uninitialised_global, "uninitialised global memory", "thread (5,0,0)", 1, 32),
    GMR_FAULT(uninitialised_shared, "uninitialised shared memory", "thread (0,0,0)", 1, 64),
    GMR_FAULT(missing_barrier, "shared memory race", nullptr, 1, 64),
    GMR_FAULT(missing_second_barrier, "shared memory race", nullptr, 1, 64),
    GMR_FAULT(missing_syncwarp, "shared memory race", "thread (0,0,0)", 1, 32),
    GMR_FAULT(blocks_write_one_place, "race between blocks", "thread (0,0,0)", 3, 1),
    GMR_FAULT(blocks_in_place, "race between blocks", nullptr, 4, 32),
    GMR_FAULT(missing_fence, "race between blocks", "thread (0,0,0)", 4, 1),
    GMR_FAULT(divergent_barrier, "divergent barrier", nullptr, 1, 64),
    GMR_FAULT(barrier_after_exit, "divergent barrier", "thread (0,0,0)", 1, 64),
    GMR_FAULT(wrong_named_barrier, "divergent barrier", "thread (32,0,0)", 1, 64),
    GMR_FAULT(shuffle_in_branch, "divergent warp operation", "thread (0,0,0)", 1, 32),
    GMR_FAULT(copy_not_awaited, "copy not awaited", "thread (0,0,0)", 1, 32),
    GMR_FAULT(copy_misaligned, "misaligned access", "thread (0,0,0)", 1, 32),
    GMR_FAULT(mbarrier_short_of_arrivals, "deadlock", "thread (0,0,0)", 1, 32),
    GMR_FAULT(failed_assertion, "assertion failed", "thread (0,0,0)", 1, 32),
    {"use_after_free", "out of bounds", "thread (0,0,0)", start_after_free},
};

__constant__ float table[4] = {1, 2, 3, 4};
__device__ int calls = 0;

__device__ __noinline__ float polynomial(float x, int degree) {
  float sum = 0;
  for (int i = degree; i >= 0; --i) sum = sum * x + table[i];
  return sum;
}

struct Params {
  float* out;
  const float* in;
  int count;
};

// Calls, constants, a structure of parameters, bfloat16, a loop over the grid and a sum in dynamic shared memory.
__global__ void features(Params params) {
  extern __shared__ float sums[];
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < params.count;
       i += static_cast<int>(gridDim.x * blockDim.x)) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(params.in[i], 1.0f);
    params.out[i] = polynomial(params.in[i], 3) + __bfloat162float(__hfma2(pair, pair, pair).x);
  }
  sums[threadIdx.x] = 1;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) atomicAdd(&calls, static_cast<int>(sums[0]));
}

__global__ void __launch_bounds__(256) bounded(float*) {}

__global__ void both_kinds_of_shared(float* data, int last) {
  __shared__ float own[static_shared_bytes / sizeof(float)];
  extern __shared__ float more[];
  more[last] = 5;
  own[last % 64] = more[last];
  data[0] = own[last % 64];
}

__global__ void each_once(float* data) { data[blockIdx.x * 32 + threadIdx.x] = 1; }

}  // namespace

const PlantedFault* planted_faults(size_t& count) {
  count = sizeof faults / sizeof *faults;
  return faults;
}

void launch_features(float* out, const float* in, int count) {
  const int zero = 0;
  cudaMemcpyToSymbol(calls, &zero, sizeof zero);
  features<<<2, 64, 64 * sizeof(float)>>>(Params{out, in, count});
  int seen = 0;
  cudaMemcpyFromSymbol(&seen, calls, sizeof seen);
  assert(seen == 128);
}

void launch_grid(float* data, int count, cudaStream_t stream) { each_once<<<count / 32, 32, 0, stream>>>(data); }

cudaError_t launch_with_shared(float* data, int dynamic_bytes) {
  const cudaError_t refused =
      cudaFuncSetAttribute(both_kinds_of_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, dynamic_bytes);
  if (refused != cudaSuccess) return refused;
  both_kinds_of_shared<<<1, 1, dynamic_bytes>>>(data, dynamic_bytes / static_cast<int>(sizeof(float)) - 1);
  return cudaGetLastError();
}

void launch_too_large(int threads, size_t shared) { bounded<<<1, threads, shared>>>(nullptr); }

}  // namespace gmr::cuda_sim::tests
