// The kernels of ring_conv_cuda.cu for bfloat16 activations.
#include "cuda/ring_taps.h"
#include "cuda/tap_gather.cuh"
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_gather.cuh"

namespace gmr::cuda {
namespace {

using Rings = RingGather<bfloat16>;
using Large = TapGather<bfloat16>;

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks are on a multiprocessor at a time.
template <typename Gather, int outputs>
__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_bfloat16_kernel(const __grid_constant__ Bfloat16Product<Gather> p) {
  bfloat16_product<Bfloat16Tile<outputs, product_pixels, block_threads>>(p);
}

// RingGather leaves registers for one chunk.
using WeightTile = Bfloat16WeightTile<product_outputs, product_depth, product_pixels, block_threads, 1>;

template <typename Gather>
__global__ void __launch_bounds__(block_threads, 2)
    ring_conv_bfloat16_backward_weight_kernel(const __grid_constant__ BackwardWeightProduct<Gather, bfloat16> p) {
  backward_weight_product<WeightTile>(p);
}

// Calls f with the gather, whose windows may take `most_bytes`.
template <typename F>
void with_gather(BackendDevice& device, const RingConvBfloat16& p, int64_t most_bytes, F&& f) {
  const ProductShape& shape = p.shape;
  const int64_t channels = shape.groups * shape.channels,
                most_floats = most_bytes / static_cast<int64_t>(sizeof(float));
  const RingKernel& rings = p.rings;
  if (rings.rings <= product_depth) {
    const Box box = choose_ring_box(p.window, shape.images, rings.rings, most_floats);
    if (box.extent[0] > 0) {
      const int32_t* terms = device.table(disc_terms(p.window, rings, box));
      f(Rings(p.x, terms, p.window, box, rings.rings, shape.images, channels, shape.channels, most_floats));
      return;
    }
  }
  const int32_t* taps = device.table(taps_of_rings(p.window.kernel, rings.first_side, rings.rings, rings.circular));
  f(Large(p.x, taps, rings.rings, p.window, shape.images, channels));
}

}  // namespace

// launchers

void ring_conv_bfloat16(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                        const Epilogue& epilogue, bfloat16* y) {
  if (p.shape.is_empty()) return;
  if (ring_rows_forward(device, p, weights, epilogue, y)) return;
  if (ring_planes_forward(device, p, weights, epilogue, y)) return;
  if (ring_columns_forward(device, p, weights, epilogue, y)) return;
  if (ring_shells_forward(device, p, weights, epilogue, y)) return;
  with_outputs(p.shape, [&](auto outputs) {
    with_gather(device, p, product_shared_bytes - product_tile_bytes<product_depth, product_pixels>(outputs),
                [&](const auto& gather) {
                  using Gather = std::decay_t<decltype(gather)>;
                  const Kernel kernel{"ring_conv_bfloat16_kernel", ring_conv_bfloat16_kernel<Gather, outputs>};
                  launch_bfloat16_forward(device, kernel, outputs, p.shape, gather, weights, epilogue, y);
                });
  });
}

void ring_conv_bfloat16_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy,
                                        float* dv) {
  if (ring_rows_backward_weight(device, p, dy, dv)) return;
  if (ring_planes_backward_weight(device, p, dy, dv)) return;
  if (ring_columns_backward_weight(device, p, dy, dv)) return;
  if (ring_shells_backward_weight(device, p, dy, dv)) return;
  const int64_t most_bytes = product_shared_bytes - weight_tile_bytes<WeightTile, Rings>;
  with_gather(device, p, most_bytes, [&](const auto& gather) {
    using Gather = std::decay_t<decltype(gather)>;
    const Kernel kernel{"ring_conv_bfloat16_backward_weight_kernel", ring_conv_bfloat16_backward_weight_kernel<Gather>};
    launch_backward_weight<WeightTile>(device, kernel, p.shape, gather, dy, dv);
  });
}

}  // namespace gmr::cuda
