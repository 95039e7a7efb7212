#include "backend/floats.h"
#include "cuda/divisor.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/sums.h"

namespace gmr::cuda {
namespace {

// kernels

__global__ void reduce_backward_input_kernel(const __grid_constant__ ReduceBackwardInput p, Divisor by_reduced,
                                             Divisor by_inner) {
  const auto divisor = static_cast<float>(p.divisor);
  for (int64_t i = first_item(); i < p.outer * p.reduced * p.inner; i += item_step()) {
    const auto [row, column] = by_inner.divide(i);
    floats(p.dx)[i] = floats(p.dy)[by_reduced.divide(row).quotient * p.inner + column] / divisor;
  }
}

}  // namespace

// launchers

void reduce_forward(BackendDevice& device, const ReduceForward& p) {
  sum_axis(device, floats(p.x), {p.outer, p.reduced, p.inner}, static_cast<double>(p.divisor), floats(p.y));
}

void reduce_backward_input(BackendDevice& device, const ReduceBackwardInput& p) {
  launch(device, Kernel{"reduce_backward_input_kernel", reduce_backward_input_kernel},
         thread_each(device, p.outer * p.reduced * p.inner), p, Divisor(p.reduced), Divisor(p.inner));
}

}  // namespace gmr::cuda
