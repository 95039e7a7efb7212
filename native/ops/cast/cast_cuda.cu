#include "cuda/elements.cuh"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename From, typename To>
__global__ void cast_forward_kernel(const __grid_constant__ CastForward p, int64_t groups) {
  for_elements<bfloat16>(p.count, groups, [&](int64_t i, auto width) {
    store_pack(static_cast<To*>(p.y) + i, load_pack<width>(static_cast<const From*>(p.x) + i));
  });
}

}  // namespace

// launchers

void cast_forward(BackendDevice& device, const CastForward& p) {
  if (p.x_type == p.y_type) {
    const size_t bytes = static_cast<size_t>(p.count) * element_bytes(p.x_type);
    return device.copy(p.y, p.x, bytes);
  }
  const int64_t groups = groups_of<bfloat16>(p.count, p.x, p.y);
  const LaunchShape shape = elements_shape(device, p.count, groups);
  if (p.x_type == ElementType::float32) {
    launch(device, Kernel{"cast_forward_kernel", cast_forward_kernel<float, bfloat16>}, shape, p, groups);
  } else {
    launch(device, Kernel{"cast_forward_kernel", cast_forward_kernel<bfloat16, float>}, shape, p, groups);
  }
}

}  // namespace gmr::cuda
