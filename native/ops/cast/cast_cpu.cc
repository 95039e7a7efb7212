#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

void cast_forward(const CastForward& p) {
  with_element_type(p.x_type, [&]<typename From>() {
    with_element_type(p.y_type, [&]<typename To>() {
      parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
        const auto* x = static_cast<const From*>(p.x);
        auto* y = static_cast<To*>(p.y);
        for (int64_t i = begin; i < end; ++i) y[i] = to_element<To>(to_float(x[i]));
      });
    });
  });
}

}  // namespace gmr::cpu
