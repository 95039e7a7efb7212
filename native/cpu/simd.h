// The compiler's vector types, as wide as the instruction-set level allows. Kernels are written once over these.
#pragma once

#include <cstdint>
#include <utility>

namespace gmr::cpu {

template <int Lanes>
struct VectorOf {
  typedef float aligned __attribute__((vector_size(Lanes * 4)));
  typedef float unaligned __attribute__((vector_size(Lanes * 4), aligned(4), may_alias));
};

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif

using Vector = VectorOf<lanes>::aligned;

template <int Lanes = lanes>
inline typename VectorOf<Lanes>::aligned load(const float* p) {
  return *reinterpret_cast<const typename VectorOf<Lanes>::unaligned*>(p);
}

template <int Lanes = lanes>
inline void store(float* p, typename VectorOf<Lanes>::aligned v) {
  *reinterpret_cast<typename VectorOf<Lanes>::unaligned*>(p) = v;
}

namespace detail {

// From vectors whose lanes form groups of `Group`, one or the other half of each group, a's groups first.
template <int Lanes, int Group, bool Upper, int... I>
inline typename VectorOf<Lanes>::aligned group_halves(typename VectorOf<Lanes>::aligned a,
                                                      typename VectorOf<Lanes>::aligned b,
                                                      std::integer_sequence<int, I...>) {
  constexpr int half = Group / 2;
  return __builtin_shufflevector(a, b, (I / half * Group + (Upper ? half : 0) + I % half)...);
}

// Sums of groups of `Group` lanes of each vector, side by side in v[0] at last.
template <int Lanes, int Group, int Count>
inline void fold_groups(typename VectorOf<Lanes>::aligned* v) {
  if constexpr (Group > 1) {
    constexpr auto all = std::make_integer_sequence<int, Lanes>{};
#pragma GCC unroll 8
    for (int i = 0; i < Count / 2; ++i) {
      v[i] = group_halves<Lanes, Group, false>(v[2 * i], v[2 * i + 1], all) +
             group_halves<Lanes, Group, true>(v[2 * i], v[2 * i + 1], all);
    }
    fold_groups<Lanes, Group / 2, Count / 2>(v);
  }
}

}  // namespace detail

// sums[i] = the sum of v[i]'s lanes. Folding `lanes` vectors together takes three instructions a vector, one by one
// three times that. Leaves v changed.
template <int Count>
inline void sum_lanes(Vector (&v)[Count], float* sums) {
  for (int first = 0; first < Count; first += lanes) {
    Vector block[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) block[i] = first + i < Count ? v[first + i] : Vector{};
    detail::fold_groups<lanes, lanes, lanes>(block);
    float out[lanes];
    store(out, block[0]);
    for (int i = 0; i < lanes && first + i < Count; ++i) sums[first + i] = out[i];
  }
}

}  // namespace gmr::cpu
