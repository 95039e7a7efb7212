// The place of an element in a stack of planes of three axes, from its row-major index.
#pragma once

#include <array>
#include <cstdint>

#include "cuda/divisor.h"
#include "cuda/launch.h"

namespace gmr::cuda {

inline int64_t volume(const std::array<int64_t, 3>& extents) { return extents[0] * extents[1] * extents[2]; }

struct Position {
  int64_t plane, z, y, x;
};

class GridIndex {
 public:
  explicit GridIndex(const std::array<int64_t, 3>& extents)
      : depth_(extents[0]), height_(extents[1]), width_(extents[2]) {}

#ifdef __CUDACC__
  __device__ Position position(int64_t index) const {
    const auto [rows, x] = width_.divide(index);
    const auto [slices, y] = height_.divide(rows);
    const auto [plane, z] = depth_.divide(slices);
    return {plane, z, y, x};
  }
#endif

 private:
  Divisor depth_, height_, width_;
};

// Launches a kernel with a thread for each position of planes of `threads`: with args, their GridIndex and their count.
template <typename... Params, typename... Args>
void launch_positions(BackendDevice& device, const Kernel<Params...>& kernel, int64_t planes,
                      const std::array<int64_t, 3>& threads, const Args&... args) {
  const int64_t count = planes * volume(threads);
  launch(device, kernel, thread_each(device, count), args..., GridIndex(threads), count);
}

}  // namespace gmr::cuda
