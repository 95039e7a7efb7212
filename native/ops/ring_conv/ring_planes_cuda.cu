// Kernels of the standard 2-D ring convolutions of bfloat16 on small planes.
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_planes.cuh"

namespace gmr::cuda {
namespace {

using Planes = RingPlanes<5, 7, 7>;
using PlanesTile = Bfloat16StreamedTile<planes_outputs, Planes::pixels, Planes::threads>;

// kernels

// The 2 in the bounds allows 255 registers.
__global__ void __launch_bounds__(Planes::threads, 2)
    ring_planes_kernel(const __grid_constant__ Bfloat16Product<Planes> p) {
  bfloat16_product<PlanesTile>(p);
}

__global__ void __launch_bounds__(Planes::threads)
    ring_planes_sum_kernel(const __grid_constant__ Bfloat16Product<Planes> p) {
  sum_planes<PlanesTile>(p);
}

}  // namespace

// launchers

bool ring_planes_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                         const Epilogue& epilogue, bfloat16* y) {
  constexpr int side = 2 * Planes::half + 1;
  const ProductShape& shape = p.shape;
  const int64_t height = p.window.in[1], width = p.window.in[2];
  if (!is_same_plane(p.window) || height != 7 || width != 7) return false;
  // Planes of x and y are copied in whole pieces.
  if (shape.channels % Planes::aligned_channels != 0 || shape.outputs % Planes::aligned_channels != 0) return false;
  if (shape.channels < planes_least_channels || shape.outputs < rows_least_outputs(planes_outputs)) return false;
  if (!StandardDiscs<side>::match(DiscTable(p.window.kernel, p.rings))) return false;
  const Planes gather(p.x, shape.images, shape.groups * shape.channels);
  const int64_t parts = (shape.outputs + planes_outputs - 1) / planes_outputs;
  if (gather.tiles * shape.groups * parts * Planes::splits < columns_least_wide_blocks) return false;
  const auto product = packed_product(device, planes_outputs, shape, gather, weights, epilogue, y);
  launch(device, Kernel{"ring_planes_kernel", ring_planes_kernel},
         block_each(product.items(), Planes::threads, forward_bytes(planes_outputs, gather)), product);
  const int64_t slices = planes_outputs / planes_sum_outputs;
  launch(device, Kernel{"ring_planes_sum_kernel", ring_planes_sum_kernel},
         block_each(product.items() / product.splits * slices, Planes::threads), product);
  return true;
}

}  // namespace gmr::cuda
