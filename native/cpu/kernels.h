// The CPU kernels: one function a pass, in native/ops/<op>/<op>_cpu.cc.
#pragma once

#include "ops/all_params.h"

namespace gmr::cpu {

#define GMR_PASS(op, pass, Params) void op##_##pass(const Params& p);
#include "ops/ops.def"
#undef GMR_PASS

}  // namespace gmr::cpu
