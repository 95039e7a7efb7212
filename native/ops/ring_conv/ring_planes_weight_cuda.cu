// The kernel of the weight gradient of standard 2-D ring convolutions of bfloat16 on small planes.
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_planes_weight.cuh"

namespace gmr::cuda {
namespace {

using Planes = RingPlanesWeight<5, 7, 7>;

// kernels

__global__ void __launch_bounds__(Planes::threads)
    ring_planes_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<Planes, bfloat16> p) {
#if __CUDA_ARCH__ >= 800  // before, no GPU has so much shared memory
  ring_planes_weight_product(p);
#endif
}

}  // namespace

// launchers

bool ring_planes_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv) {
  constexpr int side = 2 * Planes::half + 1;
  const ProductShape& shape = p.shape;
  const int64_t height = p.window.in[1], width = p.window.in[2];
  if (!is_same_plane(p.window) || height != 7 || width != 7) return false;
  if (shape.channels % Planes::aligned_channels != 0 || shape.outputs % Planes::aligned_channels != 0) return false;
  if (shape.channels < planes_weight_least_channels || shape.outputs < rows_least_outputs(Planes::outputs))
    return false;
  if (!StandardDiscs<side>::match(DiscTable(p.window.kernel, p.rings))) return false;
  const Planes gather(p.x, shape.images, shape.groups * shape.channels);
  if (backward_weight_bytes<Planes>(gather) > device.most_shared_bytes()) return false;
  const Kernel kernel{"ring_planes_backward_weight_kernel", ring_planes_backward_weight_kernel};
  launch_backward_weight<Planes>(device, kernel, shape, gather, dy, dv);
  return true;
}

}  // namespace gmr::cuda
