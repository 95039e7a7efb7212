#include "ops/conv/conv_cuda_tuning.h"
#include "ops/conv/conv_window.cuh"
#include "ops/conv/window_weight_bfloat16.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds, two blocks on a multiprocessor, allows 255 registers.
template <int outputs, int pixels, int output_warps>
__global__ void __launch_bounds__(window_threads, 2)
    conv_window_bfloat16_kernel(const __grid_constant__ Bfloat16Product<WindowGatherOf<pixels>> p) {
  window_product<WindowTile<outputs, pixels, output_warps>>(p);
}

__global__ void __launch_bounds__(window_threads, 3) conv_window_bfloat16_backward_weight_kernel(
    const __grid_constant__ BackwardWeightProduct<WindowWeightGather, bfloat16> p) {
  window_weight_product(p);
}

// Returns false where no window fits.
template <int outputs, int pixels, int output_warps>
bool launch_window(BackendDevice& device, const WindowGeometry& geometry, const ProductShape& shape, const bfloat16* x,
                   const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y) {
  using Tile = WindowTile<outputs, pixels, output_warps>;
  constexpr int weights_bytes = 2 * Tile::slice_taps * Tile::tap_elements * static_cast<int>(sizeof(bfloat16));
  const TapWindowLimits limits{
      pixels,         8, 8, window_most_places, std::numeric_limits<int>::max(), window_part_cost, window_place_cost,
      window_tap_cost};
  auto window = choose_tap_window(geometry, shape.images, shape.groups * shape.channels, limits, [](const auto& w) {
    return weights_bytes + WindowGather::bytes(w) <= window_shared_bytes;
  });
  if (!window) return false;
  window->table = device.table(window->make_table());
  const WindowGatherOf<pixels> gather(x, *window, weights_bytes);
  launch_bfloat16_forward(
      device, Kernel{"conv_window_bfloat16_kernel", conv_window_bfloat16_kernel<outputs, pixels, output_warps>},
      outputs, shape, gather, weights, epilogue, y);
  return true;
}

}  // namespace

// launchers

bool conv_window(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                 const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y) {
  if (shape.channels < window_least_channels || volume(window.kernel) == 1) return false;
  const auto blocks = [&](int outputs, int pixels) {
    return (shape.images * shape.out_plane + pixels - 1) / pixels * shape.groups *
           ((shape.outputs + outputs - 1) / outputs);
  };
  if (shape.outputs <= bfloat16_few_outputs)
    return launch_window<16, 224, 1>(device, window, shape, x, weights, epilogue, y);
  if (shape.outputs > product_outputs && blocks(128, 112) >= window_least_blocks)
    return launch_window<128, 112, 2>(device, window, shape, x, weights, epilogue, y);
  if (blocks(64, 224) >= window_least_blocks)
    return launch_window<64, 224, 1>(device, window, shape, x, weights, epilogue, y);
  return launch_window<64, 112, 2>(device, window, shape, x, weights, epilogue, y);
}

bool conv_window_backward_weight(BackendDevice& device, const WindowGeometry& geometry, const ProductShape& shape,
                                 const bfloat16* x, const bfloat16* dy, float* dw) {
  using Tile = WindowWeightTile;
  if (shape.channels < window_least_channels || volume(geometry.kernel) == 1) return false;
  constexpr int gradient_bytes = 2 * Tile::gradient_elements * static_cast<int>(sizeof(bfloat16));
  constexpr auto bytes = [](const TapWindow& w) {
    return gradient_bytes + WindowGather::bytes(w) + static_cast<int64_t>(sizeof(uint4));
  };
  const TapWindowLimits limits{Tile::pixels,      8, 8, window_most_places, Tile::taps, window_weight_part_cost,
                               window_place_cost, 0};
  auto window = choose_tap_window(geometry, shape.images, shape.groups * shape.channels, limits,
                                  [=](const TapWindow& w) { return bytes(w) <= window_shared_bytes; });
  if (!window) return false;
  window->table = device.table(window->make_table());
  const int64_t parts = (shape.outputs + Tile::outputs - 1) / Tile::outputs;
  const int64_t chunks = (shape.channels + window_channels - 1) / window_channels * window->parts;
  const int64_t splits = std::clamp<int64_t>(window_weight_blocks / (shape.groups * parts * chunks), 1, window->tiles);
  const int64_t all_rows = shape.channels * window->taps, size = shape.groups * shape.outputs * all_rows;
  const WindowWeightGather gather(x, *window, gradient_bytes);
  const auto shared_bytes = static_cast<size_t>(std::max<int64_t>(bytes(*window), Tile::sums_bytes));
  sum_in_parts(device, splits, size, dw, [&](float* partials) {
    const BackwardWeightProduct<WindowWeightGather, bfloat16> product{shape,
                                                                      gather,
                                                                      dy,
                                                                      partials,
                                                                      all_rows,
                                                                      size,
                                                                      parts,
                                                                      chunks,
                                                                      splits,
                                                                      1,
                                                                      Divisor(parts),
                                                                      Divisor(chunks),
                                                                      Divisor(shape.groups)};
    launch(device, Kernel{"conv_window_bfloat16_backward_weight_kernel", conv_window_bfloat16_backward_weight_kernel},
           block_each(product.items(), Tile::threads, shared_bytes), product);
  });
  return true;
}

}  // namespace gmr::cuda
