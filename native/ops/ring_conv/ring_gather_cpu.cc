#include "ops/ring_conv/ring_gather.h"

#include <algorithm>
#include <cstdlib>

namespace gmr::cpu {
namespace {

// The discs of the standard 2-D kernel of a side (circular, side / 2 + 1 rings), known at compile time.
template <int Side>
struct StandardDiscs {
  static constexpr int half = Side / 2;
  static constexpr int rings = half + 1;

  static constexpr int half_width(int l, int dy) {
    int width = -1;
    for (int dx = 0; dx <= half; ++dx) {
      const bool inside = 4 * rings * rings * (dy * dy + dx * dx) < (l + 1) * (l + 1) * Side * Side;  // d < e_{l+1}
      if (inside) width = dx;
    }
    return width;
  }

  static bool match(const DiscTable& table) {
    if (table.rings() != rings || table.sides() != std::array<int64_t, 3>{1, Side, Side}) return false;
    for (int l = 0; l < rings; ++l) {
      for (int ty = 0; ty < Side; ++ty) {
        if (table.half_width(l, 0, ty) != half_width(l, std::abs(ty - half))) return false;
      }
    }
    return true;
  }
};

template <int Lanes>
using Lane = typename VectorOf<Lanes>::aligned;

// Disc l around the row at `center`; rows of runs are `run_floats` apart.
template <int Lanes, int Side, int l>
inline Lane<Lanes> disc(const float* center) {
  using Discs = StandardDiscs<Side>;
  constexpr int64_t row = Discs::rings * Lanes;
  Lane<Lanes> sum = load<Lanes>(center + Discs::half_width(l, 0) * Lanes);
  [&]<int... I>(std::integer_sequence<int, I...>) {
    const auto add_rows = [&]<int dy>(std::integral_constant<int, dy>) {
      constexpr int width = Discs::half_width(l, dy);
      if constexpr (width >= 0) {
        sum += load<Lanes>(center - dy * row + width * Lanes) + load<Lanes>(center + dy * row + width * Lanes);
      }
    };
    (add_rows(std::integral_constant<int, I + 1>{}), ...);
  }(std::make_integer_sequence<int, Discs::half>{});
  return sum;
}

}  // namespace

DiscTable::DiscTable(const std::array<int64_t, 3>& kernel, const RingKernel& rings)
    : sides_(kernel), rings_(rings.rings), widths_(static_cast<size_t>(rings.rings * kernel[0] * kernel[1]), -1) {
  const auto index = ring_indices(kernel, rings.first_side, rings.rings, rings.circular);
  const int64_t center = kernel[2] / 2;
  for (int64_t row = 0; row < kernel[0] * kernel[1]; ++row) {
    for (int64_t w = 0; w <= center; ++w) {
      const int32_t ring = index[static_cast<size_t>(row * kernel[2] + center + w)];
      if (ring < 0) continue;
      for (int64_t l = ring; l < rings_; ++l) widths_[static_cast<size_t>(l * kernel[0] * kernel[1] + row)] = static_cast<int32_t>(w);
    }
  }
}

bool DiscTable::is_empty(int64_t l) const {
  const int64_t rows = sides_[0] * sides_[1];
  const auto begin = widths_.begin() + l * rows;
  if (l == 0) return std::all_of(begin, begin + rows, [](int32_t w) { return w < 0; });
  return std::equal(begin, begin + rows, begin - rows);
}

RingGather::RingGather(const WindowGeometry& geometry, const RingKernel& rings)
    : window_(geometry), discs_(geometry.kernel, rings), run_count_(geometry.kernel[2] / 2 + 1), special_side_(0) {
  if (geometry.dilation[1] == 1) {
    if (StandardDiscs<3>::match(discs_)) special_side_ = 3;
    if (StandardDiscs<5>::match(discs_)) special_side_ = 5;
    if (StandardDiscs<7>::match(discs_)) special_side_ = 7;
    if (StandardDiscs<9>::match(discs_)) special_side_ = 9;
    if (StandardDiscs<11>::match(discs_)) special_side_ = 11;
  }
  for (int64_t l = 0; l < discs_.rings(); ++l) {
    for (int64_t row = 0; row < geometry.kernel[0] * geometry.kernel[1] && !discs_.is_empty(l); ++row) {
      const auto tz = static_cast<int32_t>(row / geometry.kernel[1]), ty = static_cast<int32_t>(row % geometry.kernel[1]);
      const int32_t width = discs_.half_width(l, tz, ty);
      if (width >= 0) terms_.push_back({tz, ty, width});
    }
    terms_end_.push_back(static_cast<int32_t>(terms_.size()));
  }
}

void RingGather::prepare(const Box& box, float* scratch) const {
  window_.clear(box, scratch);
  const auto& g = window_.geometry();
  auto* offsets = reinterpret_cast<int32_t*>(scratch + window_.floats(box) + runs_floats(box));
  for (size_t i = 0; i < terms_.size(); ++i) {
    const Term& term = terms_[i];
    const int64_t row = term.tz * g.dilation[0] * window_.rows(box, 1) + term.ty * g.dilation[1];
    offsets[i] = static_cast<int32_t>(row * run_count_ + term.half_width);
  }
}

void RingGather::gather(const float* plane, const Box& box, float* scratch, float* panel, int64_t pitch) const {
  window_.fill(plane, box, scratch);
  float* runs = scratch + window_.floats(box);
  const auto* offsets = reinterpret_cast<const int32_t*>(runs + runs_floats(box));
  const int64_t width = box.extent(2);
  // From right to left: a strip that is wider than what is left of its rows spills into the first columns of the next row, which
  // the leftmost strip, from top to bottom, then writes.
  for (int64_t x = (width - 1) / lanes * lanes; x >= 0; x -= lanes) {
    const Strip s{scratch + x, runs, offsets, panel + x, pitch};
    if constexpr (lanes > 4) {
      if (width - x <= lanes / 2) {
        strip<lanes / 2>(box, s);
        continue;
      }
    }
    strip<lanes>(box, s);
  }
}

template <int Lanes>
void RingGather::strip(const Box& box, const Strip& s) const {
  make_runs<Lanes>(box, s);
  switch (special_side_) {
    case 3:
      return sum_discs_of_side<Lanes, 3>(box, s);
    case 5:
      return sum_discs_of_side<Lanes, 5>(box, s);
    case 7:
      return sum_discs_of_side<Lanes, 7>(box, s);
    case 9:
      return sum_discs_of_side<Lanes, 9>(box, s);
    case 11:
      return sum_discs_of_side<Lanes, 11>(box, s);
    default:
      return sum_discs<Lanes>(box, s);
  }
}

template <int Lanes>
void RingGather::make_runs(const Box& box, const Strip& s) const {
  const int64_t rows = window_.rows(box, 0) * window_.rows(box, 1), row_pitch = window_.row_pitch(box);
  const int64_t half = run_count_ - 1;
  float* out = s.runs;
  if (window_.geometry().stride[2] == 1) {
    const int64_t dilation = window_.geometry().dilation[2];
    for (int64_t row = 0; row < rows; ++row) {
      const float* center = s.window + row * row_pitch + half * dilation;
      auto run = load<Lanes>(center);
      store<Lanes>(out, run);
      out += Lanes;
      for (int64_t w = 1; w <= half; ++w, out += Lanes) {
        run += load<Lanes>(center - w * dilation) + load<Lanes>(center + w * dilation);
        store<Lanes>(out, run);
      }
    }
    return;
  }
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = s.window + row * row_pitch;
    auto run = load<Lanes>(from + window_.tap_offset(box, half));
    store<Lanes>(out, run);
    out += Lanes;
    for (int64_t w = 1; w <= half; ++w, out += Lanes) {
      run += load<Lanes>(from + window_.tap_offset(box, half - w)) + load<Lanes>(from + window_.tap_offset(box, half + w));
      store<Lanes>(out, run);
    }
  }
}

// Any kernel: the runs of a disc by table, four output rows at a time.
template <int Lanes>
void RingGather::sum_discs(const Box& box, const Strip& s) const {
  constexpr int block = 4;
  const auto& g = window_.geometry();
  const int64_t run_row = run_count_ * Lanes, step = g.stride[1] * run_row, width = box.extent(2);
  for (int64_t z = 0; z < box.extent(0); ++z) {
    for (int64_t y = 0; y < box.extent(1); y += block) {
      // The rows of a last, shorter block are made again rather than made one by one.
      const int64_t first = box.extent(1) < block ? y : std::min(y, box.extent(1) - block);
      const int64_t count = std::min<int64_t>(block, box.extent(1) - first);
      const float* base = s.runs + z * g.stride[0] * window_.rows(box, 1) * run_row + first * step;
      float* to = s.panel + (z * box.extent(1) + first) * width;
      Lane<Lanes> inner[block] = {};
      int32_t term = 0;
      for (int64_t l = 0; l < discs_.rings(); ++l, to += s.pitch) {
        Lane<Lanes> outer[block] = {};
        if (term == terms_end_[static_cast<size_t>(l)]) {  // an empty ring
          for (int64_t i = 0; i < count; ++i) store<Lanes>(to + i * width, Lane<Lanes>{});
          continue;
        }
        if (count == block) {
          for (; term < terms_end_[static_cast<size_t>(l)]; ++term) {
            const float* run = base + int64_t{s.offsets[term]} * Lanes;
#pragma GCC unroll 4
            for (int i = 0; i < block; ++i) outer[i] += load<Lanes>(run + i * step);
          }
        } else {
          for (; term < terms_end_[static_cast<size_t>(l)]; ++term) {
            const float* run = base + int64_t{s.offsets[term]} * Lanes;
            for (int64_t i = 0; i < count; ++i) outer[i] += load<Lanes>(run + i * step);
          }
        }
#pragma GCC unroll 4
        for (int i = 0; i < block; ++i) {
          if (i < count) store<Lanes>(to + i * width, outer[i] - inner[i]);
          inner[i] = outer[i];
        }
      }
    }
  }
}

// The standard kernels: all runs at compile-time offsets.
template <int Lanes, int Side>
void RingGather::sum_discs_of_side(const Box& box, const Strip& s) const {
  using Discs = StandardDiscs<Side>;
  constexpr int64_t run_row = Discs::rings * Lanes;
  const auto& stride = window_.geometry().stride;
  float* panel = s.panel;
  for (int64_t z = 0; z < box.extent(0); ++z) {
    const float* center = s.runs + (z * stride[0] * window_.rows(box, 1) + Discs::half) * run_row;
    for (int64_t y = 0; y < box.extent(1); ++y, center += stride[1] * run_row, panel += box.extent(2)) {
      Lane<Lanes> inner{};
      [&]<int... l>(std::integer_sequence<int, l...>) {
        const auto ring = [&]<int index>(std::integral_constant<int, index>) {
          const auto outer = disc<Lanes, Side, index>(center);
          store<Lanes>(panel + index * s.pitch, outer - inner);
          inner = outer;
        };
        (ring(std::integral_constant<int, l>{}), ...);
      }(std::make_integer_sequence<int, Discs::rings>{});
    }
  }
}

}  // namespace gmr::cpu
