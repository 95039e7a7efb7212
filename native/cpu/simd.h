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

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int vector_registers = 32;
#else
constexpr int vector_registers = 16;
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

}  // namespace gmr::cpu
