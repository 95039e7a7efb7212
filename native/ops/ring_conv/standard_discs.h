// The discs of the standard 2-D kernel of a side (circular, side / 2 + 1 rings), known at compile time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>

#include "ops/conv/window_geometry.h"
#include "ops/ring_conv/disc_table.h"

namespace gmr {

// Whether a convolution is 2-D, at stride and dilation 1.
inline bool is_plane(const WindowGeometry& g) {
  for (int axis = 1; axis < 3; ++axis) {
    if (g.stride[axis] != 1 || g.dilation[axis] != 1 || g.spread[axis] != 1) return false;
  }
  return g.kernel[0] == 1 && g.in[0] == 1 && g.out[0] == 1 && g.padding[0] == 0;
}

template <int side>
struct StandardDiscs {
  static constexpr int half = side / 2;
  static constexpr int rings = half + 1;

  // Of disc l, dy rows above or below its middle; -1 where it does not reach.
  static constexpr int half_width(int l, int dy) {
    int width = -1;
    for (int dx = 0; dx <= half; ++dx) {
      const bool inside = 4 * rings * rings * (dy * dy + dx * dx) < (l + 1) * (l + 1) * side * side;  // d < e_{l+1}
      if (inside) width = dx;
    }
    return width;
  }

  // Rows above and below the middle that disc l has; at most one more than the disc before. Behind the last disc: its.
  static constexpr int reach(int l) {
    int rows = 0;
    while (rows < half && half_width(std::min(l, rings - 1), rows + 1) >= 0) ++rows;
    return rows;
  }

  static bool match(const DiscTable& table) {
    if (table.rings() != rings || table.sides() != std::array<int64_t, 3>{1, side, side}) return false;
    for (int l = 0; l < rings; ++l) {
      for (int ty = 0; ty < side; ++ty) {
        if (table.half_width(l, 0, ty) != half_width(l, std::abs(ty - half))) return false;
      }
    }
    return true;
  }
};

}  // namespace gmr
