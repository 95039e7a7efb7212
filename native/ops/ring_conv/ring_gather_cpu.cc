#include <algorithm>
#include <cstdlib>
#include <utility>

#include "cpu/simd.h"
#include "cpu/unroll.h"
#include "ops/ring_conv/ring_gather.h"
#include "ops/ring_conv/shell_strip.h"
#include "ops/ring_conv/standard_discs.h"

namespace gmr::cpu {
namespace {

template <int Lanes>
using Lane = typename VectorOf<Lanes>::aligned;

// Discs of a strip of columns, summed while its window rows pass by once, from top to bottom: all sums that are not
// complete stay in registers, and every run is used in the row where it was made.
template <int Lanes, int Side>
class RollingRings {
  using Discs = StandardDiscs<Side>;
  static constexpr int half = Discs::half;
  static constexpr int first(int l) { return l == 0 ? 0 : first(l - 1) + 2 * Discs::reach(l - 1); }
  static constexpr int incomplete = first(Discs::rings);

 public:
  // Sums, complete discs, a row's runs, and two to work with.
  static constexpr int registers = incomplete + Discs::rings + half + 1 + 2;

  // Takes the next window row, of which `center` is the first column under the kernel's middle. Ring l of output row y
  // is complete at window row y + half + reach(l), and goes to store(l, sum).
  template <typename Store>
  inline void add_row(const float* center, Store&& store) {
    Lane<Lanes> runs[half + 1];
    runs[0] = load<Lanes>(center);
    unroll<half>([&](auto i) { runs[i + 1] = runs[i] + (load<Lanes>(center - i - 1) + load<Lanes>(center + i + 1)); });
    Lane<Lanes> inner{};
    unroll<Discs::rings>([&](auto l) {
      constexpr int reach = Discs::reach(l);
      Lane<Lanes>* sums = sums_ + first(l);
      Lane<Lanes> disc = runs[Discs::half_width(l, reach)];
      if constexpr (reach > 0) {
        disc += sums[0];
        unroll<2 * reach - 1>(
            [&](auto i) { sums[i] = sums[i + 1] + runs[Discs::half_width(l, std::abs(reach - 1 - i))]; });
        sums[2 * reach - 1] = runs[Discs::half_width(l, reach)];
      }
      store(l, disc - inner);
      // Disc l of a row is complete one window row before ring l + 1 of it asks for it, or in the same.
      inner = Discs::reach(l + 1) > reach ? std::exchange(complete_[l], disc) : disc;
    });
  }

 private:
  Lane<Lanes> sums_[incomplete] = {};  // of disc l: the output rows that have met 1 to 2 reach(l) of their window rows
  Lane<Lanes> complete_[Discs::rings] = {};
};

// Disc l around the row whose runs are at `center`.
template <int Lanes, int Side, int l>
inline Lane<Lanes> standard_disc(const float* center) {
  using Discs = StandardDiscs<Side>;
  constexpr int64_t row = Discs::rings * Lanes;
  Lane<Lanes> sum = load<Lanes>(center + Discs::half_width(l, 0) * Lanes);
  unroll<Discs::half>([&](auto i) {
    constexpr int dy = i + 1;
    constexpr int width = Discs::half_width(l, dy);
    if constexpr (width >= 0) {
      sum += load<Lanes>(center - dy * row + width * Lanes) + load<Lanes>(center + dy * row + width * Lanes);
    }
  });
  return sum;
}

template <typename F>
bool with_plane_side(int64_t side, F&& f) {
  return with_side<3, 5, 7, 9, 11>(side, f);
}

}  // namespace

RingGather::RingGather(const WindowGeometry& geometry, const RingKernel& rings, bool may_use_shells)
    : g_(geometry), discs_(geometry.kernel, rings), run_pitch_((geometry.kernel[2] / 2 + 1) | 1) {
  const int64_t side = g_.kernel[2];
  if (g_.dilation[1] == 1 && g_.dilation[2] == 1 && g_.stride[1] == 1 && g_.stride[2] == 1) {
    with_plane_side(side, [&](auto s) { plane_side_ = StandardDiscs<s>::match(discs_) ? s : 0; });
    if (may_use_shells && g_.dilation[0] == 1 && g_.stride[0] == 1) {
      with_shell_side(side, [&](auto s) { volume_side_ = StandardShells<s>::match(discs_) ? s : 0; });
    }
  }
  if (volume_side_ > 0) return;
  for (int64_t l = 0; l < discs_.rings(); ++l) {
    for (int64_t row = 0; row < g_.kernel[0] * g_.kernel[1] && !discs_.is_empty(l); ++row) {
      const auto tz = static_cast<int32_t>(row / g_.kernel[1]), ty = static_cast<int32_t>(row % g_.kernel[1]);
      const int32_t width = discs_.half_width(l, tz, ty);
      if (width >= 0) terms_.push_back({tz, ty, width});
    }
    terms_end_.push_back(static_cast<int32_t>(terms_.size()));
  }
}

int64_t RingGather::work_floats(const Box& box) const {
  int64_t floats = 0;
  if (with_shell_side(volume_side_, [&](auto s) { floats = ShellStrip<lanes, s>::floats(box.extent(1)); }))
    return floats;
  const auto span = [&](int axis) {
    return (box.extent(axis) - 1) * g_.stride[axis] + (g_.kernel[axis] - 1) * g_.dilation[axis] + 1;
  };
  return span(0) * span(1) * run_pitch_ * lanes;
}

RingGather::AtBox::AtBox(const RingGather& gather, const Box& box, float* scratch)
    : gather_(gather),
      box_(box),
      window_(gather.g_, box, scratch),
      work_(scratch + Window::floats(gather.g_, box)),
      offsets_(reinterpret_cast<int32_t*>(work_ + gather.work_floats(box))) {
  for (size_t i = 0; i < gather.terms_.size(); ++i) {
    const Term& term = gather.terms_[i];
    const int64_t row = term.tz * gather.g_.dilation[0] * window_.rows_y() + term.ty * gather.g_.dilation[1];
    offsets_[i] = static_cast<int32_t>(row * gather.run_pitch_ + term.half_width);
  }
}

void RingGather::AtBox::sum_window(float* panel, int64_t pitch) const {
  const int64_t width = box_.extent(2);
  // From right to left: a strip that is wider than what is left of its rows spills into the first columns of the next
  // row, which the leftmost strip, from top to bottom, then writes.
  for (int64_t x = (width - 1) / lanes * lanes; x >= 0; x -= lanes) {
    const Strip s{window_.data() + x, panel + x, pitch};
    if constexpr (lanes > 4) {
      if (width - x <= lanes / 2) {
        fill_strip<lanes / 2>(s);
        continue;
      }
    }
    fill_strip<lanes>(s);
  }
}

template <int Lanes>
void RingGather::AtBox::fill_strip(const Strip& s) const {
  const auto sum_plane = [&]<int Side>(std::integral_constant<int, Side>) {
    if constexpr (RollingRings<Lanes, Side>::registers <= vector_registers) {
      sum_rings_of_side<Lanes, Side>(s);
    } else {
      make_runs_of_side<Lanes, Side>(s);
      sum_discs_of_side<Lanes, Side>(s);
    }
  };
  const auto sum_volume = [&]<int Side>(std::integral_constant<int, Side>) { sum_shells_of_side<Lanes, Side>(s); };
  if (with_plane_side(gather_.plane_side_, sum_plane) || with_shell_side(gather_.volume_side_, sum_volume)) return;
  make_runs<Lanes>(s);
  sum_discs<Lanes>(s);
}

template <int Lanes, int Side>
void RingGather::AtBox::sum_shells_of_side(const Strip& s) const {
  constexpr int half = Side / 2;
  const int64_t pitch = window_.row_pitch(), depth = box_.extent(0), height = box_.extent(1), width = box_.extent(2);
  const float* center = s.window + half;
  ShellStrip<Lanes, Side> strip(height, work_);
  for (int64_t z = -half; z < depth + half; ++z, center += window_.rows_y() * pitch) {
    const auto emit = [&](auto l, int64_t y, Lane<Lanes> sum) {
      const int64_t of = z - StandardShells<Side>::reach(l);
      if (of >= 0 && of < depth) store<Lanes>(s.panel + l * s.pitch + (of * height + y) * width, sum);
    };
    if (window_.has_slice(z + half)) {
      strip.add_slice(center, pitch, emit);
    } else {
      strip.skip_slice(emit);
    }
  }
}

template <int Lanes, int Side>
void RingGather::AtBox::sum_rings_of_side(const Strip& s) const {
  constexpr int half = Side / 2;
  const int64_t pitch = window_.row_pitch(), height = box_.extent(1), width = box_.extent(2);
  for (int64_t z = 0; z < box_.extent(0); ++z) {
    const float* center = s.window + z * gather_.g_.stride[0] * window_.rows_y() * pitch + half;
    RollingRings<Lanes, Side> rings;
    float* panel = s.panel + (z * height - half) * width;  // where ring 0 of this window row belongs
    for (int64_t row = -half; row < height + half; ++row, center += pitch, panel += width) {
      rings.add_row(center, [&](auto l, Lane<Lanes> sum) {
        constexpr int reach = StandardDiscs<Side>::reach(l);
        if (row >= reach && row - reach < height) store<Lanes>(panel + l * s.pitch - reach * width, sum);
      });
    }
  }
}

template <int Lanes, int Side>
void RingGather::AtBox::make_runs_of_side(const Strip& s) const {
  constexpr int half = Side / 2;
  const int64_t rows = window_.rows(), pitch = window_.row_pitch();
  const float* center = s.window + half;
  float* out = work_;
  for (int64_t row = 0; row < rows; ++row, center += pitch, out += (half + 1) * Lanes) {
    auto run = load<Lanes>(center);
    store<Lanes>(out, run);
    unroll<half>([&](auto i) {
      constexpr int w = i + 1;
      run += load<Lanes>(center - w) + load<Lanes>(center + w);
      store<Lanes>(out + w * Lanes, run);
    });
  }
}

template <int Lanes>
void RingGather::AtBox::make_runs(const Strip& s) const {
  const int64_t rows = window_.rows(), pitch = window_.row_pitch(), half = gather_.g_.kernel[2] / 2;
  for (int64_t row = 0; row < rows; ++row) {
    float* out = work_ + row * gather_.run_pitch_ * Lanes;
    const float* from = s.window + row * pitch;
    auto run = load<Lanes>(from + window_.tap_offset(half));
    store<Lanes>(out, run);
    out += Lanes;
    for (int64_t w = 1; w <= half; ++w, out += Lanes) {
      run += load<Lanes>(from + window_.tap_offset(half - w)) + load<Lanes>(from + window_.tap_offset(half + w));
      store<Lanes>(out, run);
    }
  }
}

// The standard kernels: all runs at compile-time offsets.
template <int Lanes, int Side>
void RingGather::AtBox::sum_discs_of_side(const Strip& s) const {
  using Discs = StandardDiscs<Side>;
  constexpr int64_t run_row = Discs::rings * Lanes;
  const auto& stride = gather_.g_.stride;
  float* panel = s.panel;
  for (int64_t z = 0; z < box_.extent(0); ++z) {
    const float* center = work_ + (z * stride[0] * window_.rows_y() + Discs::half) * run_row;
    for (int64_t y = 0; y < box_.extent(1); ++y, center += stride[1] * run_row, panel += box_.extent(2)) {
      Lane<Lanes> inner{};
      unroll<Discs::rings>([&](auto l) {
        const auto outer = standard_disc<Lanes, Side, l>(center);
        store<Lanes>(panel + l * s.pitch, outer - inner);
        inner = outer;
      });
    }
  }
}

// Any kernel, by table, for blocks of output rows: eight chains of additions hide their latency.
template <int Lanes>
void RingGather::AtBox::sum_discs(const Strip& s) const {
  const int64_t height = box_.extent(1);
  for (int64_t z = 0; z < box_.extent(0); ++z) {
    int64_t y = 0;
    for (; y + 8 <= height; y += 8) sum_discs_of_rows<Lanes, 8>(s, z, y);
    for (; y + 4 <= height; y += 4) sum_discs_of_rows<Lanes, 4>(s, z, y);
    for (; y < height; ++y) sum_discs_of_rows<Lanes, 1>(s, z, y);
  }
}

template <int Lanes, int Rows>
void RingGather::AtBox::sum_discs_of_rows(const Strip& s, int64_t z, int64_t y) const {
  const auto& stride = gather_.g_.stride;
  const int64_t run_row = gather_.run_pitch_ * Lanes, step = stride[1] * run_row, width = box_.extent(2);
  const float* base = work_ + (z * stride[0] * window_.rows_y() + y * stride[1]) * run_row;
  float* to = s.panel + (z * box_.extent(1) + y) * width;
  Lane<Lanes> inner[Rows] = {};
  int32_t term = 0;
  for (const int32_t end : gather_.terms_end_) {
    Lane<Lanes> outer[Rows] = {};
    if (term == end) std::copy_n(inner, Rows, outer);  // an empty ring
    for (; term < end; ++term) {
      const float* run = base + int64_t{offsets_[term]} * Lanes;
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) outer[i] += load<Lanes>(run + i * step);
    }
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      store<Lanes>(to + i * width, outer[i] - inner[i]);
      inner[i] = outer[i];
    }
    to += s.pitch;
  }
}

}  // namespace gmr::cpu
