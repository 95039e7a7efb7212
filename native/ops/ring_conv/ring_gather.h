// Ring sums on the CPU, built hierarchically for a box of output positions of one plane, of standard 3-D kernels by shells
// (shell_strip.h), of all others by
//   run_w  = x[-w] + ... + x[+w] along a row, each from the one before by two additions
//   disc_l = sum over the rows of the ball of rings 0..l of a run each (its half-width there)
//   s_l    = disc_l - disc_{l-1}
// in strips of one vector of columns, so that a strip's runs stay in the L1 cache.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cpu/window.h"
#include "ops/ring_conv/disc_table.h"
#include "ops/ring_conv/ring_conv.h"

namespace gmr::cpu {

class RingGather {
 public:
  // Shells want deep tiles, in which runs of memory are short.
  RingGather(const WindowGeometry& geometry, const RingKernel& rings, bool may_use_shells = true);

  int64_t rows() const { return discs_.rings(); }
  std::array<int64_t, 2> halo() const {
    return {volume_side_ > 0 ? g_.kernel[0] - 1 : 0, (g_.kernel[1] - 1) * g_.dilation[1]};
  }
  int64_t scratch_floats(const Box& box) const {
    return Window::floats(g_, box) + work_floats(box) + static_cast<int64_t>(terms_.size());
  }

  class AtBox;
  AtBox at(const Box& box, float* scratch) const;

 private:
  // One run of a disc.
  struct Term {
    int32_t tz, ty, half_width;
  };

  int64_t work_floats(const Box& box) const;

  WindowGeometry g_;
  DiscTable discs_;
  std::vector<Term> terms_;         // of all discs that differ from the one before
  std::vector<int32_t> terms_end_;  // of each disc
  int64_t run_pitch_;  // vectors from one row's runs to the next: odd, so that a column of rows meets all cache sets
  // The side of a standard kernel for which there is unrolled code, in 2-D and, by shells, in 3-D, or 0.
  int plane_side_ = 0, volume_side_ = 0;
};

class RingGather::AtBox {
 public:
  AtBox(const RingGather& gather, const Box& box, float* scratch);

  template <typename Element>
  void operator()(const Element* plane, float* panel, int64_t pitch) const {
    window_.fill(plane);
    sum_window(panel, pitch);
  }

 private:
  // A strip of columns: where it starts in the window and in the panel.
  struct Strip {
    const float* window;
    float* panel;
    int64_t pitch;
  };

  void sum_window(float* panel, int64_t pitch) const;
  template <int Lanes>
  void fill_strip(const Strip& s) const;
  template <int Lanes, int Side>
  void sum_shells_of_side(const Strip& s) const;
  template <int Lanes, int Side>
  void sum_rings_of_side(const Strip& s) const;
  template <int Lanes, int Side>
  void make_runs_of_side(const Strip& s) const;
  template <int Lanes, int Side>
  void sum_discs_of_side(const Strip& s) const;
  template <int Lanes>
  void make_runs(const Strip& s) const;
  template <int Lanes>
  void sum_discs(const Strip& s) const;
  template <int Lanes, int Rows>
  void sum_discs_of_rows(const Strip& s, int64_t z, int64_t y) const;

  const RingGather& gather_;
  Box box_;
  Window window_;
  float* work_;       // a strip's runs, [window row][half-width][lane], or what a ShellStrip keeps
  int32_t* offsets_;  // of each term, in vectors, from the runs of the output row's first window row
};

inline RingGather::AtBox RingGather::at(const Box& box, float* scratch) const { return AtBox(*this, box, scratch); }

}  // namespace gmr::cpu
