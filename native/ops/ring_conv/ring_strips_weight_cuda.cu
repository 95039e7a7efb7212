// Kernels of the weight gradient of the standard 2-D ring convolutions of float32.
#include "ops/ring_conv/ring_conv_float32.cuh"
#include "ops/ring_conv/ring_strips_weight.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 3 in the bounds, three blocks on a multiprocessor, allows 168 registers.
template <int side, int outputs>
__global__ void __launch_bounds__(RingStripsWeight<side, outputs>::threads, 3) ring_strips_backward_weight_kernel(
    const __grid_constant__ BackwardWeightProduct<RingStripsWeight<side, outputs>> p) {
  ring_strips_weight_product(p);
}

template <int side, int outputs>
bool try_tile(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const float* x,
              const float* dy, float* dv) {
  using Gather = RingStripsWeight<side, outputs>;
  if (shape.channels * strips_weight_channel_share < Gather::channels) return false;
  const Gather gather(x, window, shape);
  const Kernel kernel{"ring_strips_backward_weight_kernel", ring_strips_backward_weight_kernel<side, outputs>};
  launch_backward_weight<Gather>(device, kernel, shape, gather, dy, dv);
  return true;
}

template <int side>
bool try_side(BackendDevice& device, const WindowGeometry& window, const DiscTable& discs, const ProductShape& shape,
              const float* x, const float* dy, float* dv) {
  if (!StandardDiscs<side>::match(discs)) return false;
  return shape.outputs > product_outputs ? try_tile<side, product_wide_outputs>(device, window, shape, x, dy, dv)
                                         : try_tile<side, product_outputs>(device, window, shape, x, dy, dv);
}

}  // namespace

// launchers

bool ring_strips_backward_weight(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                                 const ProductShape& shape, const float* x, const float* dy, float* dv) {
  if (!is_plane(window) || shape.outputs <= product_few_outputs) return false;
  const DiscTable discs(window.kernel, rings);
  return try_side<5>(device, window, discs, shape, x, dy, dv) || try_side<9>(device, window, discs, shape, x, dy, dv);
}

}  // namespace gmr::cuda
