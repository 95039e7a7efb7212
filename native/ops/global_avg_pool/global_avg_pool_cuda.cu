#include "backend/floats.h"
#include "cuda/divisor.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/sums.h"

namespace gmr::cuda {
namespace {

// kernels

__global__ void global_avg_pool_backward_input_kernel(const __grid_constant__ GlobalAvgPoolBackwardInput p,
                                                      Divisor by_extent) {
  const auto extent = static_cast<float>(p.extent);
  for (int64_t i = first_item(); i < p.planes * p.extent; i += item_step()) {
    floats(p.dx)[i] = floats(p.dy)[by_extent.divide(i).quotient] / extent;
  }
}

}  // namespace

// launchers

void global_avg_pool_forward(BackendDevice& device, const GlobalAvgPoolForward& p) {
  sum_axis(device, floats(p.x), {p.planes, p.extent, 1}, static_cast<double>(p.extent), floats(p.y));
}

void global_avg_pool_backward_input(BackendDevice& device, const GlobalAvgPoolBackwardInput& p) {
  launch(device, Kernel{"global_avg_pool_backward_input_kernel", global_avg_pool_backward_input_kernel},
         thread_each(device, p.planes * p.extent), p, Divisor(p.extent));
}

}  // namespace gmr::cuda
