#include "ops/bindings.h"

namespace gmr {

void cast_forward_read(ParamsReader& r, CastForward& p) {
  p.x_type = r.element_type("xType");
  p.y_type = r.element_type("yType");
  p.count = r.integer("count");
  r.in("x", p.x, p.x_type, p.count);
  r.out("y", p.y, p.y_type, p.count);
}

}  // namespace gmr
