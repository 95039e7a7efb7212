// What this machine can do at most, by the vector types that the kernels use: the yardstick of all benches.
//   gmr_peaks_<level> [threads]
// prints one line of JSON: fused multiply-adds (2 operations each; a multiplication and an addition where the level has
// no fused one), additions, copy and triad. All threads run at once between two barriers; a figure is the work of all
// threads over the time from the first one's start to the last one's end, and of several rounds the best: noise only
// ever subtracts.
//   gmr_peaks_<level> threads now
// answers each line of its input with the multiply-adds of this moment, in GFLOP/s. A processor under load changes its
// clock from second to second (by 25 % on a Xeon of 2024), so what a kernel reaches is a fraction of what multiply-adds
// alone reach next to it, not of what they reached when the machine was cool.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string_view>
#include <thread>
#include <vector>

#include "peak_loops.h"

namespace {

using namespace gmr::bench;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 10;
constexpr double round_seconds = 0.03;

// Of `now`: long against waking the threads, too short for the clock to rise because memory is idle (it takes 3 ms).
// Twice, and the better one counts: whatever else the machine does only ever subtracts.
constexpr double moment_seconds = 0.00025;

// Three arrays of this size, shared out among the threads, are far beyond any last-level cache that a core reaches.
constexpr int64_t array_bytes = int64_t{192} << 20;

void triad(float* to, const float* a, const float* b, int64_t count) {
  const Vector factor = all(one);
  for (int64_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + i + j * lanes, load(a + i + j * lanes) * factor + load(b + i + j * lanes));
  }
}

// The least time of several rounds in which all threads call work(thread) at once.
template <typename F>
double least_seconds(int threads, F&& work) {
  double best = 1e30;
  Clock::time_point start;
  int phase = 0;
  std::barrier sync(threads, [&]() noexcept {
    const auto now = Clock::now();
    if (phase++ % 2 == 0) {
      start = now;
    } else {
      best = std::min(best, std::chrono::duration<double>(now - start).count());
    }
  });
  const auto run = [&](int thread) {
    for (int round = 0; round < rounds; ++round) {
      sync.arrive_and_wait();
      work(thread);
      sync.arrive_and_wait();
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
  run(0);
  for (auto& other : others) other.join();
  return best;
}

template <typename F>
double seconds_of(F&& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Turns of `loop` that take about this long.
template <typename F>
int64_t turns_in(double seconds, F&& loop) {
  for (int64_t turns = 100;; turns *= 2) {
    const double took = seconds_of([&] { loop(turns); });
    if (took >= seconds / 2) return std::max<int64_t>(1, static_cast<int64_t>(double(turns) * seconds / took));
  }
}

// 1e9 vector lanes of work in that many turns.
double giga_lanes(int64_t turns) { return double(turns) * operations_a_turn / 1e9; }

// 1e9 vector lanes a second, all threads together.
template <typename F>
double peak(int threads, F&& loop) {
  const int64_t turns = turns_in(round_seconds, loop);
  return giga_lanes(turns) * threads / least_seconds(threads, [&](int) { loop(turns); });
}

// Each thread has a clock of its own: they do not wake at the same time.
void answer_with_moments(int threads) {
  const int64_t turns = turns_in(moment_seconds, multiply_adds);
  std::vector<double> rates(static_cast<size_t>(threads));
  bool is_over = false;
  std::barrier sync(threads);
  const auto measure = [&](int thread) {
    const auto burst = [&] { return seconds_of([&] { multiply_adds(turns); }); };
    rates[static_cast<size_t>(thread)] = 2 * giga_lanes(turns) / std::min(burst(), burst());
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) {
    others.emplace_back([&, thread] {
      for (;;) {
        sync.arrive_and_wait();
        if (is_over) return;
        measure(thread);
        sync.arrive_and_wait();
      }
    });
  }
  for (int byte; (byte = std::getchar()) != EOF;) {
    if (byte != '\n') continue;
    sync.arrive_and_wait();
    measure(0);
    sync.arrive_and_wait();
    std::printf("%.2f\n", std::accumulate(rates.begin(), rates.end(), 0.0));
    std::fflush(stdout);
  }
  is_over = true;
  sync.arrive_and_wait();
  for (auto& other : others) other.join();
}

struct Array {
  std::unique_ptr<float, void (*)(void*)> memory;
  float* data;

  explicit Array(int64_t count) : memory(static_cast<float*>(std::aligned_alloc(64, size_t(count) * 4)), std::free) {
    data = memory.get();
    if (data == nullptr) {
      std::fprintf(stderr, "machine_peaks: no memory for three arrays of %lld bytes\n", (long long)array_bytes);
      std::exit(1);
    }
  }
};

struct Bandwidth {
  double copy;
  double triad;
};

Bandwidth bandwidth(int threads) {
  const int64_t count = array_bytes / 4;
  const int64_t share = count / threads / (4 * lanes) * (4 * lanes);
  Array a(count), b(count), c(count);
  // First touched by the thread that will use it.
  least_seconds(threads, [&](int thread) {
    for (float* data : {a.data, b.data, c.data}) std::fill_n(data + thread * share, share, one);
  });
  const double copy_seconds =
      least_seconds(threads, [&](int t) { copy(a.data + t * share, b.data + t * share, share); });
  const double triad_seconds =
      least_seconds(threads, [&](int t) { triad(a.data + t * share, b.data + t * share, c.data + t * share, share); });
  sink = a.data[0];
  const double bytes = double(share) * threads * 4;
  return {2 * bytes / copy_seconds / 1e9, 3 * bytes / triad_seconds / 1e9};
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const bool is_of_moments = argc == 3 && std::string_view(argv[2]) == "now";
  if (threads < 1 || argc > 3 || (argc == 3 && !is_of_moments)) {
    std::fprintf(stderr, "usage: gmr_peaks_<level> [threads [now]]\n");
    return 2;
  }
  if (is_of_moments) {
    answer_with_moments(threads);
    return 0;
  }
  const double fma = 2 * peak(threads, multiply_adds);
  const double add = peak(threads, additions);
  const Bandwidth memory = bandwidth(threads);
  std::printf(
      "{\"level\": \"%s\", \"threads\": %d, \"fmaGflops\": %.2f, \"addGadds\": %.2f, \"copyGBs\": %.2f, \"triadGBs\": "
      "%.2f}\n",
      GMR_CPU_LEVEL, threads, fma, add, memory.copy, memory.triad);
  return 0;
}
