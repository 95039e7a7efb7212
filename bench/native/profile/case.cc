#include "case.h"

namespace gmr::profile {
namespace {

struct Names {
  const char* op;
  const char* pass;
};

constexpr Names names[] = {
#define GMR_PASS(op, pass, Params) {#op, #pass},
#include "ops/ops.def"
#undef GMR_PASS
};

}  // namespace

const char* op_name(Pass pass) { return names[static_cast<size_t>(pass)].op; }
const char* pass_name(Pass pass) { return names[static_cast<size_t>(pass)].pass; }

Fill uniform(float low, float high) {
  return [=](Random& random, void* data, int64_t count) {
    auto* values = static_cast<float*>(data);
    for (int64_t i = 0; i < count; ++i) values[i] = low + (high - low) * random.unit();
  };
}

Fill integers_below(int32_t limit) {
  return [=](Random& random, void* data, int64_t count) {
    auto* values = static_cast<int32_t*>(data);
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<int32_t>(random.below(limit));
  };
}

}  // namespace gmr::profile
