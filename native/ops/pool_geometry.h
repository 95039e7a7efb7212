// Windows of a pooling op: output o of an axis covers the positions o stride - padding + t dilation, t = 0..kernel-1;
// those outside the input are padding. Leftovers that no window covers are not seen.
// Functions are constexpr so that code for other processors than the host's may use them too.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace gmr {

struct PoolGeometry {
  int64_t planes;  // N C
  // Depth, height, width; axes that are not there have extent and kernel 1.
  std::array<int64_t, 3> input;
  std::array<int64_t, 3> output;
  std::array<int64_t, 3> kernel;
  std::array<int64_t, 3> stride;
  std::array<int64_t, 3> padding;
  std::array<int64_t, 3> dilation;

  // The position of tap t of output 0.
  constexpr int64_t tap_offset(int axis, int64_t t) const { return t * dilation[axis] - padding[axis]; }
};

struct IndexRange {
  int64_t begin;
  int64_t end;
};

// The steps t = 0..count-1 for which start + t step lies in [0, extent).
constexpr IndexRange steps_inside(int64_t start, int64_t step, int64_t count, int64_t extent) {
  const int64_t last = extent - 1 - start;
  // GPUs take a hundred instructions to divide.
  if (step == 1) return {std::max<int64_t>(-start, 0), std::clamp<int64_t>(last + 1, 0, count)};
  return {start >= 0 ? 0 : (step - 1 - start) / step, last < 0 ? 0 : std::min(count, last / step + 1)};
}

// The outputs whose tap t lies inside the input.
constexpr IndexRange outputs_inside(const PoolGeometry& g, int axis, int64_t t) {
  return steps_inside(g.tap_offset(axis, t), g.stride[axis], g.output[axis], g.input[axis]);
}

// The taps of output o that lie inside the input.
constexpr IndexRange taps_inside(const PoolGeometry& g, int axis, int64_t o) {
  return steps_inside(o * g.stride[axis] - g.padding[axis], g.dilation[axis], g.kernel[axis], g.input[axis]);
}

// Windows that tile the input, two elements of a row each: every input has at most one output, and its place is a shift
// away.
constexpr bool tiles_by_pairs(const PoolGeometry& g) {
  constexpr std::array<int64_t, 3> zeros = {0, 0, 0};
  constexpr std::array<int64_t, 3> ones = {1, 1, 1};
  return g.stride == g.kernel && g.padding == zeros && g.dilation == ones && g.kernel[2] == 2;
}

constexpr bool tiles_by_squares_of_two(const PoolGeometry& g) {
  return tiles_by_pairs(g) && g.kernel[0] == 1 && g.kernel[1] == 2;
}

// Windows of two neighbours of each row at stride 2, or of three, of which the first is padding in front: output o of a row
// has the inputs 2 o and 2 o + 1, and maybe the one before.
constexpr bool rows_by_pairs(const PoolGeometry& g) {
  return g.stride[2] == 2 && (g.padding[2] == 0 || g.padding[2] == 1) && g.kernel[2] == g.padding[2] + 2 &&
         g.dilation[2] == 1 && g.input[2] % 2 == 0;
}

}  // namespace gmr
