#include "backend/floats.h"
#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

// The loops read every operand before they choose, and no member of the params: so they become vector code without
// branches.

void activation_forward(const ActivationForward& p) {
  parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    const float* x = floats(p.x);
    float* y = floats(p.y);
    const float slope = p.slope;
    if (slope == 0) {  // not slope * x: relu(-infinity) is 0
      for (int64_t i = begin; i < end; ++i) {
        const float value = x[i];
        y[i] = value < 0 ? 0 : value;
      }
    } else {
      for (int64_t i = begin; i < end; ++i) {
        const float value = x[i], scaled = slope * value;
        y[i] = value < 0 ? scaled : value;
      }
    }
  });
}

void activation_backward_input(const ActivationBackwardInput& p) {
  parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    const float *y = floats(p.y), *dy = floats(p.dy);
    float* dx = floats(p.dx);
    const float slope = p.slope;
    for (int64_t i = begin; i < end; ++i) {
      const float gradient = dy[i], scaled = slope * gradient;
      dx[i] = y[i] > 0 ? gradient : scaled;
    }
  });
}

}  // namespace gmr::cpu
