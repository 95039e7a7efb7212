#pragma once

#include <cstdint>

namespace gmr::cuda {

// Elements that a warp, or a thread of a column, adds up before the sum is cut. A warp's 4096 elements are 128
// additions a lane, long enough to hide what the shuffles at the end cost; a column's rows are a cache line a warp
// each.
constexpr int64_t sum_row_piece = 4096;
constexpr int64_t sum_column_piece = 256;

// Rows of a column that a thread reads at once: columns may be few, so that latency is what they take.
constexpr int sum_rows_ahead = 4;

// Parts of a weight gradient of which eight warps add up a slice each: fewer take less time than the slices' sums.
constexpr int64_t sum_sliced_parts = 32;

}  // namespace gmr::cuda
