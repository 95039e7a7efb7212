#include "ops/bindings.h"

namespace gmr {

void add_forward_read(ParamsReader& r, AddForward& p) {
  p.type = r.element_type();
  p.count = r.integer("count");
  r.in("a", p.a, p.type, p.count);
  r.in("b", p.b, p.type, p.count);
  r.out("y", p.y, p.type, p.count);
}

}  // namespace gmr
