// The implicit product over the kernel's taps; groups of few channels without one.
#include "cuda/kernels.h"
#include "cuda/tap_gather.cuh"
#include "cuda/weight_product.cuh"
#include "ops/conv/conv_bfloat16.cuh"
#include "ops/conv/conv_depthwise.cuh"
#include "ops/conv/conv_pointwise.cuh"
#include "ops/conv/conv_window.cuh"
#include "ops/conv/direct_conv.cuh"
#include "ops/conv/direct_weight.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks are on a multiprocessor at a time.
template <typename T>
__global__ void __launch_bounds__(block_threads, 2) conv_direct_kernel(const __grid_constant__ DirectConv<T> p) {
  direct_conv(p);
}

template <typename T>
__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_direct_kernel(const __grid_constant__ DirectWeight<T> p) {
  direct_weight(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_few_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<FloatTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<FloatTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_wide_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<FloatTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_high_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<HighTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_wide_high_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<HighTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_few_kernel(const __grid_constant__ BackwardWeightProduct<TapGather<float>> p) {
  backward_weight_product<FloatWeightTile<product_few_outputs, tap_weight_chunks>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<TapGather<float>> p) {
  backward_weight_product<FloatWeightTile<product_outputs, tap_weight_chunks>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_high_kernel(const __grid_constant__ BackwardWeightProduct<TapGather<float>> p) {
  backward_weight_product<HighWeightTile<tap_weight_chunks>>(p);
}

const ForwardKernels<TapGather<float>> product_kernels = {
    {"conv_product_few_kernel", conv_product_few_kernel},
    {"conv_product_kernel", conv_product_kernel},
    {"conv_product_wide_kernel", conv_product_wide_kernel},
    {"conv_product_high_kernel", conv_product_high_kernel},
    {"conv_product_wide_high_kernel", conv_product_wide_high_kernel},
};

const BackwardWeightKernels<TapGather<float>, tap_weight_chunks> backward_weight_kernels = {
    {"conv_backward_weight_few_kernel", conv_backward_weight_few_kernel},
    {"conv_backward_weight_kernel", conv_backward_weight_kernel},
    {"conv_backward_weight_high_kernel", conv_backward_weight_high_kernel},
};

// A pass, whatever the type of its elements.
struct Problem {
  WindowGeometry window;
  ProductShape shape;
  Float32Precision precision;
};

// Whether a panel on tensor cores takes less time than float32 products from windows, by the model: with TF32 and wide
// tiles.
bool is_for_tensor_cores(const BackendDevice& device, const Problem& p) {
  return p.precision == Float32Precision::high && is_fast_at_tf32(device.compute_capability()) &&
         p.shape.outputs > product_outputs;
}

void implicit_product(BackendDevice& device, const Problem& p, const float* x, const ProductWeights& weights,
                      const Epilogue& epilogue, float* y) {
  if (!is_for_tensor_cores(device, p)) {
    if (conv_pointwise(device, p.window, p.shape, x, weights, epilogue, y)) return;
    if (conv_window(device, p.window, p.shape, x, weights, epilogue, y)) return;
  }
  const TapGather<float> gather(x, device.table(one_tap_a_row(p.window.kernel)), weights.rows, p.window, p.shape.images,
                                p.shape.groups * p.shape.channels);
  launch_forward(device, product_kernels, p.shape, p.precision, gather, weights, epilogue, y);
}

void implicit_product(BackendDevice& device, const Problem& p, const bfloat16* x, const ProductWeights& weights,
                      const Epilogue& epilogue, bfloat16* y) {
  conv_bfloat16(device, p.window, p.shape, x, weights, epilogue, y);
}

void implicit_weight_product(BackendDevice& device, const Problem& p, const float* x, const float* dy, float* dw) {
  if (conv_pointwise_backward_weight(device, p.window, p.shape, x, dy, dw)) return;
  if (conv_window_backward_weight(device, p.window, p.shape, x, dy, dw)) return;
  const TapGather<float> gather(x, device.table(one_tap_a_row(p.window.kernel)), volume(p.window.kernel), p.window,
                                p.shape.images, p.shape.groups * p.shape.channels);
  launch_backward_weight(device, backward_weight_kernels, p.shape, p.precision, gather, dy, dw);
}

void implicit_weight_product(BackendDevice& device, const Problem& p, const bfloat16* x, const bfloat16* dy,
                             float* dw) {
  conv_bfloat16_backward_weight(device, p.window, p.shape, x, dy, dw);
}

template <typename T>
void product(BackendDevice& device, const Problem& p, const void* x, const ProductWeights& weights,
             const Epilogue& epilogue, void* y) {
  if (p.shape.is_empty()) return;
  const auto* from = static_cast<const T*>(x);
  auto* to = static_cast<T*>(y);
  if (conv_depthwise(device, p.window, p.shape, from, weights, nullptr, epilogue, to)) return;
  if (const Box box = choose_direct_box(p.shape, p.window); box.extent[0] > 0) {
    const DirectConv<T> conv(p.shape, p.window, box, weights, from, epilogue, to);
    const size_t shared_bytes = static_cast<size_t>(box.window_floats() + conv.taps) * sizeof(float);
    launch(device, Kernel{"conv_direct_kernel", conv_direct_kernel<T>},
           block_each(conv.items(), block_threads, shared_bytes), conv);
    return;
  }
  implicit_product(device, p, from, weights, epilogue, to);
}

template <typename T>
void backward_weight_directly(BackendDevice& device, DirectWeight<T> gradient, float* dw) {
  sum_in_parts(device, gradient.splits, gradient.size(), dw, [&](float* partials) {
    gradient.partials = partials;
    launch(device, Kernel{"conv_backward_weight_direct_kernel", conv_backward_weight_direct_kernel<T>},
           block_each(gradient.items(), block_threads, static_cast<size_t>(gradient.shared_floats()) * sizeof(float)),
           gradient);
  });
}

template <typename T>
void backward_weight(BackendDevice& device, const Problem& p, const void* x, const void* dy, float* dw) {
  if (p.shape.is_empty()) return zero_weight_gradient(device, p.shape, volume(p.window.kernel), dw);
  const auto *from = static_cast<const T*>(x), *gradient = static_cast<const T*>(dy);
  if (conv_depthwise_backward_weight(device, p.window, p.shape, nullptr, from, gradient, dw)) return;
  if (const Box box = choose_direct_weight_box(p.shape, p.window); box.extent[0] > 0) {
    backward_weight_directly(device, DirectWeight<T>(p.shape, p.window, box, from, gradient), dw);
    return;
  }
  implicit_weight_product(device, p, from, gradient, dw);
}

}  // namespace

// launchers

void conv_forward(BackendDevice& device, const ConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const Problem problem{forward_window(g), forward_shape(g), p.precision};
  const ProductWeights weights = forward_weights(problem.shape, p.w, volume(g.kernel));
  with_element_type(p.type, [&]<typename T>() { product<T>(device, problem, p.x, weights, p.epilogue, p.y); });
}

void conv_backward_input(BackendDevice& device, const ConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const Problem problem{adjoint_window(g), adjoint_shape(g), p.precision};
  const ProductWeights weights = transposed_weights(problem.shape, p.w, volume(g.kernel), RowOrder::reversed);
  with_element_type(p.type, [&]<typename T>() { product<T>(device, problem, p.dy, weights, {.bias = p.bias}, p.dx); });
}

void conv_backward_weight(BackendDevice& device, const ConvBackwardWeight& p) {
  const Problem problem{forward_window(p.geometry), forward_shape(p.geometry), p.precision};
  with_element_type(p.type, [&]<typename T>() { backward_weight<T>(device, problem, p.x, p.dy, p.dw); });
}

}  // namespace gmr::cuda
