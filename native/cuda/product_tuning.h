#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace gmr::cuda {

// A block makes outputs x pixels; each of its 256 threads 4 x 4 of them. Per operand row a warp then reads 3 wavefronts
// of shared memory for 16 multiply-adds a lane: the arithmetic is the limit, not shared memory.
constexpr int product_pixels = 64;
constexpr int product_outputs = 64;

// The same for groups of few outputs: one result a thread.
constexpr int product_few_outputs = 4;

// Operand rows that are in shared memory at a time: with the weights 17 KiB, so that what a gather needs fits beside
// them in the 48 KiB that every GPU gives.
constexpr int product_depth = 32;

// Floats from row to row of a tile: a multiple of four for 16-byte accesses, and four more than 64, so that eight lanes
// that read four floats each of eight rows meet 32 different banks.
constexpr int product_pitch = 68;
static_assert(product_pitch >= product_pixels && product_pitch % 4 == 0);

// Blocks that a weight gradient is cut into where there are pixels enough: several for each multiprocessor of the
// largest GPU. A constant, so that the order of additions does not depend on the GPU.
constexpr int64_t weight_gradient_blocks = 1024;

// Dynamic shared memory of a block.
constexpr int64_t product_shared_floats = 48 * 1024 / 4;

}  // namespace gmr::cuda
