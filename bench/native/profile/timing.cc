#include "timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

#include "nvtx.h"
#include "pixel_cases.h"

namespace gmr::profile {
namespace {

using Clock = std::chrono::steady_clock;

// A sample is long against the clock and the cost of waiting for a GPU, and short against the changes of a processor's
// frequency.
constexpr double sample_seconds = 4e-3;
constexpr int most_calls = 500;

// A slow case gets fewer samples, but never fewer than these.
constexpr double case_budget_seconds = 3;
constexpr int fewest_samples = 3;

// With cold caches, each call of a sample has its own tensors, in at most this much memory.
constexpr size_t most_sets = 64;
constexpr size_t most_set_bytes = size_t{2} << 30;

// Read and written, 256 MiB: more than any cache between a GPU's memory and its multiprocessors.
constexpr int64_t sweep_floats = int64_t{32} << 20;

constexpr size_t line_bytes = 64;

void run_calls(std::vector<PlacedCase>& sets, int calls) {
  for (int call = 0; call < calls; ++call) sets[static_cast<size_t>(call) % sets.size()].run();
}

template <typename Work>
double seconds_of(Device& device, Work&& work) {
  const auto start = Clock::now();
  work();
  device.synchronise();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

// Takes the tensors out of all caches.
class Timer::CacheFlush {
 public:
  explicit CacheFlush(Device& device) : device_(device) {
    if (is_exact()) return;
    sweep_ = activation_cases("sweep", sweep_floats, 0).front();
    placed_.emplace(device, sweep_, values_of(sweep_));
  }

  void operator()(const std::vector<PlacedCase>& sets) {
    if (!is_exact()) {
      placed_->run();
      device_.synchronise();
      return;
    }
#if defined(__x86_64__)
    for (const PlacedCase& set : sets) {
      for (const DeviceMemory& memory : set.memory()) {
        const auto* data = static_cast<const char*>(memory.data());
        for (size_t i = 0; i < memory.bytes(); i += line_bytes) __builtin_ia32_clflush(data + i);
      }
    }
    __builtin_ia32_mfence();
#endif
  }

 private:
  // An x86 processor drops lines by name; elsewhere a pass over other memory displaces them.
  bool is_exact() const {
#if defined(__x86_64__)
    return device_.is_cpu();
#else
    return false;
#endif
  }

  Device& device_;
  Case sweep_{};
  std::optional<PlacedCase> placed_;
};

double quantile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const double at = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(std::floor(at));
  const double low = values[below], high = values[std::min(below + 1, values.size() - 1)];
  return low + (at - std::floor(at)) * (high - low);
}

double Timing::ms(double fraction) const {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.ms);
  return quantile(std::move(values), fraction);
}

double Timing::fma_gflops() const {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.fma_gflops);
  return quantile(std::move(values), 0.5);
}

Timer::Timer(Device& device, CeilingMeter& meter, const TimingOptions& options)
    : device_(device), meter_(meter), options_(options) {
  if (options.cold) flush_ = std::make_unique<CacheFlush>(device);
}

Timer::~Timer() = default;

Timing Timer::time(const Case& c) {
  const HostValues values = values_of(c);
  std::vector<PlacedCase> sets;
  sets.emplace_back(device_, c, values);
  device_.synchronise();
  const NvtxRange case_range(options_.nvtx, title_of(c));
  Timing timing;
  timing.kernels = device_.watch([&] { run_calls(sets, 1); });  // and what a first call sets up
  device_.synchronise();
  const double once = seconds_of(device_, [&] { run_calls(sets, 1); });
  timing.calls = static_cast<int>(std::clamp(std::round(sample_seconds / once), 1.0, double{most_calls}));
  if (options_.cold) {
    const size_t affordable_sets = most_set_bytes / std::max<size_t>(c.bytes(), 1);
    timing.calls = static_cast<int>(
        std::min<size_t>(static_cast<size_t>(timing.calls), std::clamp<size_t>(affordable_sets, 1, most_sets)));
    while (sets.size() < static_cast<size_t>(timing.calls)) sets.emplace_back(device_, c, values);
    device_.synchronise();
  }
  const double affordable = std::min(1e6, case_budget_seconds / (once * timing.calls));
  const int count = std::min(options_.repeat, std::max(fewest_samples, static_cast<int>(affordable)));

  std::optional<Graph> graph;
  if (options_.graph) graph.emplace(device_, [&] { run_calls(sets, timing.calls); });
  double fma_before = meter_.fma_now();
  for (int i = 0; i < count; ++i) {
    if (flush_ != nullptr) (*flush_)(sets);
    const NvtxRange sample_range(options_.nvtx, "sample");
    const double seconds = seconds_of(device_, [&] {
      if (graph) {
        graph->run();
      } else {
        run_calls(sets, timing.calls);
      }
    });
    const double fma_after = meter_.fma_now();
    // Noise only ever subtracts: the better of the bursts before and behind.
    timing.samples.push_back({seconds / timing.calls * 1e3, std::max(fma_before, fma_after)});
    fma_before = fma_after;
  }
  return timing;
}

}  // namespace gmr::profile
