// The implicit product over ring sums. Kernels whose windows do not fit into shared memory, or with more rings than the
// product takes at a time, sum each ring's taps where they lie ("large").
#include "cuda/kernels.h"
#include "cuda/ring_taps.h"
#include "cuda/tap_gather.cuh"
#include "cuda/weight_product.cuh"
#include "ops/conv/conv_depthwise.cuh"
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_conv_float32.cuh"
#include "ops/ring_conv/ring_gather.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks are on a multiprocessor at a time.
__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_few_kernel(const __grid_constant__ ForwardProduct<RingGather<float>> p) {
  forward_product<FloatTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_kernel(const __grid_constant__ ForwardProduct<RingGather<float>> p) {
  forward_product<FloatTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_wide_kernel(const __grid_constant__ ForwardProduct<RingGather<float>> p) {
  forward_product<FloatTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_high_kernel(const __grid_constant__ ForwardProduct<RingGather<float>> p) {
  forward_product<HighTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_wide_high_kernel(const __grid_constant__ ForwardProduct<RingGather<float>> p) {
  forward_product<HighTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_few_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<FloatTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<FloatTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_wide_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<FloatTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_high_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<HighTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_wide_high_kernel(const __grid_constant__ ForwardProduct<TapGather<float>> p) {
  forward_product<HighTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_few_kernel(const __grid_constant__ BackwardWeightProduct<RingGather<float>> p) {
  backward_weight_product<FloatWeightTile<product_few_outputs, 1>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<RingGather<float>> p) {
  backward_weight_product<FloatWeightTile<product_outputs, 1>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_high_kernel(const __grid_constant__ BackwardWeightProduct<RingGather<float>> p) {
  backward_weight_product<HighWeightTile<1>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_large_few_kernel(const __grid_constant__ BackwardWeightProduct<TapGather<float>> p) {
  backward_weight_product<FloatWeightTile<product_few_outputs, tap_weight_chunks>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_large_kernel(const __grid_constant__ BackwardWeightProduct<TapGather<float>> p) {
  backward_weight_product<FloatWeightTile<product_outputs, tap_weight_chunks>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_large_high_kernel(const __grid_constant__ BackwardWeightProduct<TapGather<float>> p) {
  backward_weight_product<HighWeightTile<tap_weight_chunks>>(p);
}

// The kernels of a pass, by gather.
template <typename Rings, typename Large>
struct RingKernels {
  Rings rings;
  Large large;

  const auto& of(const RingGather<float>&) const { return rings; }
  const auto& of(const TapGather<float>&) const { return large; }
};

const RingKernels<ForwardKernels<RingGather<float>>, ForwardKernels<TapGather<float>>> product_kernels = {
    {{"ring_conv_product_few_kernel", ring_conv_product_few_kernel},
     {"ring_conv_product_kernel", ring_conv_product_kernel},
     {"ring_conv_product_wide_kernel", ring_conv_product_wide_kernel},
     {"ring_conv_product_high_kernel", ring_conv_product_high_kernel},
     {"ring_conv_product_wide_high_kernel", ring_conv_product_wide_high_kernel}},
    {{"ring_conv_product_large_few_kernel", ring_conv_product_large_few_kernel},
     {"ring_conv_product_large_kernel", ring_conv_product_large_kernel},
     {"ring_conv_product_large_wide_kernel", ring_conv_product_large_wide_kernel},
     {"ring_conv_product_large_high_kernel", ring_conv_product_large_high_kernel},
     {"ring_conv_product_large_wide_high_kernel", ring_conv_product_large_wide_high_kernel}},
};

const RingKernels<BackwardWeightKernels<RingGather<float>, 1>,
                  BackwardWeightKernels<TapGather<float>, tap_weight_chunks>>
    backward_weight_kernels = {
        {{"ring_conv_backward_weight_few_kernel", ring_conv_backward_weight_few_kernel},
         {"ring_conv_backward_weight_kernel", ring_conv_backward_weight_kernel},
         {"ring_conv_backward_weight_high_kernel", ring_conv_backward_weight_high_kernel}},
        {{"ring_conv_backward_weight_large_few_kernel", ring_conv_backward_weight_large_few_kernel},
         {"ring_conv_backward_weight_large_kernel", ring_conv_backward_weight_large_kernel},
         {"ring_conv_backward_weight_large_high_kernel", ring_conv_backward_weight_large_high_kernel}},
};

// Calls f with the gather for a pass: `x` holds `channels` channels an image in all.
template <typename F>
void with_gather(BackendDevice& device, const float* x, const WindowGeometry& window, const RingKernel& rings,
                 const ProductShape& shape, int64_t most_floats, F&& f) {
  const int64_t channels = shape.groups * shape.channels;
  if (rings.rings <= product_depth) {
    const Box box = choose_ring_box(window, shape.images, rings.rings, most_floats);
    if (box.extent[0] > 0) {
      const int32_t* terms = device.table(disc_terms(window, rings, box));
      f(RingGather<float>(x, terms, window, box, rings.rings, shape.images, channels, shape.channels, most_floats));
      return;
    }
  }
  const int32_t* taps = device.table(taps_of_rings(window.kernel, rings.first_side, rings.rings, rings.circular));
  f(TapGather<float>(x, taps, rings.rings, window, shape.images, channels));
}

void forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings, const ProductShape& shape,
             Float32Precision precision, const float* x, const ProductWeights& weights, const Epilogue& epilogue,
             float* y) {
  // At `high` a panel on tensor cores takes less time than strips only where float32 units do 64 multiply-adds a clock
  // (docs/cuda.md).
  const bool is_for_tensor_cores = precision == Float32Precision::high && device.compute_capability() == 80;
  if (!is_for_tensor_cores && ring_strips_forward(device, window, rings, shape, x, weights, epilogue, y)) return;
  // At `high` too: in 3-D the limit of the panel's gather are ring sums.
  if (ring_shells_forward(device, window, rings, shape, x, weights, epilogue, y)) return;
  const int64_t most_floats = product_shared_floats - forward_floats(forward_tile(shape));
  with_gather(device, x, window, rings, shape, most_floats, [&](const auto& gather) {
    launch_forward(device, product_kernels.of(gather), shape, precision, gather, weights, epilogue, y);
  });
}

void forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings, const ProductShape& shape,
             Float32Precision, const bfloat16* x, const ProductWeights& weights, const Epilogue& epilogue,
             bfloat16* y) {
  ring_conv_bfloat16(device, {window, rings, shape, x}, weights, epilogue, y);
}

template <typename T>
void product(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings, const ProductShape& shape,
             Float32Precision precision, const void* x, const ProductWeights& weights, const Epilogue& epilogue,
             void* y) {
  if (shape.is_empty()) return;
  const auto* from = static_cast<const T*>(x);
  auto* to = static_cast<T*>(y);
  if (conv_depthwise(device, window, shape, from, weights, &rings, epilogue, to)) return;
  forward(device, window, rings, shape, precision, from, weights, epilogue, to);
}

void weight_product(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                    const ProductShape& shape, Float32Precision precision, const float* x, const float* dy, float* dv) {
  // At `high` too: strips take less time than a panel on tensor cores (docs/cuda.md).
  if (ring_strips_backward_weight(device, window, rings, shape, x, dy, dv)) return;
  if (ring_shells_backward_weight(device, window, rings, shape, x, dy, dv)) return;
  const int64_t most_floats = product_shared_floats - backward_weight_floats(backward_weight_tile(shape));
  with_gather(device, x, window, rings, shape, most_floats, [&](const auto& gather) {
    launch_backward_weight(device, backward_weight_kernels.of(gather), shape, precision, gather, dy, dv);
  });
}

void weight_product(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                    const ProductShape& shape, Float32Precision, const bfloat16* x, const bfloat16* dy, float* dv) {
  ring_conv_bfloat16_backward_weight(device, {window, rings, shape, x}, dy, dv);
}

template <typename T>
void backward_weight(BackendDevice& device, const RingConvBackwardWeight& p) {
  const WindowGeometry window = forward_window(p.geometry);
  const ProductShape shape = forward_shape(p.geometry);
  if (shape.is_empty()) return zero_weight_gradient(device, shape, p.rings.rings, p.dv);
  const auto *x = static_cast<const T*>(p.x), *dy = static_cast<const T*>(p.dy);
  if (conv_depthwise_backward_weight(device, window, shape, &p.rings, x, dy, p.dv)) return;
  weight_product(device, window, p.rings, shape, p.precision, x, dy, p.dv);
}

}  // namespace

// launchers

void ring_conv_forward(BackendDevice& device, const RingConvForward& p) {
  const ProductShape shape = forward_shape(p.geometry);
  const ProductWeights weights = forward_weights(shape, p.v, p.rings.rings);
  with_element_type(p.type, [&]<typename T>() {
    product<T>(device, forward_window(p.geometry), p.rings, shape, p.precision, p.x, weights, p.epilogue, p.y);
  });
}

void ring_conv_backward_input(BackendDevice& device, const RingConvBackwardInput& p) {
  const ProductShape shape = adjoint_shape(p.geometry);
  // Rings have no direction: reversed taps are the same rings.
  const ProductWeights weights = transposed_weights(shape, p.v, p.rings.rings, RowOrder::kept);
  with_element_type(p.type, [&]<typename T>() {
    product<T>(device, adjoint_window(p.geometry), p.rings, shape, p.precision, p.dy, weights, {.bias = p.bias}, p.dx);
  });
}

void ring_conv_backward_weight(BackendDevice& device, const RingConvBackwardWeight& p) {
  with_element_type(p.type, [&]<typename T>() { backward_weight<T>(device, p); });
}

}  // namespace gmr::cuda
