// Kernels of the standard 2-D ring convolutions of bfloat16 whose boxes are whole rows.
#include "ops/ring_conv/ring_conv_bfloat16.cuh"
#include "ops/ring_conv/ring_rows.cuh"

namespace gmr::cuda {
namespace {

template <int width, typename Block = RowsBlock<width>>
using RowsTile =
    std::conditional_t<Block::streams_weights, Bfloat16StreamedTile<Block::outputs, Block::pixels, Block::threads>,
                       Bfloat16Tile<Block::outputs, Block::pixels, Block::threads, Block::output_warps>>;

// kernels

template <int side, int width>
__global__ void __launch_bounds__(RowsBlock<width>::threads, 1)
    ring_rows_kernel(const __grid_constant__ Bfloat16Product<RingRows<side, width>> p) {
  bfloat16_product<RowsTile<width>>(p);
}

template <int side, int width>
bool try_rows(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights, const Epilogue& epilogue,
              bfloat16* y) {
  using Gather = RingRows<side, width>;
  constexpr int outputs = RowsBlock<width>::outputs;
  const ProductShape& shape = p.shape;
  if (p.window.in[2] != width || shape.outputs < rows_least_outputs(outputs)) return false;
  if (!StandardDiscs<side>::match(DiscTable(p.window.kernel, p.rings))) return false;
  const Gather gather(p.x, shape.images, p.window.in[1], shape.groups * shape.channels);
  const int64_t parts = (shape.outputs + outputs - 1) / outputs;
  if (gather.tiles * shape.groups * parts < columns_least_wide_blocks) return false;
  if (forward_bytes(outputs, gather) > device.most_shared_bytes()) return false;
  launch_bfloat16_forward(device, Kernel{"ring_rows_kernel", ring_rows_kernel<side, width>}, outputs, shape, gather,
                          weights, epilogue, y);
  return true;
}

}  // namespace

// launchers

bool ring_rows_forward(BackendDevice& device, const RingConvBfloat16& p, const ProductWeights& weights,
                       const Epilogue& epilogue, bfloat16* y) {
  if (!is_same_plane(p.window)) return false;
  return try_rows<9, 56>(device, p, weights, epilogue, y) || try_rows<9, 28>(device, p, weights, epilogue, y) ||
         try_rows<5, 14>(device, p, weights, epilogue, y);
}

}  // namespace gmr::cuda
