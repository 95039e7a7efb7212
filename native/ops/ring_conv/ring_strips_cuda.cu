// Kernels of the standard 2-D ring convolutions of float32, and the choice of their strips.
#include "ops/ring_conv/ring_conv_float32.cuh"
#include "ops/ring_conv/ring_strips.cuh"

namespace gmr::cuda {
namespace {

// kernels

// The second bound, blocks on a multiprocessor, allows 168 or 255 registers: ptxas would spill for more blocks.
template <int side, int rows, int outputs>
__global__ void __launch_bounds__(StripsBlock<side, rows, outputs>::threads,
                                  side == 5 && outputs == product_outputs ? 3 : 2)
    ring_strips_kernel(const __grid_constant__ StripsProduct p) {
  strips_product<side, StripsBlock<side, rows, outputs>>(p);
}

struct Strips {
  const WindowGeometry& window;
  const ProductShape& shape;
  const float* x;
  const ProductWeights& weights;
  const Epilogue& epilogue;
  float* y;

  int64_t tiles(int rows) const {
    return (StripOrder::strips_of(window, shape.images, rows) + strips_a_tile - 1) / strips_a_tile;
  }

  template <int side, int rows, int outputs>
  void launch_tile(BackendDevice& device) const {
    using Block = StripsBlock<side, rows, outputs>;
    const WindowWeights packed = packed_window_weights(device, shape, weights, outputs);
    const StripsProduct product(shape, window, rows, x, packed, epilogue, y);
    launch(device, Kernel{"ring_strips_kernel", ring_strips_kernel<side, rows, outputs>},
           block_each(product.items(), Block::threads, Block::shared_floats * sizeof(float)), product);
  }

  // Ring sums are made anew for each tile of outputs, so that wide tiles save half of them.
  template <int side, int rows>
  void launch_rows(BackendDevice& device) const {
    const int64_t wide_parts = (shape.outputs + product_wide_outputs - 1) / product_wide_outputs;
    if (shape.outputs > product_outputs && tiles(rows) * shape.groups * wide_parts >= strips_least_wide_blocks) {
      launch_tile<side, rows, product_wide_outputs>(device);
    } else {
      launch_tile<side, rows, product_outputs>(device);
    }
  }

  template <int side>
  bool launch_side(BackendDevice& device, const DiscTable& discs) const {
    if (!StandardDiscs<side>::match(discs)) return false;
    const auto results = [&](int rows) {
      return StripOrder::strips_of(window, shape.images, rows) * strip_columns * rows;
    };
    const int64_t least = std::min(results(7), results(8));
    if (static_cast<double>(shape.images * shape.out_plane) < strips_least_share * static_cast<double>(least)) {
      return false;
    }
    // Of eight rows fewer windows overlap.
    if (results(8) == least) {
      launch_rows<side, 8>(device);
    } else {
      launch_rows<side, 7>(device);
    }
    return true;
  }
};

}  // namespace

// launchers

bool ring_strips_forward(BackendDevice& device, const WindowGeometry& window, const RingKernel& rings,
                         const ProductShape& shape, const float* x, const ProductWeights& weights,
                         const Epilogue& epilogue, float* y) {
  if (!is_plane(window) || window.out[2] < strips_least_columns || shape.outputs <= product_few_outputs) {
    return false;
  }
  const Strips strips{window, shape, x, weights, epilogue, y};
  const DiscTable discs(window.kernel, rings);
  return strips.launch_side<5>(device, discs) || strips.launch_side<9>(device, discs);
}

}  // namespace gmr::cuda
