// The taps of each ring of a kernel, as a table for TapGather. Host only.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ops/rings.h"

namespace gmr::cuda {

inline std::vector<int32_t> taps_of_rings(const std::array<int64_t, 3>& kernel, int64_t first_side, int64_t rings,
                                          bool circular) {
  const std::vector<int32_t> ring_of = ring_indices(kernel, first_side, rings, circular);
  std::vector<int32_t> table(static_cast<size_t>(rings) + 1);
  for (int64_t l = 0; l < rings; ++l) {
    table[l] = static_cast<int32_t>(table.size());
    for (size_t t = 0; t < ring_of.size(); ++t) {
      if (ring_of[t] != l) continue;
      const auto tap = static_cast<int64_t>(t);
      for (const int64_t at : {tap / (kernel[1] * kernel[2]), tap / kernel[2] % kernel[1], tap % kernel[2]}) {
        table.push_back(static_cast<int32_t>(at));
      }
    }
  }
  table[rings] = static_cast<int32_t>(table.size());
  return table;
}

}  // namespace gmr::cuda
