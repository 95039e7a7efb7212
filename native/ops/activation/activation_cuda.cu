#include "backend/floats.h"
#include "cuda/elements.cuh"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// kernels

__global__ void activation_forward_kernel(const __grid_constant__ ActivationForward p, int64_t quads) {
  for_elements(p.count, quads, [&](int64_t i, auto width) {
    auto x = load_pack<width>(floats(p.x) + i);
#pragma unroll
    for (float& value : x.v) {
      const float scaled = p.slope == 0 ? 0 : p.slope * value;  // relu(-infinity) is 0
      value = value < 0 ? scaled : value;
    }
    store_pack(floats(p.y) + i, x);
  });
}

__global__ void activation_backward_input_kernel(const __grid_constant__ ActivationBackwardInput p, int64_t quads) {
  for_elements(p.count, quads, [&](int64_t i, auto width) {
    const auto y = load_pack<width>(floats(p.y) + i);
    auto dy = load_pack<width>(floats(p.dy) + i);
#pragma unroll
    for (int k = 0; k < width; ++k) dy.v[k] = y.v[k] > 0 ? dy.v[k] : p.slope * dy.v[k];
    store_pack(floats(p.dx) + i, dy);
  });
}

}  // namespace

// launchers

void activation_forward(BackendDevice& device, const ActivationForward& p) {
  const int64_t quads = quads_of(p.count, floats(p.x), floats(p.y));
  launch(device, Kernel{"activation_forward_kernel", activation_forward_kernel}, elements_shape(device, p.count, quads),
         p, quads);
}

void activation_backward_input(BackendDevice& device, const ActivationBackwardInput& p) {
  const int64_t quads = quads_of(p.count, floats(p.y), floats(p.dy), floats(p.dx));
  launch(device, Kernel{"activation_backward_input_kernel", activation_backward_input_kernel},
         elements_shape(device, p.count, quads), p, quads);
}

}  // namespace gmr::cuda
