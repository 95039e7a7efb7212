// Short loops on all threads at once. The threads sleep in between: they must not take cores from what is timed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "ceilings.h"
#include "cpu_peak_loops.h"

namespace gmr::profile {

class CpuBurst {
 public:
  CpuBurst(const std::string& level, int threads);  // as the kernels that are measured
  ~CpuBurst();
  CpuBurst(const CpuBurst&) = delete;
  CpuBurst& operator=(const CpuBurst&) = delete;

  Ceilings measure();
  double fma_gflops();  // of about half a millisecond

 private:
  // Seconds from the moment when all threads are there to the end of the last one's work(thread).
  double seconds(const std::function<void(int thread)>& work);
  double copy_gbs();
  void serve(int thread);
  void stop();

  const CpuPeakLoops& loops_;
  int threads_;
  int64_t turns_ = 0;       // of multiply_adds in half a millisecond
  double best_gflops_ = 0;  // of all bursts
  const std::function<void(int)>* work_ = nullptr;
  std::atomic<uint64_t> round_{0};
  std::atomic<int> arrived_{0}, done_{0};
  std::atomic<bool> go_{false}, stopped_{false};
  std::vector<std::thread> others_;
};

}  // namespace gmr::profile
