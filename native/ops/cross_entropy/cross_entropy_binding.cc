#include "ops/bindings.h"

namespace gmr {
namespace {

template <typename Params>
void read_inputs(ParamsReader& r, Params& p) {
  p.type = r.element_type();
  p.rows = r.integer("rows");
  p.classes = r.integer("classes");
  p.divisor = r.integer("divisor");
  p.label_smoothing = r.number("labelSmoothing");
  r.in("logits", p.logits, p.type, element_count({p.rows, p.classes}));
  r.in("targets", p.targets, p.rows);
}

}  // namespace

void cross_entropy_forward_read(ParamsReader& r, CrossEntropyForward& p) {
  read_inputs(r, p);
  r.out("loss", p.loss, 1);
}

void cross_entropy_backward_input_read(ParamsReader& r, CrossEntropyBackwardInput& p) {
  read_inputs(r, p);
  r.in("dy", p.dy, 1);
  r.out("dlogits", p.dlogits, p.type, element_count({p.rows, p.classes}));
}

}  // namespace gmr
