#include <algorithm>

#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {
namespace {

int64_t planes_of_task(int64_t extent) { return std::max<int64_t>(1, elementwise_grain / extent); }

// Eight running sums, at every instruction-set level, so that all levels add in one order.
template <typename Element>
double sum_of(const Element* x, int64_t count) {
  constexpr int64_t width = 8;
  double sums[width] = {};
  int64_t i = 0;
  for (; i + width <= count; i += width) {
    for (int64_t j = 0; j < width; ++j) sums[j] += to_float(x[i + j]);
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  for (; i < count; ++i) total += to_float(x[i]);
  return total;
}

template <typename Element>
void forward(const GlobalAvgPoolForward& p) {
  const auto* x = static_cast<const Element*>(p.x);
  auto* y = static_cast<Element*>(p.y);
  parallel_ranges(p.planes, planes_of_task(p.extent), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const double mean = sum_of(x + plane * p.extent, p.extent) / static_cast<double>(p.extent);
      y[plane] = to_element<Element>(static_cast<float>(mean));
    }
  });
}

template <typename Element>
void backward_input(const GlobalAvgPoolBackwardInput& p) {
  const auto* dy = static_cast<const Element*>(p.dy);
  auto* dx = static_cast<Element*>(p.dx);
  parallel_ranges(p.planes, planes_of_task(p.extent), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      std::fill_n(dx + plane * p.extent, p.extent,
                  to_element<Element>(to_float(dy[plane]) / static_cast<float>(p.extent)));
    }
  });
}

}  // namespace

void global_avg_pool_forward(const GlobalAvgPoolForward& p) {
  with_element_type(p.type, [&]<typename Element>() { forward<Element>(p); });
}

void global_avg_pool_backward_input(const GlobalAvgPoolBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
