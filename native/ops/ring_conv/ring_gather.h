// Ring sums on the CPU, built hierarchically for a box of output positions of one plane:
//   run_w  = x[-w] + ... + x[+w] along a row, each from the one before by two additions
//   disc_l = sum over the rows of the ball of rings 0..l of a run each (its half-width there)
//   s_l    = disc_l - disc_{l-1}
// in strips of one vector of columns, so that a strip's runs stay in the L1 cache.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "cpu/simd.h"
#include "cpu/window.h"
#include "ops/ring_conv/ring_conv.h"
#include "ops/rings.h"

namespace gmr::cpu {

// The half-width of disc l's run in row (tz, ty) of the kernel, or -1 where the disc does not reach.
class DiscTable {
 public:
  DiscTable(const std::array<int64_t, 3>& kernel, const RingKernel& rings);

  int64_t rings() const { return rings_; }
  int32_t half_width(int64_t l, int64_t tz, int64_t ty) const { return widths_[(l * sides_[0] + tz) * sides_[1] + ty]; }
  bool is_empty(int64_t l) const;  // ring l has no taps
  const std::array<int64_t, 3>& sides() const { return sides_; }

 private:
  std::array<int64_t, 3> sides_;
  int64_t rings_;
  std::vector<int32_t> widths_;
};

class RingGather {
 public:
  RingGather(const WindowGeometry& geometry, const RingKernel& rings);

  int64_t rows() const { return discs_.rings(); }
  int64_t scratch_floats(const Box& box) const {
    return window_.floats(box) + runs_floats(box) + static_cast<int64_t>(terms_.size());
  }
  void prepare(const Box& box, float* scratch) const;
  void gather(const float* plane, const Box& box, float* scratch, float* panel, int64_t pitch) const;

 private:
  struct Strip {
    const float* window;  // first column of the first row
    float* runs;
    const int32_t* offsets;  // of each term, in vectors, from the runs of the output row's first input row
    float* panel;            // first output column of the strip
    int64_t pitch;
  };

  // One run of a disc.
  struct Term {
    int32_t tz, ty, half_width;
  };

  int64_t runs_floats(const Box& box) const {
    return window_.rows(box, 0) * window_.rows(box, 1) * run_count_ * lanes + lanes;
  }
  template <int Lanes>
  void strip(const Box& box, const Strip& s) const;
  template <int Lanes>
  void make_runs(const Box& box, const Strip& s) const;
  template <int Lanes>
  void sum_discs(const Box& box, const Strip& s) const;
  template <int Lanes, int Side>
  void sum_discs_of_side(const Box& box, const Strip& s) const;

  Window window_;
  DiscTable discs_;
  std::vector<Term> terms_;            // of all discs that differ from the one before
  std::vector<int32_t> terms_end_;     // of each disc
  int64_t run_count_;   // half-widths 0..run_count - 1
  int special_side_;    // kernel side for which there is unrolled code, or 0
};

}  // namespace gmr::cpu
