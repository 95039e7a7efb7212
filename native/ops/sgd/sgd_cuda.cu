#include "cuda/elements.cuh"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// kernels

__global__ void sgd_step_kernel(const __grid_constant__ SgdStep p, int64_t groups, const OutOfRange* out_of_range) {
  if (out_of_range->argument != CheckedArgument::none) return;
  for_elements<float>(p.count, groups, [&](int64_t i, auto width) {
    auto parameter = load_pack<width>(p.parameter + i);
    auto g = load_pack<width>(p.gradient + i);
    if (p.weight_decay != 0) {  // not 0 * parameter: a parameter may be infinite
#pragma unroll
      for (int k = 0; k < width; ++k) g.v[k] += p.weight_decay * parameter.v[k];
    }
    auto direction = g;
    if (p.velocity != nullptr) {
      auto velocity = g;
      if (!p.first_step) {
        velocity = load_pack<width>(p.velocity + i);
        const float fresh = 1 - p.dampening;
#pragma unroll
        for (int k = 0; k < width; ++k) velocity.v[k] = p.momentum * velocity.v[k] + fresh * g.v[k];
      }
      store_pack(p.velocity + i, velocity);
#pragma unroll
      for (int k = 0; k < width; ++k) {
        direction.v[k] = p.nesterov ? g.v[k] + p.momentum * velocity.v[k] : velocity.v[k];
      }
    }
#pragma unroll
    for (int k = 0; k < width; ++k) parameter.v[k] -= p.learning_rate * direction.v[k];
    store_pack(p.parameter + i, parameter);
  });
}

}  // namespace

// launchers

void sgd_step(BackendDevice& device, const SgdStep& p) {
  const int64_t groups = groups_of<float>(p.count, p.parameter, p.gradient, p.velocity);
  launch(device, Kernel{"sgd_step_kernel", sgd_step_kernel}, elements_shape(device, p.count, groups), p, groups,
         device.out_of_range());
}

}  // namespace gmr::cuda
