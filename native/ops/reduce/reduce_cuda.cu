#include "cuda/divisor.h"
#include "cuda/elements.cuh"
#include "cuda/kernels.h"
#include "cuda/sums.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename Y, typename X>
__global__ void reduce_backward_input_kernel(const __grid_constant__ ReduceBackwardInput p, Divisor by_reduced,
                                             Divisor by_inner, int64_t groups) {
  const auto* dy = static_cast<const Y*>(p.dy);
  const auto divisor = static_cast<float>(p.divisor);
  for_elements<X>(p.outer * p.reduced * p.inner, groups, [&](int64_t i, auto width) {
    auto [rows, column] = by_inner.divide(i);
    auto [outer, row] = by_reduced.divide(rows);
    Pack<width> pack;
    if (p.inner == 1 && p.reduced >= width) {  // elements of one row or of two
      const int64_t left = p.reduced - row;
      const float here = to_float(dy[outer]), beside = left < width ? to_float(dy[outer + 1]) : here;
#pragma unroll
      for (int k = 0; k < width; ++k) pack.v[k] = k < left ? here : beside;
    } else if (p.inner % width == 0) {
      pack = load_pack<width>(dy + outer * p.inner + column);
    } else {
#pragma unroll
      for (float& value : pack.v) {
        value = to_float(dy[outer * p.inner + column]);
        if (++column < p.inner) continue;
        column = 0;
        if (++row < p.reduced) continue;
        row = 0;
        ++outer;
      }
    }
#pragma unroll
    for (float& value : pack.v) value /= divisor;
    store_pack(static_cast<X*>(p.dx) + i, pack);
  });
}

}  // namespace

// launchers

void reduce_forward(BackendDevice& device, const ReduceForward& p) {
  sum_axis(device, {p.x, p.x_type}, {p.outer, p.reduced, p.inner}, static_cast<double>(p.divisor), {p.y, p.y_type});
}

void reduce_backward_input(BackendDevice& device, const ReduceBackwardInput& p) {
  with_element_type(p.y_type, [&]<typename Y>() {
    with_element_type(p.x_type, [&]<typename X>() {
      const int64_t count = p.outer * p.reduced * p.inner;
      const int64_t groups = groups_of<X>(count, p.dy, p.dx);
      launch(device, Kernel{"reduce_backward_input_kernel", reduce_backward_input_kernel<Y, X>},
             elements_shape(device, count, groups), p, Divisor(p.reduced), Divisor(p.inner), groups);
    });
  });
}

}  // namespace gmr::cuda
