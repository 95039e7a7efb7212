#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

void add_forward(const AddForward& p) {
  with_element_type(p.type, [&]<typename Element>() {
    parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
      const auto *a = static_cast<const Element*>(p.a), *b = static_cast<const Element*>(p.b);
      auto* y = static_cast<Element*>(p.y);
      for (int64_t i = begin; i < end; ++i) y[i] = to_element<Element>(to_float(a[i]) + to_float(b[i]));
    });
  });
}

}  // namespace gmr::cpu
