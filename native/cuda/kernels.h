// The CUDA passes: one function a pass, in native/ops/<op>/<op>_cuda.cu. Each queues its kernels on the device's
// stream.
#pragma once

#include "cuda/device.h"
#include "ops/all_params.h"

namespace gmr::cuda {

#define GMR_PASS(op, pass, Params) void op##_##pass(BackendDevice& device, const Params& p);
#include "ops/ops.def"
#undef GMR_PASS

}  // namespace gmr::cuda
