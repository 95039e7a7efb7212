#include "ops/bindings.h"
#include "ops/pool_geometry_binding.h"

namespace gmr {

void avg_pool_forward_read(ParamsReader& r, AvgPoolForward& p) {
  p.type = r.element_type();
  p.geometry = read_pool_geometry(r);
  p.count_includes_padding = r.flag("countIncludesPadding");
  r.in("x", p.x, p.type, input_count(p.geometry));
  r.out("y", p.y, p.type, output_count(p.geometry));
}

void avg_pool_backward_input_read(ParamsReader& r, AvgPoolBackwardInput& p) {
  p.type = r.element_type();
  p.geometry = read_pool_geometry(r);
  p.count_includes_padding = r.flag("countIncludesPadding");
  r.in("dy", p.dy, p.type, output_count(p.geometry));
  r.out("dx", p.dx, p.type, input_count(p.geometry));
}

}  // namespace gmr
