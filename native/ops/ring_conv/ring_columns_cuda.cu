// Kernels of the standard 2-D ring convolutions of bfloat16, and the choice of their boxes.
#include "ops/ring_conv/ring_columns.cuh"
#include "ops/ring_conv/ring_conv_bfloat16.cuh"

namespace gmr::cuda {
namespace {

template <int outputs>
using ColumnsTile = Bfloat16Tile<outputs, columns_pixels, columns_threads>;

template <int side>
constexpr int chunk_rows = RingColumns<side, true>::panel_rows;
template <int side, int outputs>
constexpr int weight_chunks = std::max(columns_most_weight_sums * columns_threads / (outputs * chunk_rows<side>), 1);
template <int side, int outputs>
using ColumnsWeightTile =
    Bfloat16WeightTile<outputs, chunk_rows<side>, columns_pixels, columns_threads, weight_chunks<side, outputs>>;

// kernels

// The 2 in the bounds, two blocks on a multiprocessor, allows 255 registers: left alone, ptxas spills for some targets
// to have more blocks.
template <int side, int outputs>
__global__ void __launch_bounds__(columns_threads, 2)
    ring_columns_kernel(const __grid_constant__ Bfloat16Product<RingColumns<side, false>> p) {
  bfloat16_product<ColumnsTile<outputs>>(p);
}

template <int side, int outputs>
__global__ void __launch_bounds__(columns_threads, 2) ring_columns_backward_weight_kernel(
    const __grid_constant__ BackwardWeightProduct<RingColumns<side, true>, bfloat16> p) {
  backward_weight_product<ColumnsWeightTile<side, outputs>>(p);
}

// Calls f(std::integral_constant<int, side>) and returns true where there are kernels for the rings.
template <typename F>
bool with_side(const RingConvBfloat16& p, F&& f) {
  if (!is_plane(p.window) || p.shape.outputs <= bfloat16_few_outputs) {
    return false;
  }
  const DiscTable discs(p.window.kernel, p.rings);
  const auto try_side = [&](auto side) {
    if (!StandardDiscs<side>::match(discs)) return false;
    f(side);
    return true;
  };
  return try_side(std::integral_constant<int, 5>{}) || try_side(std::integral_constant<int, 9>{});
}

template <int side, bool is_masked>
RingColumns<side, is_masked> gather_of(const RingConvBfloat16& p) {
  const ProductShape& shape = p.shape;
  return {p.x,
          p.window,
          choose_columns_box(p.window, shape.images, side / 2 + 1),
          shape.images,
          shape.groups * shape.channels,
          shape.channels};
}

// Ring sums are made anew for each tile of outputs, so that wide tiles save half of them.
bool use_wide_tiles(const ProductShape& shape, int64_t tiles) {
  const int64_t wide_parts = (shape.outputs + product_wide_outputs - 1) / product_wide_outputs;
  return shape.outputs > product_outputs && tiles * shape.groups * wide_parts >= columns_least_wide_blocks;
}

}  // namespace

Box choose_columns_box(const WindowGeometry& g, int64_t images, int rings) {
  const auto parts = [](int64_t extent, int64_t part) { return static_cast<double>(parts_of(extent, part)); };
  Box best{};
  double least_cost = std::numeric_limits<double>::infinity();
  for (const int rows : {columns_most_rows, columns_most_rows - 1}) {
    for (int columns = 2; columns <= columns_most && rows * columns <= columns_pixels; columns += 2) {
      const bool is_whole = rows >= g.out[1] && columns >= g.out[2];
      const int window_rows = static_cast<int>(rows + g.kernel[1] - 1);
      const int fit = std::max(1, std::min({columns_most / columns, columns_pixels / (rows * columns),
                                            columns_most_window_rows / window_rows}));
      const int box_images = is_whole ? static_cast<int>(std::min<int64_t>(images, fit)) : 1;
      const double tiles = parts(images, box_images) * parts(g.out[1], rows) * parts(g.out[2], columns);
      const double cost =
          columns_row_cost * window_rows + columns_ring_cost * rings * rows + columns_product_cost * rings;
      if (tiles * cost >= least_cost) continue;
      least_cost = tiles * cost;
      best = {{1, rows, columns}, box_images, {}};
    }
  }
  return best;
}

// launchers

bool ring_columns_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                          const Epilogue& epilogue, bfloat16* y) {
  return with_side(p, [&](auto side) {
    const auto gather = gather_of<side, false>(p);
    const auto launch_tile = [&](auto outputs) {
      launch_bfloat16_forward(device, Kernel{"ring_columns_kernel", ring_columns_kernel<side, outputs>}, outputs,
                              p.shape, gather, weights, epilogue, y);
    };
    if (use_wide_tiles(p.shape, gather.tiles)) {
      launch_tile(std::integral_constant<int, product_wide_outputs>{});
    } else {
      launch_tile(std::integral_constant<int, product_outputs>{});
    }
  });
}

bool ring_columns_backward_weight(BackendDevice& device, const RingConvBfloat16& p, const bfloat16* dy, float* dv) {
  return with_side(p, [&](auto side) {
    const auto gather = gather_of<side, true>(p);
    const auto launch_tile = [&](auto outputs, int64_t splits) {
      const Kernel kernel{"ring_columns_backward_weight_kernel", ring_columns_backward_weight_kernel<side, outputs>};
      launch_backward_weight<ColumnsWeightTile<side, outputs>>(device, kernel, p.shape, gather, splits, dy, dv);
    };
    using Wide = ColumnsWeightTile<side, product_wide_outputs>;
    using Narrow = ColumnsWeightTile<side, product_outputs>;
    if (p.shape.outputs <= product_outputs) {
      launch_tile(std::integral_constant<int, product_outputs>{}, weight_cut<Narrow>(p.shape, gather).splits);
      return;
    }
    // Where wide tiles do not fit, narrow ones add up the same pieces.
    const int64_t splits = weight_cut<Wide>(p.shape, gather).splits;
    if (backward_weight_bytes<Wide>(gather) <= device.most_shared_bytes()) {
      launch_tile(std::integral_constant<int, product_wide_outputs>{}, splits);
    } else {
      launch_tile(std::integral_constant<int, product_outputs>{}, splits);
    }
  });
}

}  // namespace gmr::cuda
