// Numbers below 1.2e-38 (denormals) count as zero where kernels run, as operands and as results. Processors compute with
// them in microcode: convolutions of nothing else took 75 to 200 times as long. Values this small mean nothing in a
// network, and come up where a signal dies out over many layers or a velocity decays.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace gmr::cpu {

// For the calling thread, until it goes.
class FlushDenormals {
 public:
  FlushDenormals() : before_(control()) { set_control(before_ | flush); }
  ~FlushDenormals() { set_control(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__x86_64__)
  using Control = uint32_t;
  static constexpr Control flush = 0x8040;  // results (FTZ) and operands (DAZ)
  static Control control() { return _mm_getcsr(); }
  static void set_control(Control value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Control = uint64_t;
  static constexpr Control flush = 1 << 24;  // FZ: both
  static Control control() {
    Control value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(Control value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Control = uint32_t;
  static constexpr Control flush = 0;  // as the processor does
  static Control control() { return 0; }
  static void set_control(Control) {}
#endif

  Control before_;
};

}  // namespace gmr::cpu
