#include "ops/bindings.h"

namespace gmr {
namespace {

template <typename Params>
void read_extents(ParamsReader& r, Params& p) {
  p.x_type = r.element_type("xType");
  p.y_type = r.element_type("yType");
  p.outer = r.integer("outer");
  p.reduced = r.integer("reduced");
  p.inner = r.integer("inner");
  p.divisor = r.integer("divisor");
}

}  // namespace

void reduce_forward_read(ParamsReader& r, ReduceForward& p) {
  read_extents(r, p);
  r.in("x", p.x, p.x_type, element_count({p.outer, p.reduced, p.inner}));
  r.out("y", p.y, p.y_type, element_count({p.outer, p.inner}));
}

void reduce_backward_input_read(ParamsReader& r, ReduceBackwardInput& p) {
  read_extents(r, p);
  r.in("dy", p.dy, p.y_type, element_count({p.outer, p.inner}));
  r.out("dx", p.dx, p.x_type, element_count({p.outer, p.reduced, p.inner}));
}

}  // namespace gmr
