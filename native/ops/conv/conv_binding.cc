#include "ops/bindings.h"
#include "ops/conv/conv_geometry_binding.h"

namespace gmr {
namespace {

int64_t weight_count(const ConvGeometry& g) {
  return element_count({g.o, g.c / g.groups, g.kernel[0], g.kernel[1], g.kernel[2]});
}

}  // namespace

void conv_forward_read(ParamsReader& r, ConvForward& p) {
  p.type = r.element_type();
  p.geometry = read_conv_geometry(r);
  p.precision = r.choice("precision", Float32Precision::high);
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.in("w", p.w, weight_count(p.geometry));
  read_epilogue(r, p.geometry, p.epilogue);
  r.out("y", p.y, p.type, output_count(p.geometry));
}

void conv_backward_input_read(ParamsReader& r, ConvBackwardInput& p) {
  p.type = r.element_type();
  p.geometry = read_conv_geometry(r);
  p.precision = r.choice("precision", Float32Precision::high);
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.in("w", p.w, weight_count(p.geometry));
  r.in_optional("bias", p.bias, p.geometry.c);
  r.out("dx", p.dx, p.type, input_count(p.geometry));
}

void conv_backward_weight_read(ParamsReader& r, ConvBackwardWeight& p) {
  p.type = r.element_type();
  p.geometry = read_conv_geometry(r);
  p.precision = r.choice("precision", Float32Precision::high);
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.out("dw", p.dw, weight_count(p.geometry));
}

}  // namespace gmr
