#pragma once

namespace gmr::cuda {

// What an operand row and pixel of the product costs a block, in additions of ring sums: with a full tile 64
// multiply-adds, of which a multiprocessor does four in the time of one addition whose operands come from shared
// memory.
constexpr double ring_product_cost = 16;

// Columns of a tile that a thread makes, side by side in a row of outputs: what it moves in shared memory is 16 bytes,
// and what it works out about a place serves four columns.
constexpr int ring_columns = 4;

// Outputs that a tile must have: with fewer, ever more of the product's 64 columns are empty, and windows overlap so
// much that reading taps where they lie costs no more.
constexpr int ring_least_positions = 8;

}  // namespace gmr::cuda
