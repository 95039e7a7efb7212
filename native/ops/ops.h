// What derives from ops.def: pass numbers, names, and the check that addon and backend were built from the same
// structs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/all_params.h"

namespace gmr {

enum class Pass : uint16_t {
#define GMR_PASS(op, pass, Params) op##_##pass,
#include "ops/ops.def"
#undef GMR_PASS
  count
};

constexpr uint32_t pass_count = static_cast<uint32_t>(Pass::count);

constexpr uint64_t params_layout() {
  uint64_t hash = 1469598103934665603ull;  // FNV-1a over sizes, in order
#define GMR_PASS(op, pass, Params) hash = (hash ^ sizeof(Params)) * 1099511628211ull;
#include "ops/ops.def"
#undef GMR_PASS
  return hash;
}

}  // namespace gmr
