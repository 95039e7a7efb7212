#include "ops/bindings.h"

namespace gmr {

void activation_forward_read(ParamsReader& r, ActivationForward& p) {
  p.type = r.element_type();
  p.count = r.integer("count");
  p.slope = r.number("slope");
  r.in("x", p.x, p.type, p.count);
  r.out("y", p.y, p.type, p.count);
}

void activation_backward_input_read(ParamsReader& r, ActivationBackwardInput& p) {
  p.type = r.element_type();
  p.count = r.integer("count");
  p.slope = r.number("slope");
  r.in("y", p.y, p.type, p.count);
  r.in("dy", p.dy, p.type, p.count);
  r.out("dx", p.dx, p.type, p.count);
}

}  // namespace gmr
