#include "cuda/bfloat16.cuh"
#include "cuda/divisor.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/sums.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename T>
__global__ void global_avg_pool_backward_input_kernel(const __grid_constant__ GlobalAvgPoolBackwardInput p,
                                                      Divisor by_extent) {
  const auto extent = static_cast<float>(p.extent);
  for (int64_t i = first_item(); i < p.planes * p.extent; i += item_step()) {
    const float dy = to_float(static_cast<const T*>(p.dy)[by_extent.divide(i).quotient]);
    static_cast<T*>(p.dx)[i] = rounded<T>(dy / extent);
  }
}

}  // namespace

// launchers

void global_avg_pool_forward(BackendDevice& device, const GlobalAvgPoolForward& p) {
  sum_axis(device, {p.x, p.type}, {p.planes, p.extent, 1}, static_cast<double>(p.extent), {p.y, p.type});
}

void global_avg_pool_backward_input(BackendDevice& device, const GlobalAvgPoolBackwardInput& p) {
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"global_avg_pool_backward_input_kernel", global_avg_pool_backward_input_kernel<T>},
           thread_each(device, p.planes * p.extent), p, Divisor(p.extent));
  });
}

}  // namespace gmr::cuda
