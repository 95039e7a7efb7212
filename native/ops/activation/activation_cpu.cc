#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {
namespace {

// The loops read every operand before they choose, and no member of the params: so they become vector code without
// branches.

template <typename Element>
void forward(const ActivationForward& p) {
  parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    const auto* x = static_cast<const Element*>(p.x);
    auto* y = static_cast<Element*>(p.y);
    const float slope = p.slope;
    if (slope == 0) {  // not slope * x: relu(-infinity) is 0
      for (int64_t i = begin; i < end; ++i) {
        const float value = to_float(x[i]);
        y[i] = to_element<Element>(value < 0 ? 0 : value);
      }
    } else {
      for (int64_t i = begin; i < end; ++i) {
        const float value = to_float(x[i]), scaled = slope * value;
        y[i] = to_element<Element>(value < 0 ? scaled : value);
      }
    }
  });
}

template <typename Element>
void backward_input(const ActivationBackwardInput& p) {
  parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    const auto *y = static_cast<const Element*>(p.y), *dy = static_cast<const Element*>(p.dy);
    auto* dx = static_cast<Element*>(p.dx);
    const float slope = p.slope;
    if (slope == 0) {  // not slope * dy: what is not finite stops too
      for (int64_t i = begin; i < end; ++i) {
        const float gradient = to_float(dy[i]);
        dx[i] = to_element<Element>(to_float(y[i]) <= 0 ? 0 : gradient);
      }
    } else {
      for (int64_t i = begin; i < end; ++i) {
        const float gradient = to_float(dy[i]), scaled = slope * gradient;
        dx[i] = to_element<Element>(to_float(y[i]) > 0 ? gradient : scaled);
      }
    }
  });
}

}  // namespace

void activation_forward(const ActivationForward& p) {
  with_element_type(p.type, [&]<typename Element>() { forward<Element>(p); });
}

void activation_backward_input(const ActivationBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
