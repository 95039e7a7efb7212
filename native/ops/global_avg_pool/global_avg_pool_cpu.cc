#include <algorithm>

#include "backend/floats.h"
#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {
namespace {

int64_t planes_of_task(int64_t extent) { return std::max<int64_t>(1, elementwise_grain / extent); }

// Eight running sums, at every instruction-set level, so that all levels add in one order.
double sum_of(const float* x, int64_t count) {
  constexpr int64_t width = 8;
  double sums[width] = {};
  int64_t i = 0;
  for (; i + width <= count; i += width) {
    for (int64_t j = 0; j < width; ++j) sums[j] += x[i + j];
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  for (; i < count; ++i) total += x[i];
  return total;
}

}  // namespace

void global_avg_pool_forward(const GlobalAvgPoolForward& p) {
  parallel_ranges(p.planes, planes_of_task(p.extent), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      floats(p.y)[plane] =
          static_cast<float>(sum_of(floats(p.x) + plane * p.extent, p.extent) / static_cast<double>(p.extent));
    }
  });
}

void global_avg_pool_backward_input(const GlobalAvgPoolBackwardInput& p) {
  parallel_ranges(p.planes, planes_of_task(p.extent), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      std::fill_n(floats(p.dx) + plane * p.extent, p.extent, floats(p.dy)[plane] / static_cast<float>(p.extent));
    }
  });
}

}  // namespace gmr::cpu
