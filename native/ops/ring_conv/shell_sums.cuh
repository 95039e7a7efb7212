// Ring sums of standard 3-D kernels in registers: a thread has four neighbouring columns of a row of a channel and goes
// through the slices of their window. What a slice adds to the rings that meet it depends on the distance of the slice
// alone:
//   folds    f_b = x[row - b] + x[row + b]
//   atoms    sums of f_b[-a] + f_b[+a] over the taps (a, b) that have the same ring in every slice
//   shares   of a ring in a slice: a few atoms each
// and goes to the sums of all output slices that it belongs to, at once. Rings are never differences, so that they lose
// no digits. k = 9 takes 71 additions a voxel and slice, where its 145 row runs would be added one by one.
#pragma once

#include "cuda/bfloat16.cuh"
#include "cuda/shared_words.cuh"
#include "ops/ring_conv/standard_shells.h"

namespace gmr::cuda {

template <int side>
class ShellSums {
  using Shells = StandardShells<side>;

 public:
  static constexpr int half = Shells::half, rings = Shells::rings;
  static constexpr int columns = 4;
  static constexpr int margin = (half + 1) / 2 * 2;  // columns that are read to the left of the first
  static constexpr int window = 2 * margin + columns;

  // A row of bfloat16 that lies at an address of shared memory and a constant distance, in bytes.
  template <int distance>
  __device__ static void load_bfloat16(uint32_t address, float (&x)[window]) {
    unroll<window / 4>([&](auto i) {
      const uint2 words = load_two_words<distance + 8 * i>(address);
      x[4 * i] = first_of(words.x);
      x[4 * i + 1] = second_of(words.x);
      x[4 * i + 2] = first_of(words.y);
      x[4 * i + 3] = second_of(words.y);
    });
  }

  // Adds the next slice of the window. load(dy, x) brings its row `dy` below the outputs'; dy is a constant.
  template <typename Load>
  __device__ void add_slice(Load&& load) {
    float atom[atoms][columns];
    unroll<half + 1>([&](auto b) {
      float fold[window];
      load(b, fold);
      if constexpr (b > 0) {
        float above[window];
        load(std::integral_constant<int, -b>{}, above);
#pragma unroll
        for (int i = margin - half; i < margin + columns + half; ++i) fold[i] += above[i];
      }
      unroll<half + 1>([&](auto a) {
        constexpr int id = Shells::atom_of(a * a + b * b);
        if constexpr (id >= 0) {
          constexpr bool is_first = Shells::is_first_tap(a, b);
#pragma unroll
          for (int c = 0; c < columns; ++c) {
            const int centre = margin + c;
            const float value = a == 0 ? fold[centre] : fold[centre - a] + fold[centre + a];
            atom[id][c] = is_first ? value : atom[id][c] + value;
          }
        }
      });
    });
    next_slice([&](auto l, auto dz, int c) { return share<l, dz>(atom, c); });
  }

  // The same for a slice of zeros.
  __device__ void skip_slice() {
    next_slice([](auto, auto, int) { return 0.0f; });
  }

  static constexpr int reach(int l) { return Shells::reach(l); }

  // Of ring l about the slice that is reach(l) before the last one.
  __device__ const float (&sum(int l) const)[columns] { return sum_[l][0]; }

 private:
  static constexpr int atoms = Shells::atoms();

  // From the middle outwards, so that what several shares begin with is added once.
  template <int l, int dz>
  __device__ static float share(const float (&atom)[atoms][columns], int c) {
    float sum = 0;
    unroll<atoms>([&](auto i) {
      if constexpr (Shells::ring_of_atom(i, dz) == l) {
        constexpr bool is_first = i == Shells::first_atom(l, dz);
        sum = is_first ? atom[i][c] : sum + atom[i][c];
      }
    });
    return sum;
  }

  // Sums of ring l about 2 reach(l) + 1 slices, the first of which becomes whole.
  template <typename Share>
  __device__ void next_slice(Share&& share) {
    unroll<rings>([&](auto l) {
      constexpr int reach = Shells::reach(l);
      unroll<2 * reach + 1>([&](auto i) {
        constexpr int dz = i < reach ? reach - i : i - reach;
#pragma unroll
        for (int c = 0; c < columns; ++c) {
          const float value = share(l, std::integral_constant<int, dz>{}, c);
          if constexpr (i < 2 * reach) {
            sum_[l][i][c] = sum_[l][i + 1][c] + value;
          } else {
            sum_[l][i][c] = value;
          }
        }
      });
    });
  }

  float sum_[rings][2 * half + 1][columns] = {};
};

}  // namespace gmr::cuda
