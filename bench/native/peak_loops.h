// Loops that do nothing but what a processor is good at, for the program that includes them, at its instruction-set
// level. In an unnamed namespace: a program may hold them at several levels, and the linker must not take one for all.
#pragma once

#include <cstdint>

#include "cpu/simd.h"

namespace gmr::bench {
namespace {

using cpu::lanes;
using cpu::load;
using cpu::store;
using cpu::Vector;

// Independent chains of dependent operations. Two pipes of latency 4 need 8; 12 leave room for longer latencies and,
// with the two operands, fit the 16 registers of AVX. On Zen 4, 8, 10, 12 and 13 all measured within 0.3 % of two
// operations of 256 bit (one of 512 bit) a cycle.
constexpr int chains = 12;
constexpr int steps_a_turn = 8;
constexpr double operations_a_turn = double{lanes} * chains * steps_a_turn;

// Numbers that the compiler cannot know, so that no operation is folded. They keep every chain finite and normal.
volatile float one = 1.0f;
volatile float tiny = 1e-12f;
volatile float sink;

inline Vector all(float value) { return Vector{} + value; }

// The compiler must take `v` for changed here, in a register: chains cannot be merged, folded or kept in memory.
inline void opaque(Vector& v) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(v));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(v));
#else
  asm volatile("" : "+m"(v));
#endif
}

// Applies `step` to every chain. Every loop over `chain` is unrolled in full: an index known only at run time would put
// the array, and with it all chains, in memory.
template <typename Step>
inline void run_chains(int64_t turns, Step step) {
  const Vector start = all(one);
  Vector chain[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) chain[i] = start;
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 8
    for (int s = 0; s < steps_a_turn; ++s) {
#pragma GCC unroll 16
      for (int i = 0; i < chains; ++i) chain[i] = step(chain[i]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) opaque(chain[i]);
  }
  Vector total = start;
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) total += chain[i];
  sink = total[0];
}

inline void multiply_adds(int64_t turns) {
  const Vector factor = all(one), term = all(tiny);
  run_chains(turns, [&](Vector v) { return v * factor + term; });
}

inline void additions(int64_t turns) {
  const Vector term = all(tiny);
  run_chains(turns, [&](Vector v) { return v + term; });
}

// Of a multiple of 4 vectors. Ordinary stores, as in the kernels: a line is read before it is written, though only read
// + written bytes are counted. The barrier in each turn keeps the compiler from turning the loop into memcpy, which
// would go round the caches.
inline void copy(float* to, const float* from, int64_t count) {
  for (int64_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + i + j * lanes, load(from + i + j * lanes));
    asm volatile("" ::: "memory");
  }
}

}  // namespace
}  // namespace gmr::bench
