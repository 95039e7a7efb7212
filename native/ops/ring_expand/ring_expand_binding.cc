#include <string>

#include "ops/bindings.h"
#include "ops/rings.h"

namespace gmr {
namespace {

RingExpandGeometry read_geometry(ParamsReader& r) {
  RingExpandGeometry g;
  g.rows = r.integer("rows");
  g.rings = r.integer("rings", 1, max_ring_count);
  g.kernel = r.triple("kernel", 1, max_kernel_side);
  const int64_t taps = element_count({g.kernel[0], g.kernel[1], g.kernel[2]});
  if (taps > max_kernel_taps) r.fail("kernel", "a kernel of at most 2^24 taps", std::to_string(taps));
  g.first_side = r.integer("firstSide", 1, max_kernel_side);
  g.circular = r.flag("circular");
  return g;
}

int64_t ring_weights(const RingExpandGeometry& g) { return element_count({g.rows, g.rings}); }

int64_t kernel_weights(const RingExpandGeometry& g) {
  return element_count({g.rows, g.kernel[0], g.kernel[1], g.kernel[2]});
}

}  // namespace

void ring_expand_forward_read(ParamsReader& r, RingExpandForward& p) {
  p.geometry = read_geometry(r);
  r.in("v", p.v, ring_weights(p.geometry));
  r.out("y", p.y, kernel_weights(p.geometry));
}

void ring_expand_backward_input_read(ParamsReader& r, RingExpandBackwardInput& p) {
  p.geometry = read_geometry(r);
  r.in("dy", p.dy, kernel_weights(p.geometry));
  r.out("dv", p.dv, ring_weights(p.geometry));
}

}  // namespace gmr
