#include "ops/bindings.h"

namespace gmr {

void global_avg_pool_forward_read(ParamsReader& r, GlobalAvgPoolForward& p) {
  p.planes = r.integer("planes");
  p.extent = r.integer("extent", 1);
  r.in("x", p.x, element_count({p.planes, p.extent}));
  r.out("y", p.y, p.planes);
}

void global_avg_pool_backward_input_read(ParamsReader& r, GlobalAvgPoolBackwardInput& p) {
  p.planes = r.integer("planes");
  p.extent = r.integer("extent", 1);
  r.in("dy", p.dy, p.planes);
  r.out("dx", p.dx, element_count({p.planes, p.extent}));
}

}  // namespace gmr
