#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu/elementwise_tuning.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

// Calls f(plane, z, y) or f(plane, z, y, worker) for every row of planes of depth x height rows, some rows a task;
// `row_elements` is what a row costs.
template <typename F>
void parallel_rows(int64_t planes, int64_t depth, int64_t height, int64_t row_elements, F&& f) {
  const int64_t grain = std::max<int64_t>(1, elementwise_grain / std::max<int64_t>(1, row_elements));
  // Not inlined into the loop over tasks: registers are then given to the rows alone (11 % of a 3 x 3 max-pool).
  const auto rows = [&](int64_t begin, int64_t end, int worker) __attribute__((noinline)) {
    int64_t y = begin % height;
    int64_t z = begin / height % depth;
    int64_t plane = begin / height / depth;
    for (int64_t row = begin; row < end; ++row) {
      if constexpr (std::is_invocable_v<F&, int64_t, int64_t, int64_t, int>) {
        f(plane, z, y, worker);
      } else {
        f(plane, z, y);
      }
      if (++y < height) continue;
      y = 0;
      if (++z < depth) continue;
      z = 0;
      ++plane;
    }
  };
  parallel_ranges(planes * depth * height, grain, rows);
}

}  // namespace gmr::cpu
