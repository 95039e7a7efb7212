#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

void activation_forward(const ActivationForward& p) {
  // By value: the compiler then knows that no store changes the params.
  parallel_ranges(p.count, elementwise_grain, [p](int64_t begin, int64_t end) {
    if (p.slope == 0) {  // not slope * x: relu(-infinity) is 0
      for (int64_t i = begin; i < end; ++i) p.y[i] = p.x[i] < 0 ? 0 : p.x[i];
    } else {
      for (int64_t i = begin; i < end; ++i) p.y[i] = p.x[i] < 0 ? p.slope * p.x[i] : p.x[i];
    }
  });
}

void activation_backward_input(const ActivationBackwardInput& p) {
  parallel_ranges(p.count, elementwise_grain, [p](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.dx[i] = p.y[i] > 0 ? p.dy[i] : p.slope * p.dy[i];
  });
}

}  // namespace gmr::cpu
