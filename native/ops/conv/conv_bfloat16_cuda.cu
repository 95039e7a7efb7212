#include "cuda/tap_gather.cuh"
#include "ops/conv/conv_bfloat16.cuh"
#include "ops/conv/conv_pointwise.cuh"
#include "ops/conv/conv_window.cuh"

namespace gmr::cuda {
namespace {

using Taps = TapGather<bfloat16>;

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks are on a multiprocessor at a time.
template <int outputs>
__global__ void __launch_bounds__(block_threads, 2)
    conv_bfloat16_kernel(const __grid_constant__ Bfloat16Product<Taps> p) {
  bfloat16_product<Bfloat16Tile<outputs, product_pixels, block_threads>>(p);
}

template <int outputs>
using WeightTile = Bfloat16WeightTile<outputs, product_depth, product_pixels, block_threads, tap_weight_chunks>;

template <int outputs>
__global__ void __launch_bounds__(block_threads, 2)
    conv_bfloat16_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<Taps, bfloat16> p) {
  backward_weight_product<WeightTile<outputs>>(p);
}

Taps gather_of(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x) {
  return {x,
          device.table(one_tap_a_row(window.kernel)),
          volume(window.kernel),
          window,
          shape.images,
          shape.groups * shape.channels};
}

}  // namespace

// launchers

void conv_bfloat16(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                   const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y) {
  if (conv_pointwise(device, window, shape, x, weights, epilogue, y)) return;
  if (conv_window(device, window, shape, x, weights, epilogue, y)) return;
  const Taps gather = gather_of(device, window, shape, x);
  with_outputs(shape, [&](auto outputs) {
    launch_bfloat16_forward(device, Kernel{"conv_bfloat16_kernel", conv_bfloat16_kernel<outputs>}, outputs, shape,
                            gather, weights, epilogue, y);
  });
}

void conv_bfloat16_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                   const bfloat16* x, const bfloat16* dy, float* dw) {
  if (conv_pointwise_backward_weight(device, window, shape, x, dy, dw)) return;
  if (conv_window_backward_weight(device, window, shape, x, dy, dw)) return;
  const Taps gather = gather_of(device, window, shape, x);
  const auto launch_tile = [&](auto outputs) {
    const Kernel kernel{"conv_bfloat16_backward_weight_kernel", conv_bfloat16_backward_weight_kernel<outputs>};
    launch_backward_weight<WeightTile<outputs>>(device, kernel, shape, gather, dy, dw);
  };
  if (shape.outputs <= product_outputs) {
    launch_tile(std::integral_constant<int, product_outputs>{});
  } else {
    launch_tile(std::integral_constant<int, product_wide_outputs>{});
  }
}

}  // namespace gmr::cuda
