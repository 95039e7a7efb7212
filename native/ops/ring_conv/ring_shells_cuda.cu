// Kernels of the standard 3-D ring convolutions of float32.
#include "ops/ring_conv/ring_conv_float32.cuh"
#include "ops/ring_conv/ring_shells_float32.cuh"

namespace gmr::cuda {
namespace {

// kernels

// Before sm_80 no GPU has the shared memory of k = 9.
template <int side>
__device__ constexpr bool runs() {
#if __CUDA_ARCH__ >= 800
  return true;
#else
  return side < 9;
#endif
}

// The second bound, blocks on a multiprocessor, allows 255 registers.
template <int side, int slices, int outputs>
__global__ void __launch_bounds__(ShellsProduct<side, slices, outputs>::threads, 2)
    ring_shells_float_kernel(const __grid_constant__ ShellsProduct<side, slices, outputs> p) {
  if constexpr (runs<side>()) shells_product(p);
}

template <int side, int outputs>
__global__ void __launch_bounds__(ShellsWeightTile<side, outputs>::threads, 2) ring_shells_float_backward_weight_kernel(
    const __grid_constant__ BackwardWeightProduct<typename ShellsWeightTile<side, outputs>::Gather> p) {
  if constexpr (runs<side>()) backward_weight_product<ShellsWeightTile<side, outputs>>(p);
}

}  // namespace

// launchers

bool ring_shells_forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                         const ProductShape& shape, const float* x, const ProductWeights& weights,
                         const Epilogue& epilogue, float* y) {
  return with_standard_shells(window, rings, shells_least_share, [&](auto side) {
    const auto launch_tile = [&](auto slices, auto outputs) {
      using Product = ShellsProduct<side, slices, outputs>;
      const size_t bytes = Product::shared_bytes();
      if (bytes > device.most_shared_bytes()) return false;
      const WindowWeights packed = packed_window_weights(device, shape, weights, outputs);
      const Product product(shape, window, x, packed, epilogue, y);
      launch(device, Kernel{"ring_shells_float_kernel", ring_shells_float_kernel<side, slices, outputs>},
             block_each(product.items(), Product::threads, bytes), product);
      return true;
    };
    constexpr std::integral_constant<int, 7> seven{};
    constexpr std::integral_constant<int, 8> eight{};
    constexpr std::integral_constant<int, product_outputs> many{};
    constexpr std::integral_constant<int, shells_few_outputs> few{};
    // What leaves less of the last slices empty, and of outputs. Where a GPU lacks the shared memory for eight there may be
    // enough for seven.
    const auto of_seven = static_cast<double>(7 * parts_of(window.out[0], 7)),
               of_eight = static_cast<double>(8 * parts_of(window.out[0], 8));
    if (shape.outputs <= few && of_seven <= shells_half_empty_cost * of_eight && launch_tile(seven, few)) return true;
    return (of_eight <= of_seven && launch_tile(eight, many)) || launch_tile(seven, many);
  });
}

bool ring_shells_backward_weight(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                                 const ProductShape& shape, const float* x, const float* dy, float* dv) {
  return with_standard_shells(window, rings, shells_least_share, [&](auto side) {
    // Of few outputs the product is in the way, but for large kernels.
    if (side == 3 && shape.outputs <= product_few_outputs) return false;
    const auto launch_tile = [&](auto outputs) {
      using Tile = ShellsWeightTile<side, outputs>;
      using Gather = typename Tile::Gather;
      const int slices = Gather::choose_slices(window, weight_tile_bytes<Tile, Gather>, device.most_shared_bytes());
      if (slices == 0) return false;
      const Gather gather(x, window, slices, shape.images, shape.groups * shape.channels);
      const Kernel kernel{"ring_shells_float_backward_weight_kernel",
                          ring_shells_float_backward_weight_kernel<side, outputs>};
      launch_backward_weight<Tile>(device, kernel, shape, gather, dy, dv);
      return true;
    };
    if (shape.outputs <= shells_few_outputs) return launch_tile(std::integral_constant<int, shells_few_outputs>{});
    return launch_tile(std::integral_constant<int, product_outputs>{});
  });
}

}  // namespace gmr::cuda
