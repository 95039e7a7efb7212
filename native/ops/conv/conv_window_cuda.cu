#include "cuda/sums.h"
#include "ops/conv/conv_window.cuh"
#include "ops/conv/window_weight.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds: at most 128 registers, so that two blocks of 256 threads are on a multiprocessor at a time.
template <int outputs, int pixels>
__global__ void __launch_bounds__(FloatWindowTile<outputs, pixels>::threads,
                                  512 / FloatWindowTile<outputs, pixels>::threads)
    conv_window_kernel(const __grid_constant__ WindowProduct p) {
  window_product<FloatWindowTile<outputs, pixels>>(p);
}

__global__ void __launch_bounds__(FloatWindowWeightTile::threads, 3)
    conv_window_backward_weight_kernel(const __grid_constant__ WindowWeightProduct p) {
  window_weight_product(p);
}

__global__ void __launch_bounds__(WindowWeights::threads)
    pack_window_weights_kernel(const __grid_constant__ WindowWeights p) {
  pack_window_weights(p);
}

template <int outputs, int pixels>
bool launch_window(BackendDevice& device, const WindowGeometry& geometry, const ProductShape& shape, const float* x,
                   const ProductWeights& weights, const Epilogue& epilogue, float* y) {
  using Tile = FloatWindowTile<outputs, pixels>;
  const TapWindowLimits limits{pixels,
                               Tile::lanes,
                               32,
                               Tile::places,
                               std::numeric_limits<int>::max(),
                               float_window_part_cost,
                               float_window_place_cost,
                               float_window_tap_cost * outputs * pixels};
  auto window = choose_tap_window(geometry, shape.images, shape.groups * shape.channels, limits,
                                  [](const TapWindow&) { return true; });
  if (!window) return false;
  window->table = device.table(window->make_table());
  const WindowWeights packing = packed_window_weights(device, shape, weights, outputs);
  const WindowProduct product{shape,
                              *window,
                              x,
                              packing.packed,
                              epilogue,
                              y,
                              packing.output_parts,
                              packing.chunks,
                              Divisor(packing.output_parts),
                              Divisor(shape.groups)};
  launch(device, Kernel{"conv_window_kernel", conv_window_kernel<outputs, pixels>},
         block_each(product.items(), Tile::threads, Tile::shared_floats * sizeof(float)), product);
  return true;
}

// Whether 16 neighbouring rows of a chunk meet a bank twice, under the largest part.
bool rows_meet_twice(const TapWindow& w, int channels, int channel_pitch) {
  const std::vector<int32_t> table = w.make_table();
  const int32_t* places = table.data() + 5 * w.parts;
  uint32_t met = 0;
  for (int row = 0; row < channels * w.most_taps; ++row) {
    const int place = row / w.most_taps * channel_pitch + places[row % w.most_taps];
    if (row % FloatWindowWeightTile::row_threads == 0) met = 0;
    const uint32_t bank = uint32_t{1} << (place % 32);
    if ((met & bank) != 0) return true;
    met |= bank;
  }
  return false;
}

// Channels of a chunk, and floats from one to the next: with the least padding of rows of the window and of channels
// with which neighbouring operand rows lie in different banks, or without padding where there is none.
std::pair<int, int> spread_rows(TapWindow& w, int64_t group_channels) {
  using Tile = FloatWindowWeightTile;
  const auto padded = [&](int extra) {
    TapWindow wider = w;
    wider.row_pitch += extra;
    wider.slice_pitch = wider.span[1] * wider.row_pitch;
    wider.image_pitch = wider.span[0] * wider.slice_pitch;
    wider.places = wider.box_images * wider.image_pitch;
    return wider;
  };
  const auto channels_of = [&](int pitch) {
    const int64_t fit =
        std::min({group_channels, int64_t{Tile::rows / w.most_taps}, int64_t{Tile::window_floats / pitch}});
    const int64_t chunks = (group_channels + fit - 1) / std::max<int64_t>(fit, 1);
    return static_cast<int>((group_channels + chunks - 1) / chunks);
  };
  const int all = channels_of(w.places);
  for (int row_extra = 0; row_extra < 8; ++row_extra) {
    const TapWindow wider = padded(row_extra);
    for (int extra = 0; extra < 32 && wider.places + extra <= Tile::window_floats / all; ++extra) {
      if (rows_meet_twice(wider, all, wider.places + extra)) continue;
      w = wider;
      return {all, w.places + extra};
    }
  }
  return {all, w.places};
}

}  // namespace

// launchers

WindowWeights packed_window_weights(BackendDevice& device, const ProductShape& shape, const ProductWeights& weights,
                                    int tile) {
  WindowWeights packing(shape, weights, tile, nullptr);
  packing.packed = static_cast<float*>(device.scratch(static_cast<size_t>(packing.size(shape.groups)) * sizeof(float)));
  launch(device, Kernel{"pack_window_weights_kernel", pack_window_weights_kernel},
         one_block_each(packing.blocks, WindowWeights::threads, packing.shared_bytes()), packing);
  return packing;
}

bool conv_window(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const float* x,
                 const ProductWeights& weights, const Epilogue& epilogue, float* y) {
  if (shape.channels < float_window_least_channels || shape.outputs < window_least_outputs ||
      volume(window.kernel) == 1)
    return false;
  const auto blocks = [&](int outputs, int pixels) {
    return (shape.images * shape.out_plane + pixels - 1) / pixels * shape.groups *
           ((shape.outputs + outputs - 1) / outputs);
  };
  if (shape.outputs > product_outputs && blocks(128, 112) >= window_least_blocks)
    return launch_window<128, 112>(device, window, shape, x, weights, epilogue, y);
  if (blocks(64, 224) >= window_least_blocks)
    return launch_window<64, 224>(device, window, shape, x, weights, epilogue, y);
  return launch_window<64, 112>(device, window, shape, x, weights, epilogue, y);
}

bool conv_window_backward_weight(BackendDevice& device, const WindowGeometry& geometry, const ProductShape& shape,
                                 const float* x, const float* dy, float* dw) {
  using Tile = FloatWindowWeightTile;
  if (volume(geometry.kernel) == 1 || shape.outputs < window_least_outputs) return false;
  const TapWindowLimits limits{Tile::pixels,
                               1,
                               1,
                               Tile::window_floats,
                               Tile::rows,
                               float_window_part_cost,
                               float_window_place_cost,
                               float_window_tap_cost * Tile::outputs * Tile::pixels};
  auto window = choose_tap_window(geometry, shape.images, shape.groups * shape.channels, limits,
                                  [](const TapWindow&) { return true; });
  if (!window) return false;
  const auto [channels, pitch] = spread_rows(*window, shape.channels);
  window->table = device.table(window->make_table());
  const int64_t parts = (shape.outputs + Tile::outputs - 1) / Tile::outputs;
  const int64_t chunks = (shape.channels + channels - 1) / channels * window->parts;
  const int64_t splits =
      std::clamp<int64_t>(float_window_weight_blocks / (shape.groups * parts * chunks), 1, window->tiles);
  const int64_t size = shape.groups * shape.outputs * shape.channels * window->taps;
  sum_in_parts(device, splits, size, dw, [&, channels = channels, pitch = pitch](float* partials) {
    const WindowWeightProduct product{shape,
                                      *window,
                                      x,
                                      dy,
                                      partials,
                                      channels,
                                      pitch,
                                      parts,
                                      chunks,
                                      splits,
                                      Divisor(parts),
                                      Divisor(chunks),
                                      Divisor(shape.groups)};
    launch(device, Kernel{"conv_window_backward_weight_kernel", conv_window_backward_weight_kernel},
           block_each(product.items(), Tile::threads, Tile::shared_floats * sizeof(float)), product);
  });
  return true;
}

}  // namespace gmr::cuda
