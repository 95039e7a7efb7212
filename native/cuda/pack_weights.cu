// Weights of a product in bfloat16, in the order in which its lanes want them (bfloat16_tile.cuh), with zeros where a
// tile of outputs or a chunk of rows is not full: so the product copies them as they are, 16 bytes at a time.
#include "cuda/bfloat16_product.cuh"

namespace gmr::cuda {
namespace {

constexpr int pack_outputs = 16;  // of a fragment

// Elements from output to output of what a block has in shared memory, [16 outputs][rows of a panel].
__host__ __device__ int pack_pitch(const ChunkOrder& order) { return bfloat16_pitch(order.steps * bfloat16_depth); }

// Of that, and behind it the place of each operand row in the panel.
size_t pack_bytes(const ChunkOrder& order) {
  return size_t{pack_outputs} * pack_pitch(order) * sizeof(bfloat16) +
         size_t{bfloat16_depth} * order.steps * sizeof(int);
}

// kernels

// Weights are read in the order in which they lie, rows of an output one after the other or, transposed, outputs of a
// channel, so that whole sectors are used.
// The 16 in the bounds, blocks on a multiprocessor, allows 64 registers: left alone, ptxas spills for some targets.
__global__ void __launch_bounds__(pack_threads, 16) pack_weights_kernel(const __grid_constant__ WeightPacking p) {
  extern __shared__ float4 shared_memory[];
  const int pitch = pack_pitch(p.order);
  auto* tile = reinterpret_cast<bfloat16*>(shared_memory);
  auto* place = reinterpret_cast<int*>(tile + pack_outputs * pitch);
  const int depth = p.order.chunk_depth, rows = p.by_rows.divisor();
  const bool is_transposed = p.weights.output_step == rows && depth % rows == 0;
  if (p.order.steps * bfloat16_depth > depth) {  // else all of it is written
    for (int i = static_cast<int>(threadIdx.x); i < pack_outputs * pitch / 8; i += pack_threads) {
      reinterpret_cast<uint4*>(tile)[i] = {0, 0, 0, 0};
    }
  }
  for (int k = static_cast<int>(threadIdx.x); k < p.order.steps * bfloat16_depth; k += pack_threads) {
    place[p.order.row(k)] = k;  // of rows beyond a chunk's too, which nobody reads
  }
  for (int64_t item = blockIdx.x; item < p.blocks; item += gridDim.x) {
    const auto [chunks, m_tile] = p.by_m_tiles.divide(item);
    const auto [parts, chunk] = p.by_chunks.divide(chunks);
    const auto [group, part] = p.by_parts.divide(parts);
    const int64_t first_output = (part * p.m_tiles + m_tile) * pack_outputs, first_row = chunk * depth;
    const auto outputs = static_cast<int>(min(int64_t{pack_outputs}, p.outputs - first_output));
    const auto there = static_cast<int>(min(int64_t{depth}, p.all_rows - first_row));
    const int64_t step = p.weights.output_step;
    __syncthreads();
    if (is_transposed) {
      for (int i = static_cast<int>(threadIdx.x); i < pack_outputs * rows; i += pack_threads) {
        const int output = p.by_rows.divide(i), in_memory = i - output * rows;
        const int first = p.weights.is_reversed ? rows - 1 - in_memory : in_memory;
        const float* from = p.weights.first_output(group, first_row + first) + (first_output + output) * step;
        const int end = output < outputs ? there : 0;
        for (int row = first; row < depth; row += rows, from += p.weights.channel_step) {
          tile[output * pitch + place[row]] = rounded<bfloat16>(row < end ? *from : 0);
        }
      }
    } else {
      for (int row = static_cast<int>(threadIdx.x); row < depth; row += pack_threads) {
        const float* from = p.weights.first_output(group, first_row + row) + first_output * step;
        const int end = row < there ? outputs : 0;
        bfloat16* to = tile + place[row];
#pragma unroll
        for (int output = 0; output < pack_outputs; ++output, from += step) {
          to[output * pitch] = rounded<bfloat16>(output < end ? *from : 0);
        }
      }
    }
    __syncthreads();
    auto* packed = reinterpret_cast<uint4*>(p.packed) + (chunks * p.order.steps * p.m_tiles + m_tile) * warp_threads;
    for (int i = static_cast<int>(threadIdx.x); i < p.order.steps * warp_threads; i += pack_threads) {
      const int step = i / warp_threads, lane = i % warp_threads, g = lane / 4, t = lane % 4;
      const auto* upper = reinterpret_cast<const uint32_t*>(tile + g * pitch + step * bfloat16_depth) + t;
      const auto* lower = upper + 8 * pitch / 2;
      packed[step * p.m_tiles * warp_threads + lane] = {upper[0], lower[0], upper[4], lower[4]};
    }
    __syncthreads();
  }
}

// Chunks of more rows: a thread a lane's part of a fragment.
__global__ void pack_fragments_kernel(const __grid_constant__ WeightPacking p) {
  const int64_t count = p.blocks * p.order.steps * warp_threads;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const int lane = static_cast<int>(i % warp_threads), g = lane / 4, t = lane % 4;
    const auto [steps, m_tile] = p.by_m_tiles.divide(i / warp_threads);
    const auto [chunks, step] = p.by_steps.divide(steps);
    const auto [parts, chunk] = p.by_chunks.divide(chunks);
    const auto [group, part] = p.by_parts.divide(parts);
    const int64_t output = (part * p.m_tiles + m_tile) * pack_outputs + g;
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
  if (packing.order.steps * bfloat16_depth > pack_most_depth) {
    const int64_t fragments = packing.blocks * packing.order.steps * warp_threads;
    launch(device, Kernel{"pack_fragments_kernel", pack_fragments_kernel}, thread_each(device, fragments), packing);
    return;
  }
  launch(device, Kernel{"pack_weights_kernel", pack_weights_kernel},
         block_each(packing.blocks, pack_threads, pack_bytes(packing.order)), packing);
}

}  // namespace gmr::cuda
