// Geometry that convolutions share, plain and ring: 1-D and 2-D are 3-D with extents of 1.
#pragma once

#include <array>
#include <cstdint>

namespace gmr {

// Axes are depth, height, width. Output position q of an axis meets input positions q * stride - padding + t * dilation
// for taps t = 0..kernel-1; positions outside [0, in) count as zero. `padding` is in front; what it is behind follows
// from `out`.
struct ConvGeometry {
  int64_t n;       // images
  int64_t c;       // input channels, of all groups
  int64_t o;       // output channels, of all groups
  int64_t groups;  // group g's outputs see its inputs only
  std::array<int64_t, 3> in;
  std::array<int64_t, 3> out;
  std::array<int64_t, 3> kernel;
  std::array<int64_t, 3> stride;
  std::array<int64_t, 3> dilation;
  std::array<int64_t, 3> padding;
};

}  // namespace gmr
