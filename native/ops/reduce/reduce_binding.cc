#include "ops/bindings.h"

namespace gmr {
namespace {

template <typename Params>
void read_extents(ParamsReader& r, Params& p) {
  p.outer = r.integer("outer");
  p.reduced = r.integer("reduced");
  p.inner = r.integer("inner");
  p.divisor = r.integer("divisor");
}

}  // namespace

void reduce_forward_read(ParamsReader& r, ReduceForward& p) {
  read_extents(r, p);
  r.in("x", p.x, element_count({p.outer, p.reduced, p.inner}));
  r.out("y", p.y, element_count({p.outer, p.inner}));
}

void reduce_backward_input_read(ParamsReader& r, ReduceBackwardInput& p) {
  read_extents(r, p);
  r.in("dy", p.dy, element_count({p.outer, p.inner}));
  r.out("dx", p.dx, element_count({p.outer, p.reduced, p.inner}));
}

}  // namespace gmr
