// Convolutions of one tap at stride 1; the others return false, and do nothing.
#pragma once

#include "cuda/implicit_product.cuh"
#include "ops/conv/window_geometry.h"

namespace gmr::cuda {

bool conv_pointwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const float* x,
                    const ProductWeights& weights, const Epilogue& epilogue, float* y);
bool conv_pointwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                    const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y);

bool conv_pointwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const float* x, const float* dy, float* dw);
bool conv_pointwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const bfloat16* x, const bfloat16* dy, float* dw);

}  // namespace gmr::cuda
