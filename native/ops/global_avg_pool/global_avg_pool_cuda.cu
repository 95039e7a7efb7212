// A plane is a row to sum.
#include "cuda/kernels.h"
#include "cuda/sums.h"

namespace gmr::cuda {

// launchers

void global_avg_pool_forward(BackendDevice& device, const GlobalAvgPoolForward& p) {
  sum_axis(device, {p.x, p.type}, {p.planes, p.extent, 1}, static_cast<double>(p.extent), {p.y, p.type});
}

void global_avg_pool_backward_input(BackendDevice& device, const GlobalAvgPoolBackwardInput& p) {
  reduce_backward_input(device, {.dy = p.dy,
                                 .dx = p.dx,
                                 .outer = p.planes,
                                 .reduced = p.extent,
                                 .inner = 1,
                                 .divisor = p.extent,
                                 .y_type = p.type,
                                 .x_type = p.type});
}

}  // namespace gmr::cuda
