#include <string>

#include "ops/bindings.h"

namespace gmr {
namespace {

RotateGeometry read_geometry(ParamsReader& r) {
  RotateGeometry g;
  g.planes = r.integer("planes");
  g.extent = r.triple("extent");
  g.row_axis = r.integer("rowAxis", 0, 1);
  g.column_axis = r.integer("columnAxis", g.row_axis + 1, 2);
  g.flip_axis = r.integer("flipAxis", -1, 2);
  g.cosine = r.number("cosine");
  g.sine = r.number("sine");
  const int64_t pixels = element_count({g.rows(), g.columns()});
  if (pixels >= INT32_MAX) r.fail("extent", "fewer than 2^31 - 1 elements a turned plane", std::to_string(pixels));
  return g;
}

int64_t count_of(const RotateGeometry& g) { return element_count({g.planes, g.extent[0], g.extent[1], g.extent[2]}); }

}  // namespace

void rotate_forward_read(ParamsReader& r, RotateForward& p) {
  p.type = r.element_type();
  p.geometry = read_geometry(r);
  r.in("x", p.x, p.type, count_of(p.geometry));
  r.out("y", p.y, p.type, count_of(p.geometry));
}

void rotate_backward_input_read(ParamsReader& r, RotateBackwardInput& p) {
  p.type = r.element_type();
  p.geometry = read_geometry(r);
  r.in("dy", p.dy, p.type, count_of(p.geometry));
  r.out("dx", p.dx, p.type, count_of(p.geometry));
}

}  // namespace gmr
