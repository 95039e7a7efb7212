#include <algorithm>
#include <array>

#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {
namespace {

// `t` and the rates are a task's own copies: what the loops store cannot change them, so they stay in registers.
void step_range(const SgdTensors t, float learning_rate, float momentum, float dampening, bool nesterov, int64_t begin,
                int64_t end) {
  const auto decayed = [&](int64_t i) {  // not 0 * parameter: a parameter may be infinite
    return t.weight_decay == 0 ? t.gradient[i] : t.gradient[i] + t.weight_decay * t.parameter[i];
  };
  if (t.velocity == nullptr) {
    for (int64_t i = begin; i < end; ++i) t.parameter[i] -= learning_rate * decayed(i);
    return;
  }
  const float fresh = 1 - dampening;
  for (int64_t i = begin; i < end; ++i) {
    const float g = decayed(i);
    const float v = t.first_step ? g : momentum * t.velocity[i] + fresh * g;
    t.velocity[i] = v;
    t.parameter[i] -= learning_rate * (nesterov ? g + momentum * v : v);
  }
}

}  // namespace

void sgd_step(const SgdStep& p) {
  std::array<int64_t, most_sgd_tensors + 1> first_task{};
  for (int64_t i = 0; i < p.tensor_count; ++i) {
    first_task[i + 1] = first_task[i] + divide_up(p.tensors[i].count, elementwise_grain);
  }
  const auto end_of_tasks = first_task.begin() + p.tensor_count + 1;
  parallel_for(first_task[p.tensor_count], [&](int64_t task) {
    const int64_t i = std::upper_bound(first_task.begin(), end_of_tasks, task) - first_task.begin() - 1;
    const int64_t begin = (task - first_task[i]) * elementwise_grain;
    const int64_t end = std::min(begin + elementwise_grain, p.tensors[i].count);
    step_range(p.tensors[i], p.learning_rate, p.momentum, p.dampening, p.nesterov, begin, end);
  });
}

}  // namespace gmr::cpu
