#pragma once

#include <cstdint>
#include <memory>

#include "cpu/thread_pool.h"

namespace gmr::cpu {

enum class TapOrder { kept, reversed };

// [groups][outputs][channels][taps] to [groups][channels][outputs][taps].
inline std::unique_ptr<float[]> transpose_weight(const float* w, int64_t groups, int64_t outputs, int64_t channels,
                                                 int64_t taps, TapOrder order) {
  std::unique_ptr<float[]> result(new float[static_cast<size_t>(groups * outputs * channels * taps)]);
  // Columns of 16 outputs: their reads stay in cache while a row of the result is written.
  constexpr int64_t block = 16;
  const int64_t blocks = (outputs + block - 1) / block;
  parallel_for(groups * blocks, [&](int64_t task) {
    const int64_t group = task / blocks, first = task % blocks * block;
    const int64_t last = first + block < outputs ? first + block : outputs;
    const int64_t offset = group * outputs * channels * taps;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t o = first; o < last; ++o) {
        const float* from = w + offset + (o * channels + c) * taps;
        float* to = result.get() + offset + (c * outputs + o) * taps;
        if (order == TapOrder::kept) {
          for (int64_t t = 0; t < taps; ++t) to[t] = from[t];
        } else {
          for (int64_t t = 0; t < taps; ++t) to[t] = from[taps - 1 - t];
        }
      }
    }
  });
  return result;
}

}  // namespace gmr::cpu
