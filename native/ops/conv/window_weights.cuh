// Weights in the order in which float32 products of chunks of 8 channels read them, so that they are copied 16 bytes at a
// time.
#pragma once

#include "cuda/implicit_product.cuh"

namespace gmr::cuda {

constexpr int float_window_channels = 8;  // of a chunk

// [group][part][chunk][row of a channel][8 channels][outputs of a part], with zeros where there is none. A row is a tap
// or a ring.
struct WindowWeights {
  ProductWeights weights;
  int64_t channels, outputs;     // of a group
  int64_t chunks, output_parts;  // a part has `tile` outputs
  int64_t row_blocks, output_blocks, items;
  int tile;
  Divisor by_row_blocks, by_output_blocks, by_tile;
  float* packed;

  static constexpr int block = 32;  // rows and outputs that a block of threads moves

  WindowWeights(const ProductShape& shape, const ProductWeights& weights, int tile, float* packed)
      : weights(weights),
        channels(shape.channels),
        outputs(shape.outputs),
        chunks((shape.channels + float_window_channels - 1) / float_window_channels),
        output_parts((shape.outputs + tile - 1) / tile),
        row_blocks((chunks * float_window_channels * weights.rows + block - 1) / block),
        output_blocks(output_parts * tile / block),
        items(shape.groups * output_blocks * row_blocks),
        tile(tile),
        by_row_blocks(row_blocks),
        by_output_blocks(output_blocks),
        by_tile(tile),
        packed(packed) {}

  int64_t size(int64_t groups) const {
    return groups * output_parts * chunks * weights.rows * float_window_channels * tile;
  }
};

// Queues the packing, for tiles of so many outputs. What is packed is working memory of this pass.
WindowWeights packed_window_weights(BackendDevice& device, const ProductShape& shape, const ProductWeights& weights,
                                    int tile);

}  // namespace gmr::cuda
