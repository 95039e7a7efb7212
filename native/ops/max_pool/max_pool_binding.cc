#include "ops/bindings.h"
#include "ops/pool_geometry_binding.h"

namespace gmr {
namespace {

PoolGeometry read_indexable_geometry(ParamsReader& r) {
  const PoolGeometry g = read_pool_geometry(r);
  const int64_t plane = element_count({g.input[0], g.input[1], g.input[2]});
  if (plane > INT32_MAX) r.fail("input", "fewer than 2^31 elements a plane", std::to_string(plane));
  return g;
}

}  // namespace

void max_pool_forward_read(ParamsReader& r, MaxPoolForward& p) {
  p.type = r.element_type();
  p.geometry = read_indexable_geometry(r);
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.out("y", p.y, p.type, output_count(p.geometry));
  r.out_optional("indices", p.indices, output_count(p.geometry));
}

void max_pool_backward_input_read(ParamsReader& r, MaxPoolBackwardInput& p) {
  p.type = r.element_type();
  p.geometry = read_indexable_geometry(r);
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.in("indices", p.indices, output_count(p.geometry));
  r.out("dx", p.dx, p.type, input_count(p.geometry));
}

}  // namespace gmr
