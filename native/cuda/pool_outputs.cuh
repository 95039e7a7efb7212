// What the gradients of pools share: which outputs an input meets.
#pragma once

#include "cuda/divisor.h"
#include "ops/pool_geometry.h"

namespace gmr::cuda {

class PoolOutputs {
 public:
  explicit PoolOutputs(const PoolGeometry& g)
      : geometry_(g), by_stride_{Divisor(g.stride[0]), Divisor(g.stride[1]), Divisor(g.stride[2])} {}

#ifdef __CUDACC__
  // Calls f(o) for the outputs that have input i between their first and last tap, and on one of them.
  template <typename F>
  __device__ void for_outputs(int axis, int64_t i, F&& f) const {
    const PoolGeometry& g = geometry_;
    const int64_t stride = g.stride[axis], dilation = g.dilation[axis], from_first = i + g.padding[axis];
    const int64_t from_last = from_first - (g.kernel[axis] - 1) * dilation;
    if (stride == 1 && g.kernel[axis] == 1 && g.padding[axis] == 0) return f(i);  // an axis without windows
    const int64_t begin = from_last <= 0 ? 0 : by_stride_[axis].divide(from_last + stride - 1).quotient;
    const int64_t end = min(by_stride_[axis].divide(from_first).quotient + 1, g.output[axis]);
    for (int64_t o = begin; o < end; ++o) {
      if (dilation == 1 || (from_first - o * stride) % dilation == 0) f(o);
    }
  }

  // Calls f(row, oz, oy) for the rows of outputs, counted through all planes, that row (z, y) of a plane's inputs meets.
  template <typename F>
  __device__ void for_rows(int64_t plane, int64_t z, int64_t y, F&& f) const {
    const auto& output = geometry_.output;
    for_outputs(0, z, [&](int64_t oz) {
      for_outputs(1, y, [&](int64_t oy) { f((plane * output[0] + oz) * output[1] + oy, oz, oy); });
    });
  }
#endif

 private:
  PoolGeometry geometry_;
  Divisor by_stride_[3];
};

}  // namespace gmr::cuda
