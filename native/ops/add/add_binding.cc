#include "ops/bindings.h"

namespace gmr {

void add_forward_read(ParamsReader& r, AddForward& p) {
  p.count = r.integer("count");
  r.in("a", p.a, p.count);
  r.in("b", p.b, p.count);
  r.out("y", p.y, p.count);
}

}  // namespace gmr
