// WindowGeometry as kernels read it: coordinates in 32 bits (offsets stay in 64), since a coordinate is worked out for
// every element that is read.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "ops/conv/window_geometry.h"

namespace gmr::cuda {

struct Window {
  int in[3], out[3], kernel[3], stride[3], dilation[3], padding[3], spread[3];

  // Throws std::invalid_argument where an axis is too long, with what its windows reach beyond it.
  explicit Window(const WindowGeometry& g) {
    constexpr int64_t limit = int64_t{1} << 30;
    for (int axis = 0; axis < 3; ++axis) {
      const int64_t reach = g.out[axis] * g.stride[axis] + g.kernel[axis] * g.dilation[axis];
      if (reach >= limit || g.in[axis] * g.spread[axis] >= limit || g.padding[axis] >= limit) {
        throw std::invalid_argument("expected axes of fewer than 2^30 positions, with padding and kernel, received " +
                                    std::to_string(reach));
      }
      const auto narrow = [](int64_t value) { return static_cast<int>(value); };
      in[axis] = narrow(g.in[axis]);
      out[axis] = narrow(g.out[axis]);
      kernel[axis] = narrow(g.kernel[axis]);
      stride[axis] = narrow(g.stride[axis]);
      dilation[axis] = narrow(g.dilation[axis]);
      padding[axis] = narrow(g.padding[axis]);
      spread[axis] = narrow(g.spread[axis]);
    }
  }

#ifdef __CUDACC__
  // The input at position i of the spread-out axis; something outside the axis where there is none.
  __device__ int input_index(int axis, int i) const {
    if (i <= 0) return i;
    const int quotient = i / spread[axis];
    return quotient * spread[axis] == i ? quotient : -1;
  }

  __device__ bool is_spread() const { return spread[0] != 1 || spread[1] != 1 || spread[2] != 1; }

  // In one comparison an axis, and without branches.
  __device__ bool is_inside(int z, int y, int x) const {
    return (static_cast<unsigned>(z) < static_cast<unsigned>(in[0])) &
           (static_cast<unsigned>(y) < static_cast<unsigned>(in[1])) &
           (static_cast<unsigned>(x) < static_cast<unsigned>(in[2]));
  }

  __device__ int64_t out_plane() const { return int64_t{out[0]} * out[1] * out[2]; }

  // The offset of a position in a plane.
  __device__ int64_t offset(int z, int y, int x) const { return (int64_t{z} * in[1] + y) * in[2] + x; }
#endif
};

}  // namespace gmr::cuda
