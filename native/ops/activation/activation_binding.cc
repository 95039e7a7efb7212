#include "ops/bindings.h"

namespace gmr {

void activation_forward_read(ParamsReader& r, ActivationForward& p) {
  p.count = r.integer("count");
  p.slope = r.number("slope");
  r.in("x", p.x, p.count);
  r.out("y", p.y, p.count);
}

void activation_backward_input_read(ParamsReader& r, ActivationBackwardInput& p) {
  p.count = r.integer("count");
  p.slope = r.number("slope");
  r.in("y", p.y, p.count);
  r.in("dy", p.dy, p.count);
  r.out("dx", p.dx, p.count);
}

}  // namespace gmr
