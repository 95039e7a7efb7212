#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu/divide_up.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

enum class TapOrder { kept, reversed };

namespace detail {

template <TapOrder order, typename Count>
inline void copy_taps(float* to, const float* from, Count taps) {
  for (int64_t t = 0; t < taps; ++t) to[t] = from[order == TapOrder::kept ? t : taps - 1 - t];
}

}  // namespace detail

// [groups][outputs][channels][taps] to [groups][channels][outputs][taps], in the pass's working memory.
template <TapOrder order>
const float* transpose_weight(const float* w, int64_t groups, int64_t outputs, int64_t channels, int64_t taps) {
  float* result = pass_scratch(static_cast<size_t>(groups * outputs * channels * taps));
  // Outputs in blocks: the lines of a block's rows stay in cache from one channel to the next.
  constexpr int64_t block = 16, channels_ahead = 8;
  const int64_t blocks = divide_up(outputs, block);
  parallel_for(groups * blocks, [&](int64_t task) {
    const int64_t group = task / blocks, first = task % blocks * block;
    const int64_t last = first + block < outputs ? first + block : outputs;
    const int64_t offset = group * outputs * channels * taps;
    const auto transpose = [&](auto count) {
      for (int64_t c = 0; c < channels; ++c) {
        // Lines that are about to be written must be in the cache, and no prefetcher sees this pattern.
        const float* ahead = result + offset + (std::min(c + channels_ahead, channels - 1) * outputs + first) * count;
        for (int64_t i = 0; i < block * count; i += 16) __builtin_prefetch(ahead + i, 1);
        for (int64_t o = first; o < last; ++o) {
          detail::copy_taps<order>(result + offset + (c * outputs + o) * count, w + offset + (o * channels + c) * count,
                                   count);
        }
      }
    };
    switch (taps) {  // the compiler unrolls the copies of the common kernels
      case 1:
        return transpose(std::integral_constant<int64_t, 1>{});
      case 2:
        return transpose(std::integral_constant<int64_t, 2>{});
      case 3:
        return transpose(std::integral_constant<int64_t, 3>{});
      case 4:
        return transpose(std::integral_constant<int64_t, 4>{});
      case 5:
        return transpose(std::integral_constant<int64_t, 5>{});
      case 9:
        return transpose(std::integral_constant<int64_t, 9>{});
      default:
        return transpose(taps);
    }
  });
  return result;
}

}  // namespace gmr::cpu
