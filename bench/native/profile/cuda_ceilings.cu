#include <cuda_runtime.h>

#include <algorithm>
#include <string>

#include "cuda_ceiling_kernels.cuh"
#include "cuda_ceilings.h"

namespace gmr::profile {
namespace {

constexpr int rounds = 10;
constexpr float least_ms = 3;  // of one launch: long against the launch itself
constexpr size_t most_copy_bytes = size_t{1} << 30;

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string("the ceilings of the GPU: ") + what + ": " + cudaGetErrorString(error));
}

class Events {
 public:
  Events() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    check(cudaEventCreate(&start_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Events() {
    cudaEventDestroy(start_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  template <typename Launch>
  float ms(Launch&& launch) {
    check(cudaEventRecord(start_, stream_), "cudaEventRecord");
    launch(stream_);
    check(cudaGetLastError(), "launch");
    check(cudaEventRecord(end_, stream_), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, start_, end_), "cudaEventElapsedTime");
    return ms;
  }

  // The least of several rounds: noise only ever adds.
  template <typename Launch>
  double least_seconds(Launch&& launch) {
    float best = ms(launch);
    for (int round = 1; round < rounds; ++round) best = std::min(best, ms(launch));
    return best / 1e3;
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
};

struct Memory {
  explicit Memory(size_t bytes) { check(cudaMalloc(&data, bytes), "cudaMalloc"); }
  ~Memory() { cudaFree(data); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* data = nullptr;
};

double fma_gflops(Events& events, int multiprocessors, int threads_a_multiprocessor) {
  const int blocks = multiprocessors * (threads_a_multiprocessor / fma_threads);
  const Memory results(size_t{sizeof(float)} * static_cast<size_t>(blocks) * fma_threads);
  int turns = 64;
  const auto launch = [&](cudaStream_t stream) {
    fma_ceiling_kernel<<<blocks, fma_threads, 0, stream>>>(static_cast<float*>(results.data), 1.0f, 1e-12f, turns);
  };
  events.ms(launch);
  while (events.ms(launch) < least_ms && turns < (1 << 26)) turns *= 2;
  return fma_flops_a_thread(turns) * blocks * fma_threads / events.least_seconds(launch) / 1e9;
}

template <MmaType type>
double mma_gflops(Events& events, int multiprocessors) {
  constexpr int threads = 256, blocks_a_multiprocessor = 4, warp_threads = 32;
  const int blocks = multiprocessors * blocks_a_multiprocessor;
  const Memory results(size_t{sizeof(float)} * static_cast<size_t>(blocks) * threads);
  int turns = 64;
  const auto launch = [&](cudaStream_t stream) {
    mma_ceiling_kernel<type><<<blocks, threads, 0, stream>>>(static_cast<float*>(results.data), turns);
  };
  events.ms(launch);
  while (events.ms(launch) < least_ms && turns < (1 << 26)) turns *= 2;
  return mma_flops_a_warp(type, turns) * blocks * threads / warp_threads / events.least_seconds(launch) / 1e9;
}

double copy_gbs(Events& events, int multiprocessors, size_t memory_bytes) {
  const size_t bytes = std::min(most_copy_bytes, memory_bytes / 8) / sizeof(float4) * sizeof(float4);
  const Memory to(bytes), from(bytes);
  check(cudaMemset(from.data, 0, bytes), "cudaMemset");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  const auto launch = [&](cudaStream_t stream) {
    copy_ceiling_kernel<<<multiprocessors * 8, 256, 0, stream>>>(static_cast<float4*>(to.data),
                                                                 static_cast<const float4*>(from.data),
                                                                 static_cast<int64_t>(bytes / sizeof(float4)));
  };
  events.ms(launch);
  return 2 * static_cast<double>(bytes) / events.least_seconds(launch) / 1e9;
}

}  // namespace

Ceilings measure_cuda(int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  Events events;
  Ceilings ceilings;
  ceilings.fma_gflops = fma_gflops(events, properties.multiProcessorCount, properties.maxThreadsPerMultiProcessor);
  ceilings.add_gadds = ceilings.fma_gflops / 2;  // an addition takes the place of a multiply-add
  ceilings.copy_gbs = copy_gbs(events, properties.multiProcessorCount, properties.totalGlobalMem);
  if (properties.major >= 8) {
    ceilings.mma_tf32_gflops = mma_gflops<MmaType::tf32>(events, properties.multiProcessorCount);
    ceilings.mma_bf16_gflops = mma_gflops<MmaType::bf16>(events, properties.multiProcessorCount);
  }
  return ceilings;
}

}  // namespace gmr::profile
