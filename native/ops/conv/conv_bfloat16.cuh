// Convolutions of bfloat16 activations that are not for the direct kernels: the products of bfloat16_product.cuh over
// the kernel's taps.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/conv/window_geometry.h"

namespace gmr::cuda {

void conv_bfloat16(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                   const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y);
void conv_bfloat16_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                   const bfloat16* x, const bfloat16* dy, float* dw);

}  // namespace gmr::cuda
