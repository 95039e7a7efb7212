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

// y[i] = partials[0][i] + partials[1][i] + ..., in that order, for i < count.
void sum_partials(BackendDevice& device, const float* partials, int64_t parts, int64_t count, float* y);

}  // namespace gmr::cuda
