#pragma once

#include <cstdint>

namespace gmr::cpu {

// Elements a task adds up: 64 KiB, some 3 microseconds. Longer sums are cut into pieces of this size.
constexpr int64_t reduce_grain = 16384;

// Columns that are summed side by side where the reduced axis is not the last: their double sums (1 KiB) stay in the
// first cache and a row's part is two cache lines or more, so that rows that lie far apart are still read at full
// speed.
constexpr int64_t reduce_columns = 128;

}  // namespace gmr::cpu
