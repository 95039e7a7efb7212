// Sums that several ops need. All are taken in an order that the shape alone decides.
#pragma once

#include <cstdint>

#include "backend/element_type.h"
#include "cuda/device.h"

namespace gmr::cuda {

// x as [outer, reduced, inner], summed over the middle axis in double, divided in double, rounded once.
struct SumShape {
  int64_t outer, reduced, inner;
};

// A tensor and what it holds.
struct SumOperand {
  const void* data;
  ElementType type;
};
struct SumTarget {
  void* data;
  ElementType type;
};

void sum_axis(BackendDevice& device, const SumOperand& x, const SumShape& shape, double divisor, const SumTarget& y);

// The same for x that lies in the pass's working memory, as `sum_axis_scratch_doubles` doubles do behind it.
void sum_axis(BackendDevice& device, const double* x, const SumShape& shape, double divisor, double* work, float* y);
int64_t sum_axis_scratch_doubles(const SumShape& shape);

// y[i] = partials[0][i] + partials[1][i] + ..., in that order, for i < count. Without parts that is zero, and
// `partials` may be null.
void sum_partials(BackendDevice& device, const float* partials, int64_t parts, int64_t count, float* y);

// Calls make(partials), which makes that many parts of `count` sums each, and adds them up. A single part is y itself.
template <typename F>
void sum_in_parts(BackendDevice& device, int64_t parts, int64_t count, float* y, F&& make) {
  if (parts == 1) return make(y);
  auto* partials = static_cast<float*>(device.scratch(static_cast<size_t>(parts * count) * sizeof(float)));
  make(partials);
  sum_partials(device, partials, parts, count, y);
}

}  // namespace gmr::cuda
