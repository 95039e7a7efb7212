// The one way kernels are launched, and the one place where launch shapes are computed.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "cuda/device.h"

namespace gmr::cuda {

constexpr int warp_threads = 32;

// Threads of a block where nothing asks for another number: enough warps to hide latency at any register count up to
// 255.
constexpr int block_threads = 256;
constexpr int block_warps = block_threads / warp_threads;

struct LaunchShape {
  int64_t blocks;
  int threads = block_threads;
  size_t shared_bytes = 0;  // dynamic

  std::string text() const {
    return "<<<" + std::to_string(blocks) + ", " + std::to_string(threads) + ", " + std::to_string(shared_bytes) +
           ">>>";
  }
};

// A block for each item; kernels loop over what goes beyond the grid: for (item = blockIdx.x; item < items; item +=
// gridDim.x).
inline LaunchShape block_each(int64_t items, int threads = block_threads, size_t shared_bytes = 0) {
  return {std::min<int64_t>(items, std::numeric_limits<int32_t>::max()), threads, shared_bytes};
}

// The same for kernels without that loop: more items than a grid has blocks are refused.
inline LaunchShape one_block_each(int64_t items, int threads, size_t shared_bytes) {
  return {items, threads, shared_bytes};
}

// A thread for each item, at most as many as keep the device busy; kernels loop over the rest, see first_item().
inline LaunchShape thread_each(const BackendDevice& device, int64_t items) {
  constexpr int64_t waves = 4;  // so that the last wave's idle share is small
  constexpr int64_t blocks_a_multiprocessor = 2048 / block_threads;
  const int64_t most = device.multiprocessors() * blocks_a_multiprocessor * waves;
  return {std::min((items + block_threads - 1) / block_threads, most)};
}

// The same with a warp an item.
inline LaunchShape warp_each(const BackendDevice& device, int64_t items) {
  return thread_each(device, items * warp_threads);
}

// A kernel and its name, for messages: {"add_forward_kernel", add_forward_kernel}.
template <typename... Params>
struct Kernel {
  const char* name;
  void (*function)(Params...);
};
template <typename... Params>
Kernel(const char*, void (*)(Params...)) -> Kernel<Params...>;

// Launches on the device's stream. No blocks: nothing to do.
template <typename... Params, typename... Args>
void launch(BackendDevice& device, const Kernel<Params...>& kernel, const LaunchShape& shape, Args&&... args) {
  constexpr int most_threads = 1024;
  constexpr size_t given_shared_bytes = 48 * 1024;  // the rest if asked
  if (shape.blocks == 0) return;
  if (shape.blocks < 0 || shape.blocks > std::numeric_limits<int32_t>::max() || shape.threads < 1 ||
      shape.threads > most_threads || shape.shared_bytes > device.most_shared_bytes()) {
    throw std::logic_error("the launch shape " + shape.text() + " of " + kernel.name + " is beyond what GPUs take");
  }
  std::tuple<std::decay_t<Params>...> values(std::forward<Args>(args)...);
  auto pointers = std::apply([](auto&... value) { return std::array<void*, sizeof...(Params)>{&value...}; }, values);
  if (shape.shared_bytes > given_shared_bytes) {
    device.check_call(
        [&] {
          return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel.function),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(shape.shared_bytes));
        },
        std::string("asking for the shared memory of ") + kernel.name + shape.text());
  }
  const dim3 grid(static_cast<unsigned>(shape.blocks)), block(static_cast<unsigned>(shape.threads));
  // The first launch of a kernel takes memory for its code.
  const cudaError_t error = device.with_memory([&] {
    return cudaLaunchKernel(reinterpret_cast<const void*>(kernel.function), grid, block, pointers.data(),
                            shape.shared_bytes, device.stream());
  });
  if (error != cudaSuccess) device.check(error, std::string("the launch of ") + kernel.name + shape.text());
  const LaunchNote note{kernel.name, reinterpret_cast<const void*>(kernel.function), shape.blocks, shape.threads,
                        shape.shared_bytes};
  device.note_launch(note);
}

#ifdef __CUDACC__
// The loops of kernels that were launched with thread_each and warp_each.
__device__ inline int64_t first_item() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t item_step() { return int64_t{gridDim.x} * blockDim.x; }
__device__ inline int64_t first_warp_item() { return first_item() / warp_threads; }
__device__ inline int64_t warp_item_step() { return item_step() / warp_threads; }
#endif

}  // namespace gmr::cuda
