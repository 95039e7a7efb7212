// The shells of the standard 3-D kernel of a side (circular, side / 2 + 1 rings), known at compile time: which ring a tap
// is of, and which taps of a slice always belong together.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "ops/conv/window_geometry.h"
#include "ops/ring_conv/disc_table.h"

namespace gmr {

template <int side>
struct StandardShells {
  static constexpr int half = side / 2;
  static constexpr int rings = half + 1;

  // Of a tap at a squared distance; -1: none.
  static constexpr int ring_of(int distance) {
    int ring = 0;
    while (ring < rings && 4 * rings * rings * distance >= (ring + 1) * (ring + 1) * side * side) ++ring;
    return ring < rings ? ring : -1;
  }

  // Slices before and behind the middle that ring l has.
  static constexpr int reach(int l) {
    int slices = 0;
    for (int distance = 0; distance <= 3 * half * half; ++distance) {
      for (int dz = 0; dz <= half && dz * dz <= distance; ++dz) {
        if (ring_of(distance) == l && is_sum_of_two(distance - dz * dz) && dz > slices) slices = dz;
      }
    }
    return slices;
  }

  // Taps at a squared distance within their slice are of one atom with those of the next distance where both have the
  // same ring in every slice. Atoms are numbered from the middle outwards; -1: of none.
  static constexpr int atom_of(int in_slice) {
    if (ring_of(in_slice) < 0) return -1;
    int atom = -1, last = -1;
    for (int distance = 0; distance <= in_slice; ++distance) {
      if (!is_sum_of_two(distance)) continue;
      if (last < 0 || !are_alike(last, distance)) ++atom;
      last = distance;
    }
    return atom;
  }
  static constexpr int atoms() {
    int most = 0;
    for (int distance = 0; distance <= 2 * half * half; ++distance) {
      if (is_sum_of_two(distance) && atom_of(distance) > most) most = atom_of(distance);
    }
    return most + 1;
  }

  // Whether a tap is the first of its atom, row by row from the middle outwards.
  static constexpr bool is_first_tap(int a, int b) {
    for (int y = 0; y <= b; ++y) {
      for (int x = 0; x <= half && (y < b || x < a); ++x) {
        if (atom_of(x * x + y * y) == atom_of(a * a + b * b)) return false;
      }
    }
    return true;
  }

  // The ring of an atom in a slice dz before or behind the middle; -1: none.
  static constexpr int ring_of_atom(int atom, int dz) {
    int distance = 0;
    while (!is_sum_of_two(distance) || atom_of(distance) != atom) ++distance;
    return ring_of(distance + dz * dz);
  }

  // The innermost atom of ring l in such a slice.
  static constexpr int first_atom(int l, int dz) {
    int atom = 0;
    while (ring_of_atom(atom, dz) != l) ++atom;
    return atom;
  }

  static bool match(const DiscTable& table) {
    if (table.rings() != rings || table.sides() != std::array<int64_t, 3>{side, side, side}) return false;
    for (int l = 0; l < rings; ++l) {
      for (int z = -half; z <= half; ++z) {
        for (int y = -half; y <= half; ++y) {
          int width = -1;
          for (int x = 0; x <= half; ++x) {
            const int ring = ring_of(z * z + y * y + x * x);
            if (ring >= 0 && ring <= l) width = x;
          }
          if (table.half_width(l, z + half, y + half) != width) return false;
        }
      }
    }
    return true;
  }

 private:
  // Whether a tap of a slice is at that squared distance.
  static constexpr bool is_sum_of_two(int distance) {
    for (int y = 0; y <= half; ++y) {
      for (int x = 0; x <= y; ++x) {
        if (y * y + x * x == distance) return true;
      }
    }
    return false;
  }
  static constexpr bool are_alike(int a, int b) {
    for (int dz = 0; dz <= half; ++dz) {
      if (ring_of(a + dz * dz) != ring_of(b + dz * dz)) return false;
    }
    return true;
  }
};

// Calls f(std::integral_constant<int, side>) where `side` is one of Sides, and returns whether it is.
template <int... Sides, typename F>
bool with_side(int64_t side, F&& f) {
  return ((side == Sides && (f(std::integral_constant<int, Sides>{}), true)) || ...);
}

// The sides that the processor sums by shells.
template <typename F>
bool with_shell_side(int64_t side, F&& f) {
  return with_side<3, 5, 7, 9>(side, f);
}

// Calls f(std::integral_constant<int, side>) and returns what it returns, where there are CUDA kernels for the convolution:
// the standard one of a side of 3, 5 or 9, at stride and dilation 1, of volumes that fill enough of their tiles.
template <typename F>
bool with_standard_shells(const WindowGeometry& g, const RingKernel& rings, double least_share, F&& f) {
  constexpr int64_t tile = 4;  // along each axis
  double share = 1;
  for (int axis = 0; axis < 3; ++axis) {
    if (g.stride[axis] != 1 || g.dilation[axis] != 1 || g.spread[axis] != 1) return false;
    const int64_t covered = (g.out[axis] + tile - 1) / tile * tile;
    share *= static_cast<double>(g.out[axis]) / static_cast<double>(covered);
  }
  if (share < least_share) return false;
  bool is_done = false;
  with_side<3, 5, 9>(g.kernel[2],
                     [&](auto side) { is_done = StandardShells<side>::match(DiscTable(g.kernel, rings)) && f(side); });
  return is_done;
}

}  // namespace gmr
