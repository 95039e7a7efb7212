// Sums across the threads of a warp or block, in an order that the thread numbers alone decide.
#pragma once

#include "cuda/elements.cuh"

namespace gmr::cuda {

constexpr unsigned all_lanes = 0xffffffffu;

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % warp_threads; }

// Calls f(i, x[i]) for the elements [begin, end) of x, which `lanes` lanes share out by groups of 16 bytes.
template <typename T, typename F>
__device__ inline void for_row(const T* x, const Grouping& grouping, int64_t begin, int64_t end, int lanes, F&& f) {
  constexpr int width = group_width<T>, groups_at_once = width == 8 ? 2 : 4;
  load_ahead<groups_at_once>((begin / width + (lane_of_thread() & (lanes - 1))) * width, int64_t{lanes} * width, end,
                             [&](int64_t first) { return load_group(x, first, grouping); },
                             [&](int64_t first, const auto& group) {
                               const GroupPart<T> part(first, begin, end);
#pragma unroll
                               for (int k = 0; k < width; ++k) {
                                 if (part.contains(k)) f(first + k, group.v[k]);
                               }
                             });
}

// Every lane gets the sum over the warp, or over the `lanes` neighbours, a power of two, that it is one of.
template <typename T>
__device__ inline T warp_sum(T value, int lanes = warp_threads) {
#pragma unroll
  for (int step = warp_threads / 2; step > 0; step /= 2) {
    if (step < lanes) value += __shfl_xor_sync(all_lanes, value, step);
  }
  return value;
}

__device__ inline float warp_maximum(float value) {  // NaN is no maximum
#pragma unroll
  for (int step = warp_threads / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(all_lanes, value, step);
    value = other > value ? other : value;
  }
  return value;
}

// Two sums over the block; thread 0 gets them. All threads must come. Blocks have block_threads threads.
struct DoublePair {
  double first, second;
};

__device__ inline DoublePair block_sums(DoublePair value) {
  constexpr int warps = block_threads / warp_threads;
  __shared__ DoublePair partial[warps];
  value = {warp_sum(value.first), warp_sum(value.second)};
  __syncthreads();  // a call before this one may still be reading
  if (lane_of_thread() == 0) partial[threadIdx.x / warp_threads] = value;
  __syncthreads();
  DoublePair total{0, 0};
  if (threadIdx.x == 0) {
    for (const DoublePair& p : partial) total = {total.first + p.first, total.second + p.second};
  }
  return total;
}

}  // namespace gmr::cuda
