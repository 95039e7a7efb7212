#include "cpu_burst.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

namespace gmr::profile {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double burst_seconds = 0.5e-3;
constexpr int rounds = 10;

// Frequencies move by a quarter. A burst that is slower than that has lost its core to another process: once more.
constexpr double least_plausible = 0.7;
constexpr int most_attempts = 5;

// Two arrays of this size are beyond any cache that a core reaches.
constexpr int64_t array_bytes = int64_t{192} << 20;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

const CpuPeakLoops& loops_of(const std::string& level) {
#if defined(__x86_64__)
  for (const CpuPeakLoops* loops : {&cpu_peak_loops_v2, &cpu_peak_loops_v3, &cpu_peak_loops_v4}) {
    if (level == loops->level) return *loops;
  }
#else
  if (level == cpu_peak_loops_portable.level) return cpu_peak_loops_portable;
#endif
  throw std::logic_error("no loops for the level " + level);
}

// Spins, and lets others run where there are fewer cores than threads.
template <typename Condition>
void spin_until(Condition&& condition) {
  for (int spins = 0; !condition(); ++spins) {
    if (spins > 1000) std::this_thread::yield();
  }
}

struct Free {
  void operator()(float* data) const { std::free(data); }
};
using Array = std::unique_ptr<float, Free>;

Array allocate() {
  Array array(static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(array_bytes))));
  if (array == nullptr) throw std::bad_alloc();
  return array;
}

}  // namespace

CpuBurst::CpuBurst(const std::string& level, int threads) : loops_(loops_of(level)), threads_(threads) {
  try {
    for (int thread = 1; thread < threads; ++thread) others_.emplace_back([this, thread] { serve(thread); });
  } catch (...) {
    stop();
    throw;
  }
  for (turns_ = 100;; turns_ *= 2) {
    const auto start = Clock::now();
    loops_.multiply_adds(turns_);
    const double took = since(start);
    if (took < burst_seconds) continue;
    turns_ = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(turns_) * burst_seconds / took));
    return;
  }
}

CpuBurst::~CpuBurst() { stop(); }

void CpuBurst::stop() {
  stopped_ = true;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& other : others_) other.join();
}

void CpuBurst::serve(int thread) {
  for (uint64_t seen = 0;;) {
    round_.wait(seen);
    seen = round_.load();
    if (stopped_) return;
    arrived_.fetch_add(1);
    spin_until([&] { return go_.load(std::memory_order_acquire); });
    (*work_)(thread);
    done_.fetch_add(1, std::memory_order_release);
  }
}

double CpuBurst::seconds(const std::function<void(int)>& work) {
  work_ = &work;
  arrived_ = 0;
  done_ = 0;
  go_ = false;
  round_.fetch_add(1);
  round_.notify_all();
  spin_until([&] { return arrived_.load() == threads_ - 1; });
  const auto start = Clock::now();
  go_.store(true, std::memory_order_release);
  work(0);
  spin_until([&] { return done_.load(std::memory_order_acquire) == threads_ - 1; });
  return since(start);
}

double CpuBurst::fma_gflops() {
  const auto burst = [&] {
    const double took = seconds([&](int) { loops_.multiply_adds(turns_); });
    return loops_.flops_a_turn * static_cast<double>(turns_) * threads_ / took / 1e9;
  };
  double best = burst();
  for (int attempt = 1; attempt < most_attempts && best < least_plausible * best_gflops_; ++attempt) {
    best = std::max(best, burst());
  }
  best_gflops_ = std::max(best_gflops_, best);
  return best;
}

double CpuBurst::copy_gbs() {
  const Array to = allocate(), from = allocate();
  const int64_t share = array_bytes / 4 / threads_ / 64 * 64;
  // First touched by the thread that will use it.
  seconds([&](int thread) {
    std::fill_n(to.get() + thread * share, share, 1.0f);
    std::fill_n(from.get() + thread * share, share, 1.0f);
  });
  double best = 1e30;
  for (int round = 0; round < rounds; ++round) {
    best = std::min(
        best, seconds([&](int thread) { loops_.copy(to.get() + thread * share, from.get() + thread * share, share); }));
  }
  return 2 * 4 * static_cast<double>(share) * threads_ / best / 1e9;
}

// Of several rounds the best: noise only ever subtracts.
Ceilings CpuBurst::measure() {
  Ceilings best;
  for (int round = 0; round < 4 * rounds; ++round) {
    best.fma_gflops = std::max(best.fma_gflops, fma_gflops());
    const double took = seconds([&](int) { loops_.additions(turns_); });
    best.add_gadds =
        std::max(best.add_gadds, loops_.additions_a_turn * static_cast<double>(turns_) * threads_ / took / 1e9);
  }
  best.copy_gbs = copy_gbs();
  return best;
}

}  // namespace gmr::profile
