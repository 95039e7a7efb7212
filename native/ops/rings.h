// The rings of a kernel: which taps share a weight. Host only; all comparisons are between integers, so that every
// backend and every machine agrees on taps that lie exactly on an edge (d = 2.5 at the edge 2.5, say).
//
// A tap at offset t from the centre floor(k/2) has the distance d = |t|. With h = floor(k0/2), k0 the first axis's
// side:
//   circular: edges e_i = i (h + 1/2) / R; ring i holds e_i <= d < e_{i+1}; taps with d >= e_R belong to no ring.
//   square:   edges e_i = i d_max / (R - 1); the same, and the last ring holds the taps with d = d_max, the farthest.
//             One ring (R = 1) holds all taps. A kernel of one tap has d = d_max = 0: its tap is in the last ring.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace gmr {

// With these, the products below stay far inside 64 bits.
constexpr int64_t max_kernel_side = 2047;
constexpr int64_t max_ring_count = 2048;
// Tables over all taps stay small beside any tensor that such a kernel is of use for.
constexpr int64_t max_kernel_taps = int64_t{1} << 24;

// The ring of each tap in row-major order, -1 for none. Axes that the kernel lacks have side 1.
inline std::vector<int32_t> ring_indices(const std::array<int64_t, 3>& kernel, int64_t k0, int64_t ring_count,
                                         bool circular) {
  const auto square_of = [](int64_t a) { return a * a; };
  const int64_t farthest = square_of(kernel[0] / 2) + square_of(kernel[1] / 2) + square_of(kernel[2] / 2);
  // e_i <= d, squared and cleared of fractions.
  const auto reaches = [&](int64_t i, int64_t distance) {
    return circular ? 4 * square_of(ring_count) * distance >= square_of(i) * square_of(2 * (k0 / 2) + 1)
                    : square_of(ring_count - 1) * distance >= square_of(i) * farthest;
  };
  const int64_t last_edge = circular ? ring_count : ring_count - 1;
  const auto ring_of = [&](int64_t distance) -> int32_t {
    int64_t low = 0;
    int64_t high = last_edge;
    while (low < high) {  // the last edge that the tap reaches
      const int64_t middle = (low + high + 1) / 2;
      if (reaches(middle, distance)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low < ring_count ? static_cast<int32_t>(low) : -1;
  };
  std::vector<int32_t> rings;
  rings.reserve(static_cast<size_t>(kernel[0] * kernel[1] * kernel[2]));
  for (int64_t z = 0; z < kernel[0]; ++z) {
    for (int64_t y = 0; y < kernel[1]; ++y) {
      for (int64_t x = 0; x < kernel[2]; ++x) {
        rings.push_back(
            ring_of(square_of(z - kernel[0] / 2) + square_of(y - kernel[1] / 2) + square_of(x - kernel[2] / 2)));
      }
    }
  }
  return rings;
}

}  // namespace gmr
