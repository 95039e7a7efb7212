#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/float_row.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/cross_entropy/cross_entropy_tuning.h"

namespace gmr::cpu {
namespace {

int64_t rows_a_task(int64_t classes) {
  return std::max<int64_t>(cross_entropy_grain / std::max<int64_t>(classes, 1), 1);
}

// Before the parallel loop, so that the first bad row is named whichever thread would meet it.
void check_targets(const int32_t* targets, int64_t rows, int64_t classes) {
  for (int64_t row = 0; row < rows; ++row) {
    if (targets[row] < 0 || targets[row] >= classes) {
      throw std::invalid_argument("expected targets[" + std::to_string(row) + "] to be in [0, " +
                                  std::to_string(classes) + "), received " + std::to_string(targets[row]));
    }
  }
}

// NaN is no maximum here; it comes back in through the exponentials.
template <typename Element>
float maximum(const Element* z, int64_t count) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t k = 0; k < count; ++k) {
    const float value = to_float(z[k]);
    largest = value > largest ? value : largest;
  }
  return largest;
}

template <typename Element>
double row_loss(const CrossEntropyForward& p, int64_t row) {
  const Element* z = static_cast<const Element*>(p.logits) + row * p.classes;
  const float m = maximum(z, p.classes);
  double exponentials = 0;
  for (int64_t k = 0; k < p.classes; ++k) exponentials += std::exp(to_float(z[k]) - m);
  const double smoothing = p.label_smoothing;
  double loss = std::log(exponentials) + (1 - smoothing) * (static_cast<double>(m) - to_float(z[p.targets[row]]));
  if (smoothing > 0) {  // not 0 * infinity: logits of -infinity are legal where the label has no weight
    double depths = 0;
    for (int64_t k = 0; k < p.classes; ++k) depths += static_cast<double>(m) - to_float(z[k]);
    loss += smoothing * depths / static_cast<double>(p.classes);
  }
  return loss;
}

template <typename Element>
void forward(const CrossEntropyForward& p) {
  check_targets(p.targets, p.rows, p.classes);
  std::vector<double> losses(static_cast<size_t>(p.rows));
  parallel_ranges(p.rows, rows_a_task(p.classes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) losses[static_cast<size_t>(row)] = row_loss<Element>(p, row);
  });
  double total = 0;
  for (const double loss : losses) total += loss;
  *p.loss = static_cast<float>(total / static_cast<double>(p.divisor));
}

template <typename Element>
void backward_input(const CrossEntropyBackwardInput& p) {
  check_targets(p.targets, p.rows, p.classes);
  parallel_ranges(p.rows, rows_a_task(p.classes), [&](int64_t begin, int64_t end, int worker) {
    const float scale = *p.dy / static_cast<float>(p.divisor);
    const float everywhere = p.label_smoothing / static_cast<float>(p.classes);
    const float at_target = 1 - p.label_smoothing + everywhere;
    for (int64_t row = begin; row < end; ++row) {
      const Element* z = static_cast<const Element*>(p.logits) + row * p.classes;
      const FloatRow<Element> gradient(static_cast<Element*>(p.dlogits) + row * p.classes, p.classes, worker);
      float* dz = gradient.values();
      const float m = maximum(z, p.classes);
      double exponentials = 0;
      for (int64_t k = 0; k < p.classes; ++k) exponentials += dz[k] = std::exp(to_float(z[k]) - m);
      const auto inverse = static_cast<float>(1 / exponentials);
      const int32_t target = p.targets[row];
      dz[target] = scale * (dz[target] * inverse - at_target);
      for (int64_t k = 0; k < p.classes; ++k) {
        if (k != target) dz[k] = scale * (dz[k] * inverse - everywhere);
      }
      gradient.put();
    }
  });
}

}  // namespace

void cross_entropy_forward(const CrossEntropyForward& p) {
  with_element_type(p.type, [&]<typename Element>() { forward<Element>(p); });
}

void cross_entropy_backward_input(const CrossEntropyBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
