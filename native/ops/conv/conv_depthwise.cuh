// Depthwise layers with kernels of their own, see depthwise.cuh; for the others the functions return false, and do
// nothing. With `rings` they are ring convolutions, whose weights and gradients are those of rings: with one input a
// product, sums of rings would not be worth their additions.
#pragma once

#include "cuda/implicit_product.cuh"
#include "ops/conv/window_geometry.h"
#include "ops/ring_conv/ring_conv.h"

namespace gmr::cuda {

bool conv_depthwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const float* x,
                    const ProductWeights& weights, const RingKernel* rings, const Epilogue& epilogue, float* y);
bool conv_depthwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                    const ProductWeights& weights, const RingKernel* rings, const Epilogue& epilogue, bfloat16* y);

bool conv_depthwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const RingKernel* rings, const float* x, const float* dy, float* dw);
bool conv_depthwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const RingKernel* rings, const bfloat16* x, const bfloat16* dy, float* dw);

}  // namespace gmr::cuda
