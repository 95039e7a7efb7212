// Ring sums of standard 3-D kernels for a strip of one vector of columns, whose window passes by slice by slice. What a
// slice adds to the rings that meet it depends on the distance of the slice alone:
//   folds    f_a = x[column - a] + x[column + a] of each row
//   atoms    sums of f_a[row - b] + f_a[row + b] over the taps (a, b) that have the same ring in every slice
//   shares   of a ring in a slice: a few atoms each
// and goes to the sums of all output slices that it belongs to, at once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/simd.h"
#include "cpu/unroll.h"
#include "ops/ring_conv/standard_shells.h"

namespace gmr::cpu {

template <int Lanes, int Side>
class ShellStrip {
  using Shells = StandardShells<Side>;
  using Lane = typename VectorOf<Lanes>::aligned;
  static constexpr int half = Shells::half;
  static constexpr int64_t fold_row = (half + 1) * Lanes;
  // Sums of ring l that are not complete: those of 2 reach(l) output slices.
  static constexpr int first(int l) { return l == 0 ? 0 : first(l - 1) + 2 * Shells::reach(l - 1); }
  static constexpr int64_t sums_row = first(Shells::rings) * Lanes;

 public:
  // Work space for so many rows of outputs.
  static constexpr int64_t floats(int64_t rows) { return (rows + 2 * half) * fold_row + rows * sums_row; }

  ShellStrip(int64_t rows, float* work) : rows_(rows), folds_(work), sums_(work + (rows + 2 * half) * fold_row) {
    std::fill_n(sums_, rows * sums_row, 0.0f);
  }

  // Takes the next slice of the window, of which `center` is the first row's first column under the kernel's middle.
  // The sum of ring l and row y about the slice that is reach(l) before this one is complete and goes to
  // emit(l, y, sum), rows in order.
  template <typename Emit>
  void add_slice(const float* center, int64_t pitch, Emit&& emit) {
    fold(center, pitch);
    for (int64_t y = 0; y < rows_; ++y) {
      Lane atoms[Shells::atoms()];
      sum_atoms(folds_ + (y + half) * fold_row, atoms);
      add_shares(y, emit, [&]<int l, int dz>() { return share<l, dz>(atoms); });
    }
  }

  // The same for a slice of zeros.
  template <typename Emit>
  void skip_slice(Emit&& emit) {
    for (int64_t y = 0; y < rows_; ++y) add_shares(y, emit, []<int l, int dz>() { return Lane{}; });
  }

 private:
  void fold(const float* center, int64_t pitch) {
    float* to = folds_;
    for (int64_t row = 0; row < rows_ + 2 * half; ++row, center += pitch, to += fold_row) {
      store<Lanes>(to, load<Lanes>(center));
      unroll<half>([&](auto i) {
        constexpr int a = i + 1;
        store<Lanes>(to + a * Lanes, load<Lanes>(center - a) + load<Lanes>(center + a));
      });
    }
  }

  static void sum_atoms(const float* middle, Lane (&atoms)[Shells::atoms()]) {
    unroll<half + 1>([&](auto b) {
      unroll<half + 1>([&](auto a) {
        constexpr int id = Shells::atom_of(a * a + b * b);
        if constexpr (id >= 0) {
          const float* tap = middle + a * Lanes;
          Lane value = load<Lanes>(tap - b * fold_row);
          if constexpr (b > 0) value += load<Lanes>(tap + b * fold_row);
          if constexpr (Shells::is_first_tap(a, b)) {
            atoms[id] = value;
          } else {
            atoms[id] += value;
          }
        }
      });
    });
  }

  // From the middle outwards, so that what several shares begin with is added once.
  template <int l, int dz>
  static Lane share(const Lane (&atoms)[Shells::atoms()]) {
    constexpr int first_atom = Shells::first_atom(l, dz);
    Lane sum = atoms[first_atom];
    unroll<Shells::atoms() - first_atom - 1>([&](auto i) {
      constexpr int atom = first_atom + 1 + i;
      if constexpr (Shells::ring_of_atom(atom, dz) == l) sum += atoms[atom];
    });
    return sum;
  }

  template <typename Emit, typename Share>
  void add_shares(int64_t y, Emit&& emit, Share&& share_of) {
    unroll<Shells::rings>([&](auto l) {
      constexpr int reach = Shells::reach(l);
      Lane complete = share_of.template operator()<l, reach>();
      if constexpr (reach > 0) {
        float* sums = sums_ + y * sums_row + first(l) * Lanes;
        complete += load<Lanes>(sums);
        unroll<2 * reach - 1>([&](auto i) {
          constexpr int dz = i < reach ? reach - 1 - i : i - reach + 1;
          store<Lanes>(sums + i * Lanes, load<Lanes>(sums + (i + 1) * Lanes) + share_of.template operator()<l, dz>());
        });
        store<Lanes>(sums + (2 * reach - 1) * Lanes, share_of.template operator()<l, reach>());
      }
      emit(l, y, complete);
    });
  }

  int64_t rows_;
  float* folds_;  // [window row][a][lane]
  float* sums_;   // [output row][sum][lane]
};

}  // namespace gmr::cpu
