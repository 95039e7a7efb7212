#include "cpu_peak_loops.h"

#include "cpu/simd.h"

namespace gmr::profile {
namespace {

using cpu::lanes;
using cpu::load;
using cpu::store;
using cpu::Vector;

// Independent chains of dependent operations: two pipes of latency 4 need 8, 12 leave room for longer latencies and,
// with the operands, fit 16 registers.
constexpr int chains = 12;
constexpr int steps_a_turn = 8;
constexpr double operations_a_turn = double{lanes} * chains * steps_a_turn;

// Numbers that the compiler cannot know, so that nothing is folded. They keep every chain finite and normal.
volatile float one = 1.0f;
volatile float tiny = 1e-12f;
volatile float sink;

// The compiler must take `v` for changed here, in a register.
inline void opaque(Vector& v) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(v));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(v));
#else
  asm volatile("" : "+m"(v));
#endif
}

// `step` is applied to every chain; all inner loops are unrolled, so that chains stay in registers.
template <typename Step>
inline void run_chains(int64_t turns, Step step) {
  Vector chain[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) chain[i] = Vector{} + one;
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 8
    for (int s = 0; s < steps_a_turn; ++s) {
#pragma GCC unroll 16
      for (int i = 0; i < chains; ++i) chain[i] = step(chain[i]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) opaque(chain[i]);
  }
  Vector total = chain[0];
#pragma GCC unroll 16
  for (int i = 1; i < chains; ++i) total += chain[i];
  sink = total[0];
}

void multiply_adds(int64_t turns) {
  const Vector factor = Vector{} + one, term = Vector{} + tiny;
  run_chains(turns, [&](Vector v) { return v * factor + term; });
}

void additions(int64_t turns) {
  const Vector term = Vector{} + tiny;
  run_chains(turns, [&](Vector v) { return v + term; });
}

// Ordinary stores, as in the kernels; the barrier keeps the compiler from calling memcpy, which goes round the caches.
void copy(float* to, const float* from, int64_t count) {
  for (int64_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + i + j * lanes, load(from + i + j * lanes));
    asm volatile("" ::: "memory");
  }
}

}  // namespace

extern const CpuPeakLoops GMR_PEAK_LOOPS = {
    GMR_CPU_LEVEL, 2 * operations_a_turn, operations_a_turn, multiply_adds, additions, copy,
};

}  // namespace gmr::profile
