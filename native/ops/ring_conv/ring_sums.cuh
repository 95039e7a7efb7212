// Ring sums of standard 2-D kernels in registers: a thread has a few neighbouring columns of a channel and slides down
// the rows of their window. What a row adds to the rings that meet it,
//   pairs   e_w = x[-w] + x[+w]
//   runs    x[-w] + ... + x[+w], each from the one before
//   a ring's share   a run where the ring is whole, else the pairs between its inner and its outer disc
// goes to the sums of all output rows that it belongs to, at once; the row that completes a sum hands it out. Rings are
// never differences, so that they lose no digits.
#pragma once

#include "cuda/shared_words.cuh"
#include "ops/ring_conv/standard_discs.h"

namespace gmr::cuda {

// Of `columns` columns and `rows` rows of outputs. A row of the window has `margin` values, at least side / 2, to the
// left of the first column, and as many as are read to the right of the last.
template <int side, int columns, int rows, int margin>
class RingSums {
  using Discs = StandardDiscs<side>;

 public:
  static constexpr int half = Discs::half, rings = Discs::rings;
  static constexpr int window = (margin + columns + half + 1) / 2 * 2;  // columns that are read

  // load(r, x) brings row r of the window, which begins `half` rows above the outputs; store(l, y, sums) takes the sums
  // of ring l in row y. r, l and y are constants. Above `first` and from `end` on the window may be taken to be zeros:
  // what lies above or below the outputs is then left out.
  template <typename Load, typename Store>
  __device__ void make(int first, int end, Load&& load, Store&& store) {
    unroll<rows + 2 * half>([&](auto r) {
      const bool is_there = (r >= half || r >= first) && (r < rows || r < end);
      if (is_there) {
        float x[window];
        load(r, x);
        add_row<r>(x);
      } else {
        start_sums<r>();
      }
      unroll<rings>([&](auto l) {
        constexpr int y = r - half - Discs::reach(l);
        if constexpr (y >= 0 && y < rows) store(l, std::integral_constant<int, y>{}, sum_[l][y]);
      });
    });
  }

 private:
  // What a row of the window adds to a ring, for one column.
  struct Shares {
    float pair[half + 1], run[half + 1];

    __device__ Shares(const float (&x)[window], int column) {
      const int centre = margin + column;
      run[0] = x[centre];
#pragma unroll
      for (int w = 1; w <= half; ++w) {
        pair[w] = x[centre - w] + x[centre + w];
        run[w] = run[w - 1] + pair[w];
      }
    }

    // Between two half-widths.
    template <int inner, int outer>
    __device__ float between() const {
      if constexpr (inner < 0) {
        return run[outer];
      } else if constexpr (inner + 1 == outer) {
        return pair[outer];
      } else {
        return between<inner, outer - 1>() + pair[outer];
      }
    }
  };

  template <int r>
  __device__ void add_row(const float (&x)[window]) {
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      const Shares shares(x, c);
      unroll<rings>([&](auto l) {
        constexpr int reach = Discs::reach(l);
        unroll<2 * reach + 1>([&](auto i) {
          constexpr int dy = i - reach, y = r - half - dy, distance = dy < 0 ? -dy : dy;
          if constexpr (y >= 0 && y < rows) {
            constexpr int outer = Discs::half_width(l, distance);
            constexpr int inner = l == 0 ? -1 : Discs::half_width(l - 1, distance);
            const float share = shares.template between<inner, outer>();
            sum_[l][y][c] = dy == -reach ? share : sum_[l][y][c] + share;
          }
        });
      });
    }
  }

  // Zeros for the sums of which row r of the window is the first.
  template <int r>
  __device__ void start_sums() {
    unroll<rings>([&](auto l) {
      constexpr int y = r - half + Discs::reach(l);
      if constexpr (y >= 0 && y < rows) {
#pragma unroll
        for (int c = 0; c < columns; ++c) sum_[l][y][c] = 0;
      }
    });
  }

  float sum_[rings][rows][columns];
};

}  // namespace gmr::cuda
