// Mirror, then turn about the centre of a plane of two spatial axes; bilinear, 0 outside. With i down the rows, j along
// the columns, measured from the centres ((rows - 1) / 2, (columns - 1) / 2), and an angle that is positive
// counter-clockwise as seen with i pointing down and j to the right:
//   y(i, j) = x'(i cosine + j sine, j cosine - i sine)
// where x' is x mirrored along flip_axis, which may be any spatial axis. Coordinates are computed in double. Taps that
// lie outside or have weight 0 are not looked at. Where is_exact, y is a permutation of x', to the bit: half turns, and
// quarter turns of square planes. Gradient, the adjoint: each dy is spread over the same taps with the same weights.
#pragma once

#include <array>
#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct RotateGeometry {
  int64_t planes;                 // N C
  std::array<int64_t, 3> extent;  // depth, height, width; axes that are not there have extent 1
  int64_t row_axis;               // of `extent`; less than column_axis
  int64_t column_axis;
  int64_t flip_axis;  // -1: none
  double cosine;      // exactly 0, 1 or -1 at multiples of 90 degrees
  double sine;

  constexpr int64_t rows() const { return extent[row_axis]; }
  constexpr int64_t columns() const { return extent[column_axis]; }
  constexpr int64_t slice_axis() const { return 3 - row_axis - column_axis; }
  constexpr bool is_exact() const { return sine == 0 || (cosine == 0 && rows() == columns()); }
};

struct RotateForward {
  const void* x;  // [planes, extent]
  void* y;        // [planes, extent]
  RotateGeometry geometry;
  ElementType type = ElementType::float32;
};

struct RotateBackwardInput {
  const void* dy;
  void* dx;
  RotateGeometry geometry;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
