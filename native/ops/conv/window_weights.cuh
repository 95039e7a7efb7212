// Weights in the order in which float32 products of chunks of 8 channels read them, so that they are copied 16 bytes at a
// time.
#pragma once

#include "cuda/implicit_product.cuh"

namespace gmr::cuda {

constexpr int float_window_channels = 8;  // of a chunk

// [group][part][chunk][row of a channel][8 channels][outputs of a part], with zeros where there is none. A row is a tap
// or a ring.
struct WindowWeights {
  static constexpr int threads = 96;  // a thread eight weights of the 768 of three rings, 1280 of five, 2304 of 3 x 3
  static constexpr int block_outputs = 32, most_slab_rows = 32;

  ProductWeights weights;
  int64_t channels, outputs;     // of a group
  int64_t chunks, output_parts;  // a part has `tile` outputs
  int64_t blocks;                // of some rows of a chunk, for 32 outputs
  int tile, slab_rows;
  bool are_outputs_neighbours;  // in memory, else channels are
  int pitch;
  Divisor by_slabs, by_chunks, by_output_blocks, by_tile;
  SmallDivisor by_slab_rows;
  float* packed;

  WindowWeights(const ProductShape& shape, const ProductWeights& weights, int tile, float* packed)
      : weights(weights),
        channels(shape.channels),
        outputs(shape.outputs),
        chunks((shape.channels + float_window_channels - 1) / float_window_channels),
        output_parts((shape.outputs + tile - 1) / tile),
        blocks(0),
        tile(tile),
        slab_rows(0),
        are_outputs_neighbours(weights.output_step == weights.rows),
        pitch(0),
        by_slabs(1),
        by_chunks(chunks),
        by_output_blocks(output_parts * tile / block_outputs),
        by_tile(tile),
        by_slab_rows(1),
        packed(packed) {
    const int64_t slabs = (weights.rows + most_slab_rows - 1) / most_slab_rows;
    slab_rows = static_cast<int>((weights.rows + slabs - 1) / slabs);
    pitch = block_outputs + (are_outputs_neighbours ? columns_step(slab_rows) : slab_rows % 4 == 3 ? 3 : 1);
    blocks = shape.groups * (output_parts * tile / block_outputs) * chunks * slabs;
    by_slabs = Divisor(slabs);
    by_slab_rows = SmallDivisor(slab_rows);
  }

  // Of neighbours that a warp stores at a time row r of output o lies r steps and o banks further: all in different banks
  // where the step times an odd number of rows is 1 modulo 32 (s^8 = 1 for odd s), if so much fits.
  static int columns_step(int rows) {
    const int square = rows * rows % 32, inverse = square * square * square * rows % 32;
    return rows % 2 == 1 && rows <= 27 ? inverse : (warp_threads + rows - 1) / rows;
  }

  int64_t size(int64_t groups) const {
    return groups * output_parts * chunks * weights.rows * float_window_channels * tile;
  }
  size_t shared_bytes() const { return size_t{float_window_channels} * slab_rows * pitch * sizeof(float); }
};

// Queues the packing, for tiles of so many outputs. What is packed is working memory of this pass.
WindowWeights packed_window_weights(BackendDevice& device, const ProductShape& shape, const ProductWeights& weights,
                                    int tile);

#ifdef __CUDACC__
// A block reads weights as they lie, and writes outputs as they lie; in between they are [channel][row][output].
__device__ inline void pack_window_weights(const WindowWeights& p) {
  extern __shared__ float4 shared_memory[];
  auto* values = reinterpret_cast<float*>(shared_memory);
  const auto [of_slab, slab] = p.by_slabs.divide(blockIdx.x);
  const auto [of_chunk, chunk] = p.by_chunks.divide(of_slab);
  const auto [group, output_block] = p.by_output_blocks.divide(of_chunk);
  const int64_t all_rows = p.weights.rows, first_row = slab * p.slab_rows,
                first_channel = chunk * float_window_channels,
                first_output = output_block * WindowWeights::block_outputs;
  const auto rows = static_cast<int>(min(int64_t{p.slab_rows}, all_rows - first_row));
  const auto channels = static_cast<int>(min(int64_t{float_window_channels}, p.channels - first_channel));
  const auto outputs = static_cast<int>(min(int64_t{WindowWeights::block_outputs}, p.outputs - first_output));
  const int64_t first_in_memory = p.weights.is_reversed ? all_rows - first_row - rows : first_row;
  const float* first = p.weights.data + group * p.weights.group_step + first_channel * p.weights.channel_step +
                       first_output * p.weights.output_step + first_in_memory;

  // A thread has eight outputs of a channel, or eight channels of an output.
  constexpr int each = float_window_channels;
  const auto thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < WindowWeights::block_outputs * p.slab_rows; i += WindowWeights::threads) {
    const int place = p.by_slab_rows.divide(i), in_memory = i - place * p.slab_rows;
    if (in_memory >= rows) continue;
    const int row = p.weights.is_reversed ? rows - 1 - in_memory : in_memory;
    const int channel = p.are_outputs_neighbours ? 0 : place % each;
    const int output = p.are_outputs_neighbours ? place : place / each * each;
    const float* from = first + channel * p.weights.channel_step + output * p.weights.output_step + in_memory;
    float* to = values + (channel * p.slab_rows + row) * p.pitch + output;
    const int64_t step = p.are_outputs_neighbours ? p.weights.channel_step : p.weights.output_step;
    const int to_step = p.are_outputs_neighbours ? p.slab_rows * p.pitch : 1;
    const int further = p.are_outputs_neighbours ? channels : outputs - output;
    const int there = channel < channels && output < outputs ? further : 0;
#pragma unroll
    for (int k = 0; k < each; ++k) to[k * to_step] = k < there ? from[k * step] : 0;
  }
  __syncthreads();
  const auto [part, in_part] = p.by_tile.divide(first_output);
  const int64_t chunks = (group * p.output_parts + part) * p.chunks + chunk;
  float* to = p.packed + (chunks * all_rows + first_row) * each * p.tile + in_part + thread % warp_threads;
  for (int i = thread / warp_threads; i < rows * each; i += WindowWeights::threads / warp_threads) {
    to[int64_t{i} * p.tile] = values[(i % each * p.slab_rows + i / each) * p.pitch + thread % warp_threads];
  }
}
#endif

}  // namespace gmr::cuda
