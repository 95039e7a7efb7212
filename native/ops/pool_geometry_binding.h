#pragma once

#include <string>

#include "napi/params_reader.h"
#include "ops/pool_geometry.h"

namespace gmr {

inline PoolGeometry read_pool_geometry(ParamsReader& r) {
  constexpr int64_t max = INT32_MAX;  // so that positions stay under 2^63
  PoolGeometry g;
  g.planes = r.integer("planes");
  g.input = r.triple("input", 1, max);
  g.kernel = r.triple("kernel", 1, max);
  // Every tap is visited, inside the input or not: a window that is mostly padding would keep the stream busy for
  // hours.
  constexpr int64_t most_taps = int64_t{1} << 24;
  const int64_t taps = element_count({g.kernel[0], g.kernel[1], g.kernel[2]});
  if (taps > most_taps) r.fail("kernel", "a window of at most 2^24 elements", std::to_string(taps));
  g.stride = r.triple("stride", 1, max);
  g.padding = r.triple("padding", 0, max);
  g.dilation = r.triple("dilation", 1, max);
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t room = g.input[axis] + 2 * g.padding[axis] - (g.kernel[axis] - 1) * g.dilation[axis] - 1;
    if (room < 0) r.fail("kernel", "no longer than the padded input", std::to_string(g.kernel[axis]));
    g.output[axis] = room / g.stride[axis] + 1;
  }
  return g;
}

inline int64_t input_count(const PoolGeometry& g) {
  return element_count({g.planes, g.input[0], g.input[1], g.input[2]});
}

inline int64_t output_count(const PoolGeometry& g) {
  return element_count({g.planes, g.output[0], g.output[1], g.output[2]});
}

}  // namespace gmr
