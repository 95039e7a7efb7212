// Vectors of double, as wide as a register, for sums of float data: float lanes would lose digits in long sums, and
// loops that only read memory have the time for the conversion.
#pragma once

#include <cstdint>

#include "cpu/simd.h"

namespace gmr::cpu {

constexpr int double_lanes = lanes / 2;

typedef double DoubleVector __attribute__((vector_size(double_lanes * 8)));

inline DoubleVector to_double(VectorOf<double_lanes>::aligned v) { return __builtin_convertvector(v, DoubleVector); }

template <typename Element>
inline DoubleVector load_double(const Element* p) {
  return to_double(load<double_lanes>(p));
}

// The sum of a vector's lanes, in their order.
inline double sum(DoubleVector v) {
  double total = 0;
  for (int i = 0; i < double_lanes; ++i) total += v[i];
  return total;
}

}  // namespace gmr::cpu
