// Plain convolution, cross-correlation as in PyTorch; a 1x1 convolution and a linear layer are the case of one tap.
//   y[n,o,p] = bias[o] + sum_{c,t} w[o,c,t] x[n, c, p stride - padding + t dilation]
// and what else epilogue.h says.
// It is the product of ring_conv with the k^d taps as operand rows instead of R ring sums.
//
// Gradients: dx is the convolution of the spread-out dy with w transposed in (o, c) and its taps in reverse; dw[o,c,t]
// = sum_{n,p} dy[n,o,p] x[n, c, p stride - padding + t dilation]; dbias is op `reduce` on dy. The transposed
// convolution is backward_input used as a forward pass; hence its bias.
#pragma once

#include "backend/element_type.h"
#include "ops/conv/conv_geometry.h"
#include "ops/conv/epilogue.h"
#include "ops/conv/float32_precision.h"

namespace gmr {

struct ConvForward {
  ConvGeometry geometry;
  const void* x;   // [N, C, in]
  const float* w;  // [O, C/G, kernel]
  Epilogue epilogue;
  void* y;  // [N, O, out]
  Float32Precision precision = Float32Precision::highest;
  ElementType type = ElementType::float32;
};

struct ConvBackwardInput {
  ConvGeometry geometry;
  const void* dy;     // [N, O, out]
  const float* w;     // [O, C/G, kernel]
  const float* bias;  // [C] or nullptr; added to dx
  void* dx;           // [N, C, in]
  Float32Precision precision = Float32Precision::highest;
  ElementType type = ElementType::float32;
};

struct ConvBackwardWeight {
  ConvGeometry geometry;
  const void* x;   // [N, C, in]
  const void* dy;  // [N, O, out]
  float* dw;       // [O, C/G, kernel]
  Float32Precision precision = Float32Precision::highest;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
