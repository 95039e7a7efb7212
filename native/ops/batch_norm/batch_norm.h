// Batch normalisation of x [N, C, P], P pixels, with an optional sum and rectifier behind it, in one pass over memory:
//   xhat = (x - mean[c]) inverse_std[c],  z = weight[c] xhat + bias[c] + residual,  y = z or max(z, 0)
// inverse_std = 1 / sqrt(variance + eps). In training mean and variance are the batch's over M = N P values a channel,
// with the biased variance, and the running ones move towards them by `momentum`, with the unbiased variance (M - 1).
// In inference the running ones are taken. Absent weight, bias, residual (nullptr) are 1, 0, 0. Source: Ioffe, Szegedy,
// "Batch Normalization", arXiv 1502.03167.
//
// Gradient: g = dy where y > 0, else 0 (without rectifier dy itself).
//   dresidual = g,  dbias = sum g,  dweight = sum g xhat  (sums over N and P)
//   inference: dx = weight inverse_std g
//   training, where mean and variance depend on x: dx = weight inverse_std (g - sum g / M - xhat sum(g xhat) / M)
#pragma once

#include <cstdint>

#include "backend/element_type.h"

namespace gmr {

struct BatchNormExtents {
  int64_t batch, channels, pixels;
};

struct BatchNormAffine {
  const void* x;
  const float* weight;   // [C] or nullptr
  const float* bias;     // [C] or nullptr
  const void* residual;  // x's shape, or nullptr
  void* y;
  float* mean;         // [C], what the gradient needs again
  float* inverse_std;  // [C]
  BatchNormExtents extents;
  float eps;
  bool relu;
  ElementType type = ElementType::float32;
};

struct BatchNormForward {
  BatchNormAffine affine;
  float* running_mean;  // [C], both or neither
  float* running_variance;
  float momentum;
};

struct BatchNormForwardInference {
  BatchNormAffine affine;
  const float* running_mean;  // [C]
  const float* running_variance;
};

// What inference multiplies by, scale = weight inverse_std, for a convolution that normalises what it stores.
struct BatchNormScale {
  const float* weight;  // [C] or nullptr
  const float* running_variance;
  float* scale;  // [C]
  int64_t channels;
  float eps;
};

struct BatchNormBackwardInput {
  const void* x;
  const void* y;        // nullptr without rectifier
  const float* weight;  // [C] or nullptr
  const float* mean;    // [C]
  const float* inverse_std;
  const void* dy;
  void* dx;         // this and the following: nullptr where nobody needs it
  float* dweight;   // [C]
  float* dbias;     // [C]
  void* dresidual;  // x's shape
  BatchNormExtents extents;
  bool training;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
