// GMR convolution of float32 activations by ring sums in registers: 2-D in strips (ring_strips.cuh), 3-D in shells
// (ring_shells.cuh).
#pragma once

#include "cuda/implicit_product.cuh"
#include "ops/conv/window_geometry.h"
#include "ops/ring_conv/ring_conv.h"

namespace gmr::cuda {

// false: it is not for this kernel or shape, and nothing was done.
bool ring_strips_forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                         const ProductShape& shape, const float* x, const ProductWeights& weights,
                         const Epilogue& epilogue, float* y);
bool ring_strips_backward_weight(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                                 const ProductShape& shape, const float* x, const float* dy, float* dv);
bool ring_shells_forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                         const ProductShape& shape, const float* x, const ProductWeights& weights,
                         const Epilogue& epilogue, float* y);
bool ring_shells_backward_weight(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                                 const ProductShape& shape, const float* x, const float* dy, float* dv);

}  // namespace gmr::cuda
