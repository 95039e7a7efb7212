#include "cuda/sums.h"
#include "ops/conv/conv_depthwise.cuh"
#include "ops/conv/depthwise_weight.cuh"
#include "ops/rings.h"

namespace gmr::cuda {
namespace {

// The 2 in the bounds: at most 128 registers.
__global__ void __launch_bounds__(block_threads, 2) conv_depthwise_kernel(const __grid_constant__ DepthwiseConv p) {
  depthwise_conv(p);
}

// Of three rows, which memory limits, one block more.
template <int rows>
__global__ void __launch_bounds__(block_threads, rows == 3 ? 3 : 2)
    conv_depthwise_backward_weight_kernel(const __grid_constant__ DepthwiseWeight p) {
  depthwise_weight<rows>(p);
}

// The ring of each tap.
const int32_t* table_of(BackendDevice& device, const WindowGeometry& window, const RingKernel* rings) {
  if (rings == nullptr) return nullptr;
  return device.table(ring_indices(window.kernel, rings->first_side, rings->rings, rings->circular));
}

template <int rows>
void launch_backward_weight(BackendDevice& device, DepthwiseWeight gradient, float* dw) {
  const auto shared_bytes = static_cast<size_t>(gradient.tile.floats(rows, gradient.taps)) * sizeof(float);
  sum_in_parts(device, gradient.parts(), gradient.size(), dw, [&](float* partials) {
    gradient.partials = partials;
    launch(device, Kernel{"conv_depthwise_backward_weight_kernel", conv_depthwise_backward_weight_kernel<rows>},
           block_each(gradient.pieces.items, gradient.tile.threads(), shared_bytes), gradient);
  });
}

bool forward(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, ElementType type,
             const void* x, const ProductWeights& weights, const RingKernel* rings, const Epilogue& epilogue, void* y) {
  const auto tile = choose_depthwise_tile(shape, window);
  if (!tile) return false;
  const DepthwiseConv conv(shape, window, *tile, weights, table_of(device, window, rings), type, x, epilogue, y);
  launch(device, Kernel{"conv_depthwise_kernel", conv_depthwise_kernel},
         block_each(conv.items, tile->threads(), static_cast<size_t>(tile->floats()) * sizeof(float)), conv);
  return true;
}

bool backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                     const RingKernel* rings, ElementType type, const void* x, const void* dy, float* dw) {
  const int64_t taps = window.kernel[1] * window.kernel[2], rows = rings == nullptr ? taps : rings->rings;
  const auto tile = choose_depthwise_weight_tile(shape, window);
  if (!tile || rows > taps) return false;
  const DepthwiseWeight gradient(shape, window, *tile, table_of(device, window, rings), rows, type, x, dy);
  switch (depthwise_tap_rows(window.kernel[1])) {
    case 3:
      launch_backward_weight<3>(device, gradient, dw);
      break;
    case 5:
      launch_backward_weight<5>(device, gradient, dw);
      break;
    case 7:
      launch_backward_weight<7>(device, gradient, dw);
      break;
    default:
      launch_backward_weight<9>(device, gradient, dw);
  }
  return true;
}

}  // namespace

// launchers

// No templates: where a file has no other function, nvcc names its kernels by its own process, and no build is like
// another.

bool conv_depthwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const float* x,
                    const ProductWeights& weights, const RingKernel* rings, const Epilogue& epilogue, float* y) {
  return forward(device, window, shape, ElementType::float32, x, weights, rings, epilogue, y);
}

bool conv_depthwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                    const ProductWeights& weights, const RingKernel* rings, const Epilogue& epilogue, bfloat16* y) {
  return forward(device, window, shape, ElementType::bfloat16, x, weights, rings, epilogue, y);
}

bool conv_depthwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const RingKernel* rings, const float* x, const float* dy, float* dw) {
  return backward_weight(device, window, shape, rings, ElementType::float32, x, dy, dw);
}

bool conv_depthwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const RingKernel* rings, const bfloat16* x, const bfloat16* dy, float* dw) {
  return backward_weight(device, window, shape, rings, ElementType::bfloat16, x, dy, dw);
}

}  // namespace gmr::cuda
