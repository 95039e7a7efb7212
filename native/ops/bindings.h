// The functions in native/ops/<op>/<op>_binding.cc: JavaScript values to params, one a pass.
#pragma once

#include "napi/params_reader.h"
#include "ops/all_params.h"

namespace gmr {

#define GMR_PASS(op, pass, Params) void op##_##pass##_read(ParamsReader& reader, Params& p);
#include "ops/ops.def"
#undef GMR_PASS

}  // namespace gmr
