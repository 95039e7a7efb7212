// Kernels of the standard 3-D ring convolutions of bfloat16. GPUs before sm_80 have neither such products nor the shared
// memory: they take RingGather.
#include "cuda/architectures.h"
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_shells.cuh"
#include "ops/ring_conv/ring_sweep.cuh"

namespace gmr::cuda {
namespace {

// Of tiles, for layers of many channels or outputs: 128 outputs, as ring sums are made anew for each tile of outputs.
constexpr int tile_threads = 256;

template <int side>
using Tiles = RingShells<side, bfloat16, tile_threads, bfloat16_pitch(shells_pixels)>;

// kernels. The second bound, blocks on a multiprocessor, allows 255 registers.

template <int side>
__global__ void __launch_bounds__(tile_threads, 1)
    ring_shells_kernel(const __grid_constant__ Bfloat16Product<Tiles<side>> p) {
#if __CUDA_ARCH__ >= 800
  bfloat16_product<Bfloat16Tile<product_wide_outputs, shells_pixels, tile_threads>>(p);
#endif
}

template <int side, int channels>
__global__ void __launch_bounds__(RingSweep<side, channels>::threads, 256 / RingSweep<side, channels>::threads)
    ring_sweep_kernel(const __grid_constant__ Bfloat16Product<RingSweep<side, channels>> p) {
#if __CUDA_ARCH__ >= 800
  sweep_product(p);
#endif
}

template <int side>
using WeightSweep = RingSweep<side, sweep_weight_channels>;

template <int side>
__global__ void __launch_bounds__(WeightSweep<side>::threads, 2)
    ring_sweep_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<WeightSweep<side>, bfloat16> p) {
#if __CUDA_ARCH__ >= 800
  sweep_weight_product(p);
#endif
}

bool suits(BackendDevice& device, const RingConvBfloat16& p) {
  // Places in a slice are in 32 bits.
  return device.compute_capability() >= ampere_capability &&
         p.window.in[1] * p.window.in[2] <= std::numeric_limits<int>::max();
}

template <typename Gather>
Gather gather_of(const RingConvBfloat16& p, int64_t sweeps_a_column) {
  return {p.x, p.window, p.shape.images, p.shape.groups * p.shape.channels, sweeps_a_column};
}

template <int side, int channels>
bool launch_sweep(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                  const Epilogue& epilogue, bfloat16* y) {
  if (p.shape.channels > channels || p.shape.outputs > product_outputs) return false;
  const auto gather = gather_of<RingSweep<side, channels>>(p, p.shape.groups);
  if (forward_bytes(product_outputs, gather) > device.most_shared_bytes()) return false;
  launch_bfloat16_forward(device, Kernel{"ring_sweep_kernel", ring_sweep_kernel<side, channels>}, product_outputs,
                          p.shape, gather, weights, epilogue, y);
  return true;
}

}  // namespace

// launchers

bool ring_shells_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                         const Epilogue& epilogue, bfloat16* y) {
  if (!suits(device, p)) return false;
  return with_standard_shells(p.window, p.rings, shells_least_share, [&](auto side) {
    if (launch_sweep<side, 32>(device, p, weights, epilogue, y)) return true;
    if (launch_sweep<side, 64>(device, p, weights, epilogue, y)) return true;
    using Gather = Tiles<side>;
    const int64_t other_bytes = product_tile_bytes<Gather::panel_rows, Gather::pixels>(product_wide_outputs);
    const int slices = Gather::choose_slices(p.window, other_bytes, device.most_shared_bytes());
    if (slices == 0) return false;
    const Gather gather(p.x, p.window, slices, p.shape.images, p.shape.groups * p.shape.channels);
    launch_bfloat16_forward(device, Kernel{"ring_shells_kernel", ring_shells_kernel<side>}, product_wide_outputs,
                            p.shape, gather, weights, epilogue, y);
    return true;
  });
}

bool ring_shells_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv) {
  if (!suits(device, p)) return false;
  return with_standard_shells(p.window, p.rings, shells_least_share, [&](auto side) {
    using Gather = WeightSweep<side>;
    using Tile = SweepWeightTile<Gather>;
    const int64_t bands = parts_of(p.shape.channels, Gather::channels),
                  parts = parts_of(p.shape.outputs, Tile::outputs);
    const auto gather = gather_of<Gather>(p, p.shape.groups * bands * parts);
    if (backward_weight_bytes<Tile>(gather) > device.most_shared_bytes()) return false;
    const Kernel kernel{"ring_sweep_backward_weight_kernel", ring_sweep_backward_weight_kernel<side>};
    launch_backward_weight<Tile>(device, kernel, p.shape, gather, dy, dv);
    return true;
  });
}

}  // namespace gmr::cuda
