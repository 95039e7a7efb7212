// One step of stochastic gradient descent, in place, as torch.optim.SGD does it, for several parameters at once:
//   g = gradient + weight_decay * parameter
//   velocity = g in the first step, momentum * velocity + (1 - dampening) * g later
//   parameter -= learning_rate * (nesterov ? g + momentum * velocity : velocity)
// Without momentum there is no velocity (nullptr) and parameter -= learning_rate * g.
#pragma once

#include <cstdint>

namespace gmr {

struct SgdTensors {
  float* parameter;
  const float* gradient;
  float* velocity;  // what it holds is not read in the first step
  int64_t count;
  float weight_decay;
  bool first_step;
};

// Those of a ResNet-18 in one pass. CUDA hands these params to the kernel, which can have 4 KiB of them on any GPU.
constexpr int64_t most_sgd_tensors = 88;

struct SgdStep {
  SgdTensors tensors[most_sgd_tensors];
  int64_t tensor_count;
  float learning_rate, momentum, dampening;
  bool nesterov;
};

}  // namespace gmr
