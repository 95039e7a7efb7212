#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

void sgd_step(const SgdStep& shared) {
  parallel_ranges(shared.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    const SgdStep p = shared;  // a task's own copy: what the loops store cannot change it, so it stays in registers
    const auto decayed = [&](int64_t i) {  // not 0 * parameter: a parameter may be infinite
      return p.weight_decay == 0 ? p.gradient[i] : p.gradient[i] + p.weight_decay * p.parameter[i];
    };
    if (p.velocity == nullptr) {
      for (int64_t i = begin; i < end; ++i) p.parameter[i] -= p.learning_rate * decayed(i);
      return;
    }
    const float fresh = 1 - p.dampening;
    for (int64_t i = begin; i < end; ++i) {
      const float g = decayed(i);
      const float v = p.first_step ? g : p.momentum * p.velocity[i] + fresh * g;
      p.velocity[i] = v;
      p.parameter[i] -= p.learning_rate * (p.nesterov ? g + p.momentum * v : v);
    }
  });
}

}  // namespace gmr::cpu
