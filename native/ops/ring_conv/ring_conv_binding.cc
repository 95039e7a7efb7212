#include "ops/bindings.h"
#include "ops/conv/conv_geometry_binding.h"
#include "ops/rings.h"

namespace gmr {
namespace {

RingKernel read_rings(ParamsReader& r, const ConvGeometry& g) {
  constexpr int64_t most_side = 1023;  // tables of taps stay small; squares of distances stay exact
  for (const int64_t side : g.kernel) {
    if (side % 2 == 0 || side > most_side) r.fail("kernel", "odd sides of at most 1023", std::to_string(side));
  }
  RingKernel rings;
  const int64_t taps = element_count({g.kernel[0], g.kernel[1], g.kernel[2]});
  if (taps > max_kernel_taps) r.fail("kernel", "a kernel of at most 2^24 taps", std::to_string(taps));
  rings.rings = r.integer("rings", 1, most_side);
  // DiscTable has an entry for each of them.
  const int64_t discs = element_count({rings.rings, g.kernel[0], g.kernel[1]});
  if (discs > max_kernel_taps) {
    r.fail("rings", "at most 2^24 when multiplied by the kernel's depth and height", std::to_string(discs));
  }
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
  read_epilogue(r, p.geometry, p.epilogue);
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
