// Kernels of the weight gradient of standard 2-D ring convolutions of bfloat16 whose tiles are whole rows.
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_rows_weight.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds, two blocks on a multiprocessor, allows 255 registers.
template <int side, int width>
__global__ void __launch_bounds__(rows_weight_threads, 2) ring_rows_backward_weight_kernel(
    const __grid_constant__ BackwardWeightProduct<RingRowsWeight<side, width>, bfloat16> p) {
#if __CUDA_ARCH__ >= 800  // before, no GPU has so much shared memory
  ring_rows_weight_product(p);
#endif
}

template <int side, int width>
bool try_rows(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv) {
  using Gather = RingRowsWeight<side, width>;
  const ProductShape& shape = p.shape;
  const int64_t height = p.window.in[1];
  if (p.window.in[2] != width || height % Gather::tile_rows != 0) return false;
  if (shape.outputs < rows_least_outputs(Gather::outputs)) return false;
  if (!StandardDiscs<side>::match(DiscTable(p.window.kernel, p.rings))) return false;
  const Gather gather(p.x, shape.images, height, shape.groups * shape.channels);
  if (backward_weight_bytes<Gather>(gather) > device.most_shared_bytes()) return false;
  const Kernel kernel{"ring_rows_backward_weight_kernel", ring_rows_backward_weight_kernel<side, width>};
  launch_backward_weight<Gather>(device, kernel, shape, gather, dy, dv);
  return true;
}

}  // namespace

// launchers

bool ring_rows_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv) {
  if (!is_same_plane(p.window)) return false;
  return try_rows<9, 56>(device, p, dy, dv) || try_rows<9, 28>(device, p, dy, dv) || try_rows<5, 14>(device, p, dy, dv);
}

}  // namespace gmr::cuda
