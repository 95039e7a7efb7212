// What a device can do at most: the yardstick of the roofline.
#pragma once

#include <memory>

#include "library.h"

namespace gmr::profile {

// 1e9 a second; 0 where it was not measured.
struct Ceilings {
  double fma_gflops = 0;  // 2 operations a multiply-add
  double add_gadds = 0;
  double copy_gbs = 0;  // read + written bytes
  // Of tensor cores by mma.sync; what kernels of wgmma could have is more on sm_90.
  double mma_tf32_gflops = 0, mma_bf16_gflops = 0;
};

class CpuBurst;

class CeilingMeter {
 public:
  // Measures all of them, in about a second. Nothing is measured on the interpreter, whose time is not a GPU's.
  explicit CeilingMeter(const Device& device);
  ~CeilingMeter();

  const Ceilings& ceilings() const { return ceilings_; }

  // A processor's frequency moves with its load, by a quarter: its multiply-add ceiling is measured again next to each
  // sample, for half a millisecond. Elsewhere the one that was measured first. 1e9 operations a second.
  double fma_now();
  bool moves() const { return burst_ != nullptr; }

 private:
  std::unique_ptr<CpuBurst> burst_;
  Ceilings ceilings_;
};

}  // namespace gmr::profile
