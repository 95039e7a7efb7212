#include <vector>

#include "cuda/divisor.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "ops/rings.h"

namespace gmr::cuda {
namespace {

// The taps of each ring: those of ring l are table[table[l] .. table[l + 1]].
std::vector<int32_t> taps_by_ring(const RingExpandGeometry& g) {
  const std::vector<int32_t> rings = ring_indices(g.kernel, g.first_side, g.rings, g.circular);
  std::vector<int32_t> table(static_cast<size_t>(g.rings) + 1);
  for (int64_t l = 0; l < g.rings; ++l) {
    table[l] = static_cast<int32_t>(table.size());
    for (size_t t = 0; t < rings.size(); ++t) {
      if (rings[t] == l) table.push_back(static_cast<int32_t>(t));
    }
  }
  table[g.rings] = static_cast<int32_t>(table.size());
  return table;
}

// kernels

__global__ void ring_expand_forward_kernel(const float* v, float* y, int64_t count, int64_t rings,
                                           const int32_t* ring_of, Divisor by_taps) {
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const auto [row, tap] = by_taps.divide(i);
    const int32_t ring = ring_of[tap];
    y[i] = ring >= 0 ? v[row * rings + ring] : 0;
  }
}

__global__ void ring_expand_backward_input_kernel(const float* dy, float* dv, int64_t count, int64_t taps,
                                                  const int32_t* taps_of, Divisor by_rings) {
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const auto [row, ring] = by_rings.divide(i);
    double sum = 0;
    for (int32_t at = taps_of[ring]; at < taps_of[ring + 1]; ++at) sum += dy[row * taps + taps_of[at]];
    dv[i] = static_cast<float>(sum);
  }
}

}  // namespace

// launchers

void ring_expand_forward(BackendDevice& device, const RingExpandForward& p) {
  const RingExpandGeometry& g = p.geometry;
  if (g.rows == 0) return;
  const std::vector<int32_t> rings = ring_indices(g.kernel, g.first_side, g.rings, g.circular);
  const auto taps = static_cast<int64_t>(rings.size());
  launch(device, Kernel{"ring_expand_forward_kernel", ring_expand_forward_kernel}, thread_each(device, g.rows * taps),
         p.v, p.y, g.rows * taps, g.rings, device.table(rings), Divisor(taps));
}

void ring_expand_backward_input(BackendDevice& device, const RingExpandBackwardInput& p) {
  const RingExpandGeometry& g = p.geometry;
  if (g.rows == 0) return;
  const int64_t taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  launch(device, Kernel{"ring_expand_backward_input_kernel", ring_expand_backward_input_kernel},
         thread_each(device, g.rows * g.rings), p.dy, p.dv, g.rows * g.rings, taps, device.table(taps_by_ring(g)),
         Divisor(g.rings));
}

}  // namespace gmr::cuda
