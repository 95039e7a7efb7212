#include "ops/conv/conv_geometry_binding.h"

namespace gmr {

ConvGeometry read_conv_geometry(ParamsReader& r) {
  // Far above any real layer, and low enough that no product of two of them overflows.
  constexpr int64_t most = int64_t{1} << 20;
  ConvGeometry g;
  g.n = r.integer("n");
  g.c = r.integer("c", 1);
  g.o = r.integer("o", 1);
  g.groups = r.integer("groups", 1);
  if (g.c % g.groups != 0 || g.o % g.groups != 0) r.fail("groups", "a divisor of c and o", std::to_string(g.groups));
  g.in = r.triple("in");
  g.out = r.triple("out");
  g.kernel = r.triple("kernel", 1, most);
  g.stride = r.triple("stride", 1, most);
  g.dilation = r.triple("dilation", 1, most);
  g.padding = r.triple("padding", 0, most);
  return g;
}

int64_t input_count(const ConvGeometry& g) { return element_count({g.n, g.c, g.in[0], g.in[1], g.in[2]}); }

int64_t output_count(const ConvGeometry& g) { return element_count({g.n, g.o, g.out[0], g.out[1], g.out[2]}); }

void read_epilogue(ParamsReader& r, const ConvGeometry& g, Epilogue& epilogue) {
  r.in_optional("bias", epilogue.bias, g.o);
  if (!r.flag("normalises")) return;
  r.in("mean", epilogue.mean, g.o);
  r.in("scale", epilogue.scale, g.o);
  r.in_optional("shift", epilogue.shift, g.o);
  epilogue.relu = r.flag("relu");
}

}  // namespace gmr
