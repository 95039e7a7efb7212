#include "ops/bindings.h"

namespace gmr {

void global_avg_pool_forward_read(ParamsReader& r, GlobalAvgPoolForward& p) {
  p.type = r.element_type();
  p.planes = r.integer("planes");
  p.extent = r.integer("extent", 1);
  r.in("x", p.x, p.type, element_count({p.planes, p.extent}));
  r.out("y", p.y, p.type, p.planes);
}

void global_avg_pool_backward_input_read(ParamsReader& r, GlobalAvgPoolBackwardInput& p) {
  p.type = r.element_type();
  p.planes = r.integer("planes");
  p.extent = r.integer("extent", 1);
  r.in("dy", p.dy, p.type, p.planes);
  r.out("dx", p.dx, p.type, element_count({p.planes, p.extent}));
}

}  // namespace gmr
