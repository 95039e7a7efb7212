// Ring sums as differences of discs: disc l holds rings 0..l, and each row of it is a run about the row's centre. Host
// only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "ops/ring_conv/ring_conv.h"
#include "ops/rings.h"

namespace gmr {

// The half-width of disc l's run in row (tz, ty) of the kernel, or -1 where the disc does not reach.
class DiscTable {
 public:
  DiscTable(const std::array<int64_t, 3>& kernel, const RingKernel& rings)
      : sides_(kernel), rings_(rings.rings), widths_(static_cast<size_t>(rings.rings * kernel[0] * kernel[1]), -1) {
    const auto index = ring_indices(kernel, rings.first_side, rings.rings, rings.circular);
    const int64_t center = kernel[2] / 2, rows = kernel[0] * kernel[1];
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t w = 0; w <= center; ++w) {
        const int32_t ring = index[static_cast<size_t>(row * kernel[2] + center + w)];
        if (ring < 0) continue;
        for (int64_t l = ring; l < rings_; ++l) widths_[static_cast<size_t>(l * rows + row)] = static_cast<int32_t>(w);
      }
    }
  }

  int64_t rings() const { return rings_; }
  const std::array<int64_t, 3>& sides() const { return sides_; }
  int32_t half_width(int64_t l, int64_t tz, int64_t ty) const {
    return widths_[static_cast<size_t>((l * sides_[0] + tz) * sides_[1] + ty)];
  }
  bool is_empty(int64_t l) const {  // ring l has no taps
    const int64_t rows = sides_[0] * sides_[1];
    const auto begin = widths_.begin() + l * rows;
    if (l == 0) return std::all_of(begin, begin + rows, [](int32_t w) { return w < 0; });
    return std::equal(begin, begin + rows, begin - rows);
  }

 private:
  std::array<int64_t, 3> sides_;
  int64_t rings_;
  std::vector<int32_t> widths_;
};

}  // namespace gmr
