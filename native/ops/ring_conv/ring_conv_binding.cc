#include "ops/bindings.h"
#include "ops/conv/conv_geometry_binding.h"

namespace gmr {
namespace {

RingKernel read_rings(ParamsReader& r, const ConvGeometry& g) {
  constexpr int64_t most_side = 1023;  // tables of taps stay small; squares of distances stay exact
  for (const int64_t side : g.kernel) {
    if (side % 2 == 0 || side > most_side) r.fail("kernel", "odd sides of at most 1023", std::to_string(side));
  }
  RingKernel rings;
  rings.rings = r.integer("rings", 1, most_side);
  rings.first_side = r.integer("firstSide", 1, most_side);
  rings.circular = r.flag("circular");
  return rings;
}

int64_t weight_count(const ConvGeometry& g, const RingKernel& rings) {
  return element_count({g.o, g.c / g.groups, rings.rings});
}

}  // namespace

void ring_conv_forward_read(ParamsReader& r, RingConvForward& p) {
  p.type = r.element_type();
  p.geometry = read_conv_geometry(r);
  p.precision = r.choice("precision", Float32Precision::high);
  p.rings = read_rings(r, p.geometry);
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.in("v", p.v, weight_count(p.geometry, p.rings));
  r.in_optional("bias", p.bias, p.geometry.o);
  r.out("y", p.y, p.type, output_count(p.geometry));
}

void ring_conv_backward_input_read(ParamsReader& r, RingConvBackwardInput& p) {
  p.type = r.element_type();
  p.geometry = read_conv_geometry(r);
  p.precision = r.choice("precision", Float32Precision::high);
  p.rings = read_rings(r, p.geometry);
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.in("v", p.v, weight_count(p.geometry, p.rings));
  r.in_optional("bias", p.bias, p.geometry.c);
  r.out("dx", p.dx, p.type, input_count(p.geometry));
}

void ring_conv_backward_weight_read(ParamsReader& r, RingConvBackwardWeight& p) {
  p.type = r.element_type();
  p.geometry = read_conv_geometry(r);
  p.precision = r.choice("precision", Float32Precision::high);
  p.rings = read_rings(r, p.geometry);
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.out("dv", p.dv, weight_count(p.geometry, p.rings));
}

}  // namespace gmr
