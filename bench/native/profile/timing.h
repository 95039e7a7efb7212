// Samples of one case.
#pragma once

#include <memory>
#include <vector>

#include "ceilings.h"
#include "library.h"

namespace gmr::profile {

struct TimingOptions {
  int repeat = 20;
  bool cold = false;   // caches are emptied before each sample, each call has tensors of its own
  bool graph = false;  // the calls of a sample are one graph
  bool nvtx = false;   // a range a case, and in it one a sample
};

struct Sample {
  double ms;          // a call
  double fma_gflops;  // the ceiling at that moment
};

struct Timing {
  std::vector<Sample> samples;
  int calls;                       // back to back in a sample
  std::vector<KernelUse> kernels;  // of one call

  double ms(double fraction) const;  // a quantile
  double fma_gflops() const;         // the median
};

double quantile(std::vector<double> values, double fraction);

class Timer {
 public:
  Timer(Device& device, CeilingMeter& meter, const TimingOptions& options);
  ~Timer();

  Timing time(const Case& c);

 private:
  class CacheFlush;

  Device& device_;
  CeilingMeter& meter_;
  TimingOptions options_;
  std::unique_ptr<CacheFlush> flush_;
};

}  // namespace gmr::profile
