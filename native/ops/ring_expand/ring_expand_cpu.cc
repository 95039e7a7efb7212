#include <algorithm>
#include <vector>

#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/rings.h"

namespace gmr::cpu {
namespace {

// The ring of each tap; taps in no ring have number `rings`, a place behind the others that is 0 or not looked at.
std::vector<int32_t> places_of_taps(const RingExpandGeometry& g) {
  if (g.rows == 0) return {};
  std::vector<int32_t> places = ring_indices(g.kernel, g.first_side, g.rings, g.circular);
  for (int32_t& place : places) place = place < 0 ? static_cast<int32_t>(g.rings) : place;
  return places;
}

int64_t rows_of_task(size_t taps) { return std::max<int64_t>(1, elementwise_grain / std::max<int64_t>(1, taps)); }

}  // namespace

void ring_expand_forward(const RingExpandForward& p) {
  const RingExpandGeometry& g = p.geometry;
  const std::vector<int32_t> places = places_of_taps(g);
  const auto taps = static_cast<int64_t>(places.size());
  parallel_ranges(g.rows, rows_of_task(places.size()), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* v = p.v + row * g.rings;
      float* y = p.y + row * taps;
      for (int64_t t = 0; t < taps; ++t) y[t] = places[t] < g.rings ? v[places[t]] : 0;
    }
  });
}

void ring_expand_backward_input(const RingExpandBackwardInput& p) {
  const RingExpandGeometry& g = p.geometry;
  const std::vector<int32_t> places = places_of_taps(g);
  const auto taps = static_cast<int64_t>(places.size());
  parallel_ranges(g.rows, rows_of_task(places.size()), [&](int64_t begin, int64_t end) {
    std::vector<double> sums(g.rings + 1);
    for (int64_t row = begin; row < end; ++row) {
      std::fill(sums.begin(), sums.end(), 0.0);
      const float* dy = p.dy + row * taps;
      for (int64_t t = 0; t < taps; ++t) sums[places[t]] += dy[t];
      for (int64_t l = 0; l < g.rings; ++l) p.dv[row * g.rings + l] = static_cast<float>(sums[l]);
    }
  });
}

}  // namespace gmr::cpu
