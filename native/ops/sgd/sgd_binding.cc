#include "ops/bindings.h"

namespace gmr {

void sgd_step_read(ParamsReader& r, SgdStep& p) {
  p.count = r.integer("count");
  p.learning_rate = r.number("learningRate");
  p.momentum = r.number("momentum");
  p.dampening = r.number("dampening");
  p.weight_decay = r.number("weightDecay");
  p.nesterov = r.flag("nesterov");
  p.first_step = r.flag("firstStep");
  r.update("parameter", p.parameter, p.count);
  r.in("gradient", p.gradient, p.count);
  r.update_optional("velocity", p.velocity, p.count);
}

}  // namespace gmr
