#include "cuda/bfloat16.cuh"
#include "cuda/divisor.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/sums.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename Y, typename X>
__global__ void reduce_backward_input_kernel(const __grid_constant__ ReduceBackwardInput p, Divisor by_reduced,
                                             Divisor by_inner) {
  const auto divisor = static_cast<float>(p.divisor);
  for (int64_t i = first_item(); i < p.outer * p.reduced * p.inner; i += item_step()) {
    const auto [row, column] = by_inner.divide(i);
    const float dy = to_float(static_cast<const Y*>(p.dy)[by_reduced.divide(row).quotient * p.inner + column]);
    static_cast<X*>(p.dx)[i] = rounded<X>(dy / divisor);
  }
}

}  // namespace

// launchers

void reduce_forward(BackendDevice& device, const ReduceForward& p) {
  sum_axis(device, {p.x, p.x_type}, {p.outer, p.reduced, p.inner}, static_cast<double>(p.divisor), {p.y, p.y_type});
}

void reduce_backward_input(BackendDevice& device, const ReduceBackwardInput& p) {
  with_element_type(p.y_type, [&]<typename Y>() {
    with_element_type(p.x_type, [&]<typename X>() {
      launch(device, Kernel{"reduce_backward_input_kernel", reduce_backward_input_kernel<Y, X>},
             thread_each(device, p.outer * p.reduced * p.inner), p, Divisor(p.reduced), Divisor(p.inner));
    });
  });
}

}  // namespace gmr::cuda
