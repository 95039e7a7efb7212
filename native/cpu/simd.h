// The compiler's vector types, as wide as the instruction-set level allows. Kernels are written once over these.
#pragma once

#include <cstdint>

#include "backend/element_type.h"

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

// The same of bfloat16: widened, and rounded as by to_element.
template <int Lanes>
struct BitsOf {
  typedef uint32_t words __attribute__((vector_size(Lanes * 4)));
  typedef uint16_t halves __attribute__((vector_size(Lanes * 2), aligned(2), may_alias));
};

template <int Lanes = lanes>
inline typename VectorOf<Lanes>::aligned load(const bfloat16* p) {
  using Words = typename BitsOf<Lanes>::words;
  using Halves = typename BitsOf<Lanes>::halves;
  return (typename VectorOf<Lanes>::aligned)(__builtin_convertvector(*reinterpret_cast<const Halves*>(p), Words) << 16);
}

template <int Lanes = lanes>
inline void store(bfloat16* p, typename VectorOf<Lanes>::aligned v) {
  using Words = typename BitsOf<Lanes>::words;
  using Halves = typename BitsOf<Lanes>::halves;
  const auto bits = (Words)v;
  const Words nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const Words upper = v != v ? bits >> 16 | 0x40u : nearest;
  *reinterpret_cast<Halves*>(p) = __builtin_convertvector(upper, Halves);
}

}  // namespace gmr::cpu
