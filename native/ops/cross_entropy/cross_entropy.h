// Cross entropy of logits z [rows, classes] with class numbers t [rows], labels smoothed by s, K = classes:
//   q[k] = (1 - s) [k = t] + s / K,  loss = sum_rows -sum_k q[k] log softmax(z)[k] / divisor.
// With m = max z: -sum_k q[k] log softmax(z)[k] = log sum_k exp(z[k] - m) + (1 - s)(m - z[t]) + s mean_k(m - z[k]),
// which cannot overflow and loses no digits to a common offset of the logits. Gradient: dz[k] = dy / divisor
// (softmax(z)[k] - q[k]). divisor 0 is the mean of nothing, NaN. A target outside [0, K) is an exception from either
// pass.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct CrossEntropyForward {
  const void* logits;      // [rows, classes]
  const int32_t* targets;  // [rows]
  float* loss;             // one element
  int64_t rows, classes;
  int64_t divisor;
  float label_smoothing;
  ElementType type = ElementType::float32;
};

struct CrossEntropyBackwardInput {
  const void* logits;
  const int32_t* targets;
  const float* dy;  // one element
  void* dlogits;    // [rows, classes]
  int64_t rows, classes;
  int64_t divisor;
  float label_smoothing;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
