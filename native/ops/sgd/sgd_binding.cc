#include "ops/bindings.h"

namespace gmr {

void sgd_step_read(ParamsReader& r, SgdStep& p) {
  p.learning_rate = r.number("learningRate");
  p.momentum = r.number("momentum");
  p.dampening = r.number("dampening");
  p.nesterov = r.flag("nesterov");
  p.tensor_count = r.each("tensors", most_sgd_tensors, [&](int64_t i) {
    SgdTensors& t = p.tensors[i];
    t.count = r.integer("count");
    t.weight_decay = r.number("weightDecay");
    t.first_step = r.flag("firstStep");
    r.update("parameter", t.parameter, t.count);
    r.in("gradient", t.gradient, t.count);
    r.update_optional("velocity", t.velocity, t.count);
  });
}

}  // namespace gmr
