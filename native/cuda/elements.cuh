// Elementwise kernels: 16 bytes an access where the operands allow it, in one pass over memory.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "cuda/bfloat16.cuh"
#include "cuda/launch.h"

namespace gmr::cuda {

template <int width>
struct alignas(4 * width) Pack {
  float v[width];
};

template <int width>
__device__ inline Pack<width> load_pack(const float* x) {
  if constexpr (width <= 4) {
    return *reinterpret_cast<const Pack<width>*>(x);
  } else {
    const Pack<4> first = load_pack<4>(x), second = load_pack<4>(x + 4);
    return {first.v[0], first.v[1], first.v[2], first.v[3], second.v[0], second.v[1], second.v[2], second.v[3]};
  }
}

template <int width>
__device__ inline void store_pack(float* y, const Pack<width>& pack) {
  if constexpr (width <= 4) {
    *reinterpret_cast<Pack<width>*>(y) = pack;
  } else {
    store_pack(y, Pack<4>{pack.v[0], pack.v[1], pack.v[2], pack.v[3]});
    store_pack(y + 4, Pack<4>{pack.v[4], pack.v[5], pack.v[6], pack.v[7]});
  }
}

// The words of `width` bfloat16.
template <int width>
struct alignas(2 * width) Pairs {
  uint32_t word[width / 2];
};

template <int width>
__device__ inline Pack<width> load_pack(const bfloat16* x) {
  Pack<width> pack;
  if constexpr (width == 1) {
    pack.v[0] = to_float(*x);
  } else {
    const auto pairs = *reinterpret_cast<const Pairs<width>*>(x);
#pragma unroll
    for (int i = 0; i < width; ++i) pack.v[i] = i % 2 == 0 ? first_of(pairs.word[i / 2]) : second_of(pairs.word[i / 2]);
  }
  return pack;
}

template <int width>
__device__ inline void store_pack(bfloat16* y, const Pack<width>& pack) {
  if constexpr (width == 1) {
    *y = rounded<bfloat16>(pack.v[0]);
  } else {
    Pairs<width> pairs;
#pragma unroll
    for (int i = 0; i < width; i += 2) pairs.word[i / 2] = rounded_pair(pack.v[i], pack.v[i + 1]);
    *reinterpret_cast<Pairs<width>*>(y) = pairs;
  }
}

// Sums of pieces, which only sums read.
template <int width>
struct alignas(8 * width) DoublePack {
  double v[width];
};

template <int width>
__device__ inline DoublePack<width> load_pack(const double* x) {
  return *reinterpret_cast<const DoublePack<width>*>(x);
}

template <int width>
using Width = std::integral_constant<int, width>;

// Elements of a group: 16 bytes of T.
template <typename T>
constexpr int group_width = 16 / sizeof(T);

// How many groups of T the operands, of `count` elements each, can be taken apart into; absent ones are nullptr.
template <typename T, typename... Operands>
int64_t groups_of(int64_t count, const Operands*... operands) {
  const bool aligned = (... && (reinterpret_cast<uintptr_t>(operands) % 16 == 0));
  return aligned ? count / group_width<T> : 0;
}

// Calls f(Width<w>()) with the widest pack that divides `length`, of rows that begin at multiples of it; w = 1 where
// none does or an operand is not aligned.
template <typename T, int width = group_width<T>, typename F, typename... Operands>
void with_pack_width(F&& f, int64_t length, const Operands*... operands) {
  if constexpr (width == 1) {
    f(Width<1>());
  } else if (length % width == 0 && groups_of<T>(group_width<T>, operands...) > 0) {
    f(Width<width>());
  } else {
    with_pack_width<T, width / 2>(std::forward<F>(f), length, operands...);
  }
}

// How many elements a tensor has, and how many of them, from the first on, lie in whole groups.
struct Grouping {
  int64_t count, whole;
};

template <typename T, typename... Operands>
Grouping grouping_of(int64_t count, const Operands*... operands) {
  return {count, groups_of<T>(count, operands...) * group_width<T>};
}

// The group that starts at `first`, a multiple of its width; zeros behind the tensor's end.
template <typename T>
__device__ inline auto load_group(const T* x, int64_t first, const Grouping& grouping) {
  constexpr int width = group_width<T>;
  if (first < grouping.whole) return load_pack<width>(x + first);
  decltype(load_pack<width>(x)) pack{};
#pragma unroll
  for (int k = 0; k < width; ++k) {
    if (first + k < grouping.count) pack.v[k] = load_pack<1>(x + first + k).v[0];
  }
  return pack;
}

// Which elements of a group lie in [begin, end) of the tensor: those of a row, which starts and ends anywhere.
template <typename T>
class GroupPart {
 public:
  GroupPart() = default;
  __device__ GroupPart(int64_t first, int64_t begin, int64_t end) {
    const int low = static_cast<int>(max(begin - first, int64_t{0}));
    const int high = static_cast<int>(min(end - first, int64_t{group_width<T>}));
    bits_ = high > low ? (1u << high) - (1u << low) : 0;
  }

  __device__ bool contains(int k) const { return (bits_ >> k & 1) != 0; }
  __device__ bool is_all() const { return bits_ == (1u << group_width<T>)-1; }

 private:
  uint32_t bits_;
};

// The elements of a group that lie in its part; the others are not touched.
template <typename T>
__device__ inline void store_group(T* y, int64_t first, const Grouping& grouping, const GroupPart<T>& part,
                                   const Pack<group_width<T>>& group) {
  if (part.is_all() && first < grouping.whole) return store_pack(y + first, group);
#pragma unroll
  for (int k = 0; k < group_width<T>; ++k) {
    if (part.contains(k)) y[first + k] = rounded<T>(group.v[k]);
  }
}

// Calls use(i, load(i)) for i = first, first + step, ... below end; what `at_once` of them read is on its way together.
template <int at_once, typename Index, typename Load, typename Use>
__device__ inline void load_ahead(Index first, Index step, Index end, Load&& load, Use&& use) {
  for (; first < end; first += at_once * step) {
    decltype(load(first)) loaded[at_once];
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      if (first + i * step < end) loaded[i] = load(first + i * step);
    }
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      if (first + i * step < end) use(first + i * step, loaded[i]);
    }
  }
}

// The launch for for_elements.
inline LaunchShape elements_shape(const BackendDevice& device, int64_t count, int64_t groups) {
  return thread_each(device, groups > 0 ? groups : count);
}

// Calls f(i, Width<group_width<T>>()) for the groups and f(i, Width<1>()) for what is left.
template <typename T, typename F>
__device__ inline void for_elements(int64_t count, int64_t groups, F&& f) {
  constexpr int width = group_width<T>;
  for (int64_t group = first_item(); group < groups; group += item_step()) f(width * group, Width<width>());
  for (int64_t i = width * groups + first_item(); i < count; i += item_step()) f(i, Width<1>());
}

}  // namespace gmr::cuda
