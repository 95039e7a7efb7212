// One step of stochastic gradient descent, in place, as torch.optim.SGD does it:
//   g = gradient + weight_decay * parameter
//   velocity = g in the first step, momentum * velocity + (1 - dampening) * g later
//   parameter -= learning_rate * (nesterov ? g + momentum * velocity : velocity)
// Without momentum there is no velocity (nullptr) and parameter -= learning_rate * g.
#pragma once

#include <cstdint>

namespace gmr {

struct SgdStep {
  float* parameter;
  const float* gradient;
  float* velocity;  // what it holds is not read in the first step
  int64_t count;
  float learning_rate, momentum, dampening, weight_decay;
  bool nesterov, first_step;
};

}  // namespace gmr
