#include "cuda/kernels.h"

namespace gmr::cuda {

// launchers

void cast_forward(BackendDevice& device, const CastForward& p) {
  const size_t bytes = static_cast<size_t>(p.count) * element_bytes(p.x_type);
  device.check(cudaMemcpyAsync(p.y, p.x, bytes, cudaMemcpyDeviceToDevice, device.stream()), "a copy of a tensor");
}

}  // namespace gmr::cuda
