// Loops that do nothing but what a processor is good at, compiled once for each instruction-set level, as the kernels
// are. Short enough to be timed between the samples of a case.
#pragma once

#include <cstdint>

namespace gmr::profile {

struct CpuPeakLoops {
  const char* level;
  double flops_a_turn;      // of multiply_adds
  double additions_a_turn;  // of additions
  void (*multiply_adds)(int64_t turns);
  void (*additions)(int64_t turns);
  void (*copy)(float* to, const float* from, int64_t count);  // of a multiple of 64 elements
};

#if defined(__x86_64__)
extern const CpuPeakLoops cpu_peak_loops_v2, cpu_peak_loops_v3, cpu_peak_loops_v4;
#else
extern const CpuPeakLoops cpu_peak_loops_portable;
#endif

}  // namespace gmr::profile
