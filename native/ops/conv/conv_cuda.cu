// The implicit product over the kernel's taps.
#include "cuda/kernels.h"
#include "cuda/tap_gather.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 1 in the bounds: registers before occupancy, so that nothing spills.
__global__ void __launch_bounds__(block_threads, 1)
    conv_product_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<product_outputs>(p);
}

__global__ void __launch_bounds__(block_threads, 1)
    conv_product_few_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<product_few_outputs>(p);
}

__global__ void __launch_bounds__(block_threads, 1)
    conv_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<product_outputs>(p);
}

__global__ void __launch_bounds__(block_threads, 1)
    conv_backward_weight_few_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<product_few_outputs>(p);
}

const ProductKernels<ForwardProduct<TapGather>> product_kernels = {
    {"conv_product_kernel", conv_product_kernel},
    {"conv_product_few_kernel", conv_product_few_kernel},
};

const ProductKernels<BackwardWeightProduct<TapGather>> backward_weight_kernels = {
    {"conv_backward_weight_kernel", conv_backward_weight_kernel},
    {"conv_backward_weight_few_kernel", conv_backward_weight_few_kernel},
};

}  // namespace

// launchers

void conv_forward(BackendDevice& device, const ConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = forward_shape(g);
  const int64_t taps = volume(g.kernel);
  const TapGather gather(p.x, device.table(one_tap_a_row(g.kernel)), taps, forward_window(g), g.n, g.c);
  launch_forward(device, product_kernels, shape, gather, forward_weights(shape, p.w, taps), p.bias, p.y);
}

void conv_backward_input(BackendDevice& device, const ConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = adjoint_shape(g);
  const int64_t taps = volume(g.kernel);
  const TapGather gather(p.dy, device.table(one_tap_a_row(g.kernel)), taps, adjoint_window(g), g.n, g.o);
  launch_forward(device, product_kernels, shape, gather, transposed_weights(shape, p.w, taps, RowOrder::reversed),
                 p.bias, p.dx);
}

void conv_backward_weight(BackendDevice& device, const ConvBackwardWeight& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(p.x, device.table(one_tap_a_row(g.kernel)), volume(g.kernel), forward_window(g), g.n, g.c);
  launch_backward_weight(device, backward_weight_kernels, forward_shape(g), gather, p.dy, p.dw);
}

}  // namespace gmr::cuda
