#include "cuda/sums.h"
#include "ops/conv/conv_pointwise.cuh"
#include "ops/conv/pointwise_bfloat16.cuh"
#include "ops/conv/pointwise_float32.cuh"
#include "ops/conv/pointwise_weight.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The 2 in the bounds, two blocks on a multiprocessor, allows 255 registers.
template <int outputs, int columns>
__global__ void __launch_bounds__(FloatPointwiseTile<outputs, columns>::threads, 2)
    conv_pointwise_kernel(const __grid_constant__ FloatPointwiseProduct p) {
  pointwise_product<FloatPointwiseTile<outputs, columns>>(p);
}

template <int outputs>
__global__ void __launch_bounds__(PointwiseTile<outputs>::threads, PointwiseTile<outputs>::blocks)
    conv_pointwise_bfloat16_kernel(const __grid_constant__ Bfloat16Product<PointwiseGather> p) {
  pointwise_product<PointwiseTile<outputs>>(p);
}

template <typename Tile>
__global__ void __launch_bounds__(Tile::threads, 2)
    conv_pointwise_backward_weight_kernel(const __grid_constant__ PointwiseWeight<typename Tile::Element> p) {
  pointwise_weight<Tile>(p);
}

bool is_pointwise(const ProductShape& shape, const WindowGeometry& g) {
  if (shape.channels < pointwise_least_channels || shape.outputs < pointwise_least_outputs) return false;
  if (volume(g.kernel) != 1 || shape.out_plane < pointwise_least_plane) return false;
  for (int axis = 0; axis < 3; ++axis) {
    if (g.stride[axis] != 1 || g.spread[axis] != 1 || g.padding[axis] != 0 || g.in[axis] != g.out[axis]) return false;
  }
  return true;
}

template <int outputs, int columns>
void launch_pointwise(BackendDevice& device, const ProductShape& shape, const float* x, const ProductWeights& weights,
                      const Epilogue& epilogue, float* y) {
  using Tile = FloatPointwiseTile<outputs, columns>;
  const WindowWeights packed = packed_window_weights(device, shape, weights, outputs);
  const FloatPointwiseProduct product(shape, columns, x, packed, epilogue, y);
  launch(device, Kernel{"conv_pointwise_kernel", conv_pointwise_kernel<outputs, columns>},
         one_block_each(product.blocks, Tile::threads, Tile::shared_bytes), product);
}

template <int outputs>
void launch_pointwise(BackendDevice& device, const ProductShape& shape, const bfloat16* x,
                      const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y) {
  using Tile = PointwiseTile<outputs>;
  const PointwiseColumns columns(shape);
  const PointwiseGather gather{x, columns, columns.tiles(pointwise_columns),
                               pointwise_elements<bfloat16>(shape.in_plane, x),
                               std::min(4, pointwise_elements<bfloat16>(shape.out_plane, y))};
  const auto product = packed_product(device, outputs, shape, gather, weights, epilogue, y);
  launch(device, Kernel{"conv_pointwise_bfloat16_kernel", conv_pointwise_bfloat16_kernel<outputs>},
         one_block_each(product.items(), Tile::threads, Tile::shared_bytes), product);
}

template <typename Tile>
void launch_pointwise_weight(BackendDevice& device, PointwiseWeight<typename Tile::Element> gradient, float* dw) {
  sum_in_parts(device, gradient.splits, gradient.size(), dw, [&](float* partials) {
    gradient.partials = partials;
    launch(device, Kernel{"conv_pointwise_backward_weight_kernel", conv_pointwise_backward_weight_kernel<Tile>},
           one_block_each(gradient.blocks(), Tile::threads, pointwise_weight_bytes<Tile>), gradient);
  });
}

}  // namespace

// launchers

bool conv_pointwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const float* x,
                    const ProductWeights& weights, const Epilogue& epilogue, float* y) {
  if (!is_pointwise(shape, window)) return false;
  const auto cost = [&](int outputs, int columns, double each) {
    return pointwise_cost(shape, outputs, columns, each);
  };
  const double wide = cost(128, 128, float_pointwise_wide_cost), narrow = cost(64, 128, float_pointwise_cost),
               small = cost(64, 64, float_pointwise_cost);
  if (wide < std::min(narrow, small)) {
    launch_pointwise<128, 128>(device, shape, x, weights, epilogue, y);
  } else if (narrow <= small) {
    launch_pointwise<64, 128>(device, shape, x, weights, epilogue, y);
  } else {
    launch_pointwise<64, 64>(device, shape, x, weights, epilogue, y);
  }
  return true;
}

bool conv_pointwise(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape, const bfloat16* x,
                    const ProductWeights& weights, const Epilogue& epilogue, bfloat16* y) {
  if (!is_pointwise(shape, window)) return false;
  if (pointwise_cost(shape, 128, pointwise_columns, 1) <
      pointwise_cost(shape, 64, pointwise_columns, pointwise_narrow_cost)) {
    launch_pointwise<128>(device, shape, x, weights, epilogue, y);
  } else {
    launch_pointwise<64>(device, shape, x, weights, epilogue, y);
  }
  return true;
}

bool conv_pointwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const float* x, const float* dy, float* dw) {
  if (!is_pointwise(shape, window)) return false;
  using Tile = FloatPointwiseWeightTile;
  launch_pointwise_weight<Tile>(device, PointwiseWeight<float>(shape, Tile::columns, x, dy), dw);
  return true;
}

bool conv_pointwise_backward_weight(BackendDevice& device, const WindowGeometry& window, const ProductShape& shape,
                                    const bfloat16* x, const bfloat16* dy, float* dw) {
  if (!is_pointwise(shape, window)) return false;
  using Tile = PointwiseWeightTile;
  launch_pointwise_weight<Tile>(device, PointwiseWeight<bfloat16>(shape, Tile::columns, x, dy), dw);
  return true;
}

}  // namespace gmr::cuda
