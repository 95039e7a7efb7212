// The compiler's vector types, as wide as the instruction-set level allows. Kernels are written once over these.
#pragma once

#include <cstdint>

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

template <int Lanes = lanes>
inline typename VectorOf<Lanes>::aligned splat(float s) {
  return typename VectorOf<Lanes>::aligned{} + s;
}

// The sum of a vector's lanes, by halves.
template <int Lanes = lanes>
inline float sum(typename VectorOf<Lanes>::aligned v) {
  float part[Lanes];
  store<Lanes>(part, v);
  for (int half = Lanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) part[i] += part[i + half];
  }
  return part[0];
}

}  // namespace gmr::cpu
