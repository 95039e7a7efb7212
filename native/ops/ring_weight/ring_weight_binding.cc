#include "ops/bindings.h"
#include "ops/rings.h"

namespace gmr {

void ring_weight_forward_read(ParamsReader& r, RingWeightForward& p) {
  p.rows = r.integer("rows");
  p.rings = r.integer("rings", 1, max_ring_count);
  const int64_t count = element_count({p.rows, p.rings});
  r.in("weight", p.weight, count);
  r.in("logSigmas", p.log_sigmas, p.rings);
  r.out("v", p.v, count);
}

void ring_weight_backward_input_read(ParamsReader& r, RingWeightBackwardInput& p) {
  p.rows = r.integer("rows");
  p.rings = r.integer("rings", 1, max_ring_count);
  const int64_t count = element_count({p.rows, p.rings});
  r.in("weight", p.weight, count);
  r.in("logSigmas", p.log_sigmas, p.rings);
  r.in("dv", p.dv, count);
  r.out_optional("dweight", p.dweight, count);
  r.out_optional("dlogSigmas", p.dlog_sigmas, p.rings);
}

}  // namespace gmr
