// The implicit product over the kernel's taps; depthwise layers directly.
#include "backend/floats.h"
#include "cuda/kernels.h"
#include "cuda/tap_gather.cuh"
#include "ops/conv/direct_conv.cuh"
#include "ops/conv/direct_weight.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks are on a multiprocessor at a time.
__global__ void __launch_bounds__(block_threads, 2) conv_direct_kernel(const __grid_constant__ DirectConv p) {
  direct_conv(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_direct_kernel(const __grid_constant__ DirectWeight p) {
  direct_weight(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_few_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<FloatTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<FloatTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_wide_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<FloatTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_high_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<HighTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_product_wide_high_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<HighTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_few_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<FloatWeightTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<FloatWeightTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    conv_backward_weight_high_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<HighWeightTile>(p);
}

const ForwardKernels<TapGather> product_kernels = {
    {"conv_product_few_kernel", conv_product_few_kernel},
    {"conv_product_kernel", conv_product_kernel},
    {"conv_product_wide_kernel", conv_product_wide_kernel},
    {"conv_product_high_kernel", conv_product_high_kernel},
    {"conv_product_wide_high_kernel", conv_product_wide_high_kernel},
};

const BackwardWeightKernels<TapGather> backward_weight_kernels = {
    {"conv_backward_weight_few_kernel", conv_backward_weight_few_kernel},
    {"conv_backward_weight_kernel", conv_backward_weight_kernel},
    {"conv_backward_weight_high_kernel", conv_backward_weight_high_kernel},
};

void product(BackendDevice& device, const ProductShape& shape, Float32Precision precision, const WindowGeometry& window,
             const float* x, const ProductWeights& weights, const float* bias, float* y) {
  if (shape.images * shape.out_plane == 0) return;
  if (const Box box = choose_direct_box(shape, window); box.extent[0] > 0) {
    const DirectConv conv(shape, window, box, weights, x, bias, y);
    const size_t shared_bytes = static_cast<size_t>(box.window_floats() + conv.taps) * sizeof(float);
    launch(device, Kernel{"conv_direct_kernel", conv_direct_kernel},
           block_each(conv.items(), block_threads, shared_bytes), conv);
    return;
  }
  const TapGather gather(x, device.table(one_tap_a_row(window.kernel)), weights.rows, window, shape.images,
                         shape.groups * shape.channels);
  launch_forward(device, product_kernels, shape, precision, gather, weights, bias, y);
}

void backward_weight_directly(BackendDevice& device, DirectWeight gradient, float* dw) {
  const bool is_split = gradient.splits > 1;
  gradient.partials =
      is_split
          ? static_cast<float*>(device.scratch(static_cast<size_t>(gradient.splits * gradient.size()) * sizeof(float)))
          : dw;
  launch(device, Kernel{"conv_backward_weight_direct_kernel", conv_backward_weight_direct_kernel},
         block_each(gradient.items(), block_threads, static_cast<size_t>(gradient.shared_floats()) * sizeof(float)),
         gradient);
  if (is_split) sum_partials(device, gradient.partials, gradient.splits, gradient.size(), dw);
}

}  // namespace

// launchers

void conv_forward(BackendDevice& device, const ConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = forward_shape(g);
  product(device, shape, p.precision, forward_window(g), floats(p.x), forward_weights(shape, p.w, volume(g.kernel)),
          p.bias, floats(p.y));
}

void conv_backward_input(BackendDevice& device, const ConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = adjoint_shape(g);
  product(device, shape, p.precision, adjoint_window(g), floats(p.dy),
          transposed_weights(shape, p.w, volume(g.kernel), RowOrder::reversed), p.bias, floats(p.dx));
}

void conv_backward_weight(BackendDevice& device, const ConvBackwardWeight& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = forward_shape(g);
  const WindowGeometry window = forward_window(g);
  if (const Box box = choose_direct_weight_box(shape, window); box.extent[0] > 0 && shape.images > 0) {
    backward_weight_directly(device, DirectWeight(shape, window, box, floats(p.x), floats(p.dy)), p.dw);
    return;
  }
  const TapGather gather(floats(p.x), device.table(one_tap_a_row(g.kernel)), volume(g.kernel), window, g.n, g.c);
  launch_backward_weight(device, backward_weight_kernels, shape, p.precision, gather, floats(p.dy), p.dw);
}

}  // namespace gmr::cuda
