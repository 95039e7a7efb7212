#include "cuda/elements.cuh"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename T>
__global__ void activation_forward_kernel(const __grid_constant__ ActivationForward p, int64_t groups) {
  for_elements<T>(p.count, groups, [&](int64_t i, auto width) {
    auto x = load_pack<width>(static_cast<const T*>(p.x) + i);
#pragma unroll
    for (float& value : x.v) {
      const float scaled = p.slope == 0 ? 0 : p.slope * value;  // relu(-infinity) is 0
      value = value < 0 ? scaled : value;
    }
    store_pack(static_cast<T*>(p.y) + i, x);
  });
}

template <typename T>
__global__ void activation_backward_input_kernel(const __grid_constant__ ActivationBackwardInput p, int64_t groups) {
  for_elements<T>(p.count, groups, [&](int64_t i, auto width) {
    const auto y = load_pack<width>(static_cast<const T*>(p.y) + i);
    auto dy = load_pack<width>(static_cast<const T*>(p.dy) + i);
#pragma unroll
    for (int k = 0; k < width; ++k) {
      const bool is_off = p.slope == 0 ? y.v[k] <= 0 : !(y.v[k] > 0);
      const float scaled = p.slope == 0 ? 0 : p.slope * dy.v[k];  // relu: what is not finite stops too
      dy.v[k] = is_off ? scaled : dy.v[k];
    }
    store_pack(static_cast<T*>(p.dx) + i, dy);
  });
}

}  // namespace

// launchers

void activation_forward(BackendDevice& device, const ActivationForward& p) {
  with_element_type(p.type, [&]<typename T>() {
    const int64_t groups = groups_of<T>(p.count, p.x, p.y);
    launch(device, Kernel{"activation_forward_kernel", activation_forward_kernel<T>},
           elements_shape(device, p.count, groups), p, groups);
  });
}

void activation_backward_input(BackendDevice& device, const ActivationBackwardInput& p) {
  with_element_type(p.type, [&]<typename T>() {
    const int64_t groups = groups_of<T>(p.count, p.y, p.dy, p.dx);
    launch(device, Kernel{"activation_backward_input_kernel", activation_backward_input_kernel<T>},
           elements_shape(device, p.count, groups), p, groups);
  });
}

}  // namespace gmr::cuda
