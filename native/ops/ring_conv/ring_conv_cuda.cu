// The implicit product over ring sums. Kernels whose windows do not fit into shared memory, or with more rings than the
// product takes at a time, sum each ring's taps where they lie ("large").
#include "backend/floats.h"
#include "cuda/kernels.h"
#include "cuda/ring_taps.h"
#include "cuda/tap_gather.cuh"
#include "ops/ring_conv/ring_gather.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks are on a multiprocessor at a time.
__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_few_kernel(const __grid_constant__ ForwardProduct<RingGather> p) {
  forward_product<FloatTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_kernel(const __grid_constant__ ForwardProduct<RingGather> p) {
  forward_product<FloatTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_wide_kernel(const __grid_constant__ ForwardProduct<RingGather> p) {
  forward_product<FloatTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_high_kernel(const __grid_constant__ ForwardProduct<RingGather> p) {
  forward_product<HighTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_wide_high_kernel(const __grid_constant__ ForwardProduct<RingGather> p) {
  forward_product<HighTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_few_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<FloatTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<FloatTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_wide_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<FloatTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_high_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<HighTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_product_large_wide_high_kernel(const __grid_constant__ ForwardProduct<TapGather> p) {
  forward_product<HighTile<product_wide_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_few_kernel(const __grid_constant__ BackwardWeightProduct<RingGather> p) {
  backward_weight_product<FloatWeightTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<RingGather> p) {
  backward_weight_product<FloatWeightTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_high_kernel(const __grid_constant__ BackwardWeightProduct<RingGather> p) {
  backward_weight_product<HighWeightTile>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_large_few_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<FloatWeightTile<product_few_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_large_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<FloatWeightTile<product_outputs>>(p);
}

__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_backward_weight_large_high_kernel(const __grid_constant__ BackwardWeightProduct<TapGather> p) {
  backward_weight_product<HighWeightTile>(p);
}

// The kernels of a pass, by gather.
template <template <typename> typename Kernels>
struct RingKernels {
  Kernels<RingGather> rings;
  Kernels<TapGather> large;

  const auto& of(const RingGather&) const { return rings; }
  const auto& of(const TapGather&) const { return large; }
};

const RingKernels<ForwardKernels> product_kernels = {
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

const RingKernels<BackwardWeightKernels> backward_weight_kernels = {
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
      f(RingGather(x, terms, window, box, rings.rings, shape.images, channels, shape.channels, most_floats));
      return;
    }
  }
  const int32_t* taps = device.table(taps_of_rings(window.kernel, rings.first_side, rings.rings, rings.circular));
  f(TapGather(x, taps, rings.rings, window, shape.images, channels));
}

void forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings, const ProductShape& shape,
             Float32Precision precision, const float* x, const ProductWeights& weights, const float* bias, float* y) {
  if (shape.images * shape.out_plane == 0) return;
  const int64_t most_floats = product_shared_floats - forward_floats(forward_tile(shape));
  with_gather(device, x, window, rings, shape, most_floats, [&](const auto& gather) {
    launch_forward(device, product_kernels.of(gather), shape, precision, gather, weights, bias, y);
  });
}

}  // namespace

// launchers

void ring_conv_forward(BackendDevice& device, const RingConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = forward_shape(g);
  forward(device, forward_window(g), p.rings, shape, p.precision, floats(p.x),
          forward_weights(shape, p.v, p.rings.rings), p.bias, floats(p.y));
}

void ring_conv_backward_input(BackendDevice& device, const RingConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const ProductShape shape = adjoint_shape(g);
  // Rings have no direction: reversed taps are the same rings.
  forward(device, adjoint_window(g), p.rings, shape, p.precision, floats(p.dy),
          transposed_weights(shape, p.v, p.rings.rings, RowOrder::kept), p.bias, floats(p.dx));
}

void ring_conv_backward_weight(BackendDevice& device, const RingConvBackwardWeight& p) {
  const ProductShape shape = forward_shape(p.geometry);
  const int64_t most_floats = product_shared_floats - backward_weight_floats(backward_weight_tile(shape));
  with_gather(device, floats(p.x), forward_window(p.geometry), p.rings, shape, most_floats, [&](const auto& gather) {
    launch_backward_weight(device, backward_weight_kernels.of(gather), shape, p.precision, gather, floats(p.dy), p.dv);
  });
}

}  // namespace gmr::cuda
