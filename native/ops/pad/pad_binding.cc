#include <algorithm>
#include <string>

#include "ops/bindings.h"

namespace gmr {
namespace {

// The most padding of an axis for which every source lies inside it.
int64_t padding_limit(PadMode mode, int64_t extent) {
  switch (mode) {
    case PadMode::reflect:
      return std::max<int64_t>(extent - 1, 0);
    case PadMode::circular:
      return extent;
    case PadMode::replicate:
      return extent == 0 ? 0 : INT32_MAX;
    default:
      return INT32_MAX;
  }
}

PadGeometry read_geometry(ParamsReader& r) {
  PadGeometry g;
  g.planes = r.integer("planes");
  g.input = r.triple("input", 0, INT32_MAX);
  g.low = r.triple("low", 0, INT32_MAX);
  g.high = r.triple("high", 0, INT32_MAX);
  g.mode = r.choice("mode", PadMode::circular);
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t limit = padding_limit(g.mode, g.input[axis]);
    const int64_t padding = std::max(g.low[axis], g.high[axis]);
    if (padding > limit) r.fail("padding", "at most " + std::to_string(limit), std::to_string(padding));
  }
  return g;
}

int64_t input_count(const PadGeometry& g) { return element_count({g.planes, g.input[0], g.input[1], g.input[2]}); }

int64_t output_count(const PadGeometry& g) { return element_count({g.planes, g.output(0), g.output(1), g.output(2)}); }

}  // namespace

void pad_forward_read(ParamsReader& r, PadForward& p) {
  p.type = r.element_type();
  p.geometry = read_geometry(r);
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.out("y", p.y, p.type, output_count(p.geometry));
}

void pad_backward_input_read(ParamsReader& r, PadBackwardInput& p) {
  p.type = r.element_type();
  p.geometry = read_geometry(r);
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.out("dx", p.dx, p.type, input_count(p.geometry));
}

}  // namespace gmr
