// Ring weights laid out as a dense kernel: y[row,t] = v[row, ring(t)], 0 at taps that are in no ring, for rows = O C/G
// kernels. Rings as in ops/rings.h. Gradient, the adjoint: dv[row,l] = sum of dy[row,t] over the taps t of ring l, in
// double.
#pragma once

#include <array>
#include <cstdint>

namespace gmr {

struct RingExpandGeometry {
  int64_t rows;
  int64_t rings;
  std::array<int64_t, 3> kernel;  // sides, axes that are not there 1
  int64_t first_side;             // the side of the first axis that is there
  bool circular;
};

struct RingExpandForward {
  const float* v;  // [rows, rings]
  float* y;        // [rows, kernel]
  RingExpandGeometry geometry;
};

struct RingExpandBackwardInput {
  const float* dy;
  float* dv;
  RingExpandGeometry geometry;
};

}  // namespace gmr
