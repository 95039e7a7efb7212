// Weights of a product in bfloat16, in the order in which its lanes want them (bfloat16_tile.cuh), with zeros where a
// tile of outputs or a chunk of rows is not full: so the product copies them as they are, 16 bytes at a time.
#include "cuda/bfloat16_product.cuh"

namespace gmr::cuda {
namespace {

// kernels

__global__ void pack_weights_kernel(const __grid_constant__ WeightPacking p) {
  for (int64_t i = first_item(); i < p.count; i += item_step()) {
    const int lane = static_cast<int>(i % warp_threads), g = lane / 4, t = lane % 4;
    const auto [steps, m_tile] = p.by_m_tiles.divide(i / warp_threads);
    const auto [chunks, step] = p.by_steps.divide(steps);
    const auto [parts, chunk] = p.by_chunks.divide(chunks);
    const auto [group, part] = p.by_parts.divide(parts);
    const int64_t output = (part * p.m_tiles + m_tile) * 16 + g;
    // Named, since clang before 16, with which the code is linted, captures no structured bindings by itself.
    const auto weight = [&, group = group, chunk = chunk, step = step](int64_t o, int k) {
      const int row = p.order.row(static_cast<int>(step) * bfloat16_depth + k);
      const int64_t all = chunk * p.order.chunk_depth + row;
      const bool is_there = o < p.outputs && row < p.order.chunk_depth && all < p.all_rows;
      return is_there ? p.weights.first_output(group, all)[o * p.weights.output_step] : 0;
    };
    const auto pair = [&](int64_t o, int k) { return rounded_pair(weight(o, k), weight(o, k + 1)); };
    reinterpret_cast<uint4*>(p.packed)[i] = {pair(output, 2 * t), pair(output + 8, 2 * t), pair(output, 2 * t + 8),
                                             pair(output + 8, 2 * t + 8)};
  }
}

}  // namespace

// launchers

void pack_weights(BackendDevice& device, const WeightPacking& packing) {
  launch(device, Kernel{"pack_weights_kernel", pack_weights_kernel}, thread_each(device, packing.count), packing);
}

}  // namespace gmr::cuda
