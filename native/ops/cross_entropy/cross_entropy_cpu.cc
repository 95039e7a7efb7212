#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/floats.h"
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
float maximum(const float* z, int64_t count) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t k = 0; k < count; ++k) largest = z[k] > largest ? z[k] : largest;
  return largest;
}

double row_loss(const CrossEntropyForward& p, int64_t row) {
  const float* z = floats(p.logits) + row * p.classes;
  const float m = maximum(z, p.classes);
  double exponentials = 0;
  for (int64_t k = 0; k < p.classes; ++k) exponentials += std::exp(z[k] - m);
  const double smoothing = p.label_smoothing;
  double loss = std::log(exponentials) + (1 - smoothing) * (static_cast<double>(m) - z[p.targets[row]]);
  if (smoothing > 0) {  // not 0 * infinity: logits of -infinity are legal where the label has no weight
    double depths = 0;
    for (int64_t k = 0; k < p.classes; ++k) depths += static_cast<double>(m) - z[k];
    loss += smoothing * depths / static_cast<double>(p.classes);
  }
  return loss;
}

}  // namespace

void cross_entropy_forward(const CrossEntropyForward& p) {
  check_targets(p.targets, p.rows, p.classes);
  std::vector<double> losses(static_cast<size_t>(p.rows));
  parallel_ranges(p.rows, rows_a_task(p.classes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) losses[static_cast<size_t>(row)] = row_loss(p, row);
  });
  double total = 0;
  for (const double loss : losses) total += loss;
  *p.loss = static_cast<float>(total / static_cast<double>(p.divisor));
}

void cross_entropy_backward_input(const CrossEntropyBackwardInput& p) {
  check_targets(p.targets, p.rows, p.classes);
  parallel_ranges(p.rows, rows_a_task(p.classes), [&](int64_t begin, int64_t end) {
    const float scale = *p.dy / static_cast<float>(p.divisor);
    const float everywhere = p.label_smoothing / static_cast<float>(p.classes);
    const float at_target = 1 - p.label_smoothing + everywhere;
    for (int64_t row = begin; row < end; ++row) {
      const float* z = floats(p.logits) + row * p.classes;
      float* dz = floats(p.dlogits) + row * p.classes;
      const float m = maximum(z, p.classes);
      double exponentials = 0;
      for (int64_t k = 0; k < p.classes; ++k) exponentials += dz[k] = std::exp(z[k] - m);
      const auto inverse = static_cast<float>(1 / exponentials);
      const int32_t target = p.targets[row];
      dz[target] = scale * (dz[target] * inverse - at_target);
      for (int64_t k = 0; k < p.classes; ++k) {
        if (k != target) dz[k] = scale * (dz[k] * inverse - everywhere);
      }
    }
  });
}

}  // namespace gmr::cpu
