#include "ops/bindings.h"
#include "ops/pool_geometry_binding.h"

namespace gmr {

void avg_pool_forward_read(ParamsReader& r, AvgPoolForward& p) {
  p.geometry = read_pool_geometry(r);
  p.count_includes_padding = r.flag("countIncludesPadding");
  r.in("x", p.x, input_count(p.geometry));
  r.out("y", p.y, output_count(p.geometry));
}

void avg_pool_backward_input_read(ParamsReader& r, AvgPoolBackwardInput& p) {
  p.geometry = read_pool_geometry(r);
  p.count_includes_padding = r.flag("countIncludesPadding");
  r.in("dy", p.dy, output_count(p.geometry));
  r.out("dx", p.dx, input_count(p.geometry));
}

}  // namespace gmr
