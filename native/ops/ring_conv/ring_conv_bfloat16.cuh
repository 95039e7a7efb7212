// GMR convolution of bfloat16 activations: the products of bfloat16_product.cuh over ring sums.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/conv/window_geometry.h"
#include "ops/ring_conv/ring_conv.h"
#include "ops/ring_conv/standard_discs.h"

namespace gmr::cuda {

struct RingConvBfloat16 {
  WindowGeometry window;
  RingKernel rings;
  ProductShape shape;
  const bfloat16* x;  // `shape.groups * shape.channels` channels an image
};

// Whether it is a 2-D convolution with "same" padding, stride and dilation 1.
inline bool is_same_plane(const WindowGeometry& g) {
  return is_plane(g) && g.padding[1] == g.kernel[1] / 2 && g.padding[2] == g.kernel[2] / 2 && g.in == g.out;
}

void ring_conv_bfloat16(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                        const Epilogue& epilogue, bfloat16* y);
void ring_conv_bfloat16_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy,
                                        float* dv);

// The same by RingRows, RingPlanes, RingColumns, RingShells; false: it is not for this kernel or shape, and nothing was done.
bool ring_rows_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                       const Epilogue& epilogue, bfloat16* y);
bool ring_planes_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                         const Epilogue& epilogue, bfloat16* y);
bool ring_columns_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                          const Epilogue& epilogue, bfloat16* y);
bool ring_shells_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                         const Epilogue& epilogue, bfloat16* y);
bool ring_rows_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv);
bool ring_planes_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv);
bool ring_columns_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv);
bool ring_shells_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv);

}  // namespace gmr::cuda
