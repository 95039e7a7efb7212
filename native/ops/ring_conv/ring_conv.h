// GMR convolution in ring space: the kernel has one weight a ring, v [O, C/G, R], so
//   y[n,o,p] = bias[o] + sum_{c,l} v[o,c,l] s_l(x[n,c])[p],   s_l(x)[p] = sum of x over the taps of ring l around p
// and what else ops/conv/epilogue.h says: a matrix product of depth R C/G instead of k^2 C/G or k^3 C/G, over ring sums
// that take additions only. Ring sums are never stored: they feed the product tile by tile. Which taps form ring l:
// native/ops/rings.h.
//
// A ring is the difference of two discs, so its sum is exact up to rounding of the *disc's* sum: an input 1e8 times
// its neighbours, or an infinite one, spoils the rings around it (infinity - infinity is NaN). Rings of standard 3-D
// kernels are mostly sums of their own taps (standard_shells.h).
//
// Gradients, with s_l^T the adjoint of s_l (a ring is symmetric: at stride 1 it is s_l itself with padding
// dilation (k - 1) - padding):
//   dx[n,c]    = sum_l s_l^T( sum_o v[o,c,l] dy[n,o] )   a GMR convolution of the (spread-out) dy, v with o, c exchanged
//   dv[o,c,l]  = sum_{n,p} dy[n,o,p] s_l(x[n,c])[p]      ring sums made again
//   dbias[o]   = sum_{n,p} dy[n,o,p]                     op `reduce`
// The transposed convolution is backward_input used as a forward pass; hence its bias.
#pragma once

#include "backend/element_type.h"
#include "ops/conv/conv_geometry.h"
#include "ops/conv/epilogue.h"
#include "ops/conv/float32_precision.h"

namespace gmr {

struct RingKernel {
  int64_t rings;       // R
  int64_t first_side;  // k0: the side of the kernel's first real axis, which sets the rings' edges
  bool circular;
};

struct RingConvForward {
  ConvGeometry geometry;
  RingKernel rings;
  const void* x;   // [N, C, in]
  const float* v;  // [O, C/G, R]
  Epilogue epilogue;
  void* y;  // [N, O, out]
  Float32Precision precision = Float32Precision::highest;
  ElementType type = ElementType::float32;
};

struct RingConvBackwardInput {
  ConvGeometry geometry;
  RingKernel rings;
  const void* dy;     // [N, O, out]
  const float* v;     // [O, C/G, R]
  const float* bias;  // [C] or nullptr; added to dx
  void* dx;           // [N, C, in]
  Float32Precision precision = Float32Precision::highest;
  ElementType type = ElementType::float32;
};

struct RingConvBackwardWeight {
  ConvGeometry geometry;
  RingKernel rings;
  const void* x;   // [N, C, in]
  const void* dy;  // [N, O, out]
  float* dv;       // [O, C/G, R]
  Float32Precision precision = Float32Precision::highest;
  ElementType type = ElementType::float32;
};

}  // namespace gmr
