#include "cpu/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "cpu/denormals.h"
#include "system/cgroup.h"

namespace gmr::cpu {
namespace {

int usable_cores() {
  for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {  // the system refuses sets that are smaller than its own
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(static_cast<size_t>(most)),
                                                               [](cpu_set_t* own) { CPU_FREE(own); });
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(most));
    if (set != nullptr && sched_getaffinity(0, bytes, set.get()) == 0)
      return std::max(CPU_COUNT_S(bytes, set.get()), 1);
  }
  return 1;
}

// A part of a processor's time is worth a thread: with one less, that part would go unused.
int allowed_cores() {
  const double cpus = std::ceil(read_cgroup_limits().cpus);
  const int usable = usable_cores();
  return cpus < usable ? std::max(static_cast<int>(cpus), 1) : usable;
}

int wanted_threads() {
  const char* variable = std::getenv("GMR_NUM_THREADS");
  const std::string_view text = variable == nullptr ? "" : variable;
  if (text.empty()) return allowed_cores();
  int wanted = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
  if (error != std::errc{} || end != text.data() + text.size() || wanted < 1) {
    throw std::invalid_argument("expected GMR_NUM_THREADS to be a positive integer, received '" + std::string(text) +
                                "'");
  }
  return std::min(wanted, usable_cores());
}

struct ScratchBlock {
  float* data = nullptr;
  size_t floats = 0;

  float* grow(size_t wanted) {
    if (floats < wanted) {
      std::free(data);
      *this = {};
      const size_t bytes = (wanted * sizeof(float) + slack_bytes + 4095) / 4096 * 4096;
      data = static_cast<float*>(std::aligned_alloc(64, bytes));
      if (data == nullptr) throw std::bad_alloc();
      floats = wanted;
    }
    return data;
  }
};

struct OwnedScratchBlock : ScratchBlock {
  ~OwnedScratchBlock() { std::free(data); }
};

// A worker looks for the next region for a few microseconds before it sleeps: the passes of a network follow each other
// closely, and a wake-up through the kernel costs more than a small pass.
constexpr int spins_before_sleep = 2000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A mutex whose waiters get it in the order in which they came. A std::mutex goes to whoever runs, which is who just had
// it: of the streams of several JavaScript threads, one would go on and the others would wait.
class TurnMutex {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const uint64_t own = last_++;
    turn_came_.wait(lock, [&] { return turn_ == own; });
  }

  void unlock() {
    bool is_awaited;
    {
      std::lock_guard lock(mutex_);
      turn_ += 1;
      is_awaited = turn_ != last_;
    }
    if (is_awaited) turn_came_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_came_;
  uint64_t turn_ = 0;
  uint64_t last_ = 0;
};

class ThreadPool {
 public:
  explicit ThreadPool(int wanted) : scratch_(static_cast<size_t>(wanted) * scratch_slots) {
    try {
      for (; threads_ < wanted; ++threads_) {
        std::thread([this, worker = threads_] { work(worker); }).detach();
      }
    } catch (const std::exception&) {
      // The system gives no more threads, or no memory for one: those that run are the pool.
    }
  }

  int threads() const { return threads_; }

  void run(int64_t tasks, RegionFunction function, void* context) {
    std::lock_guard turn(turn_);
    if (tasks <= 1 || threads_ == 1) {
      for (int64_t task = 0; task < tasks; ++task) function(context, task, 0);
      return;
    }
    function_ = function;
    context_ = context;
    tasks_ = tasks;
    next_ = 0;
    failure_ = nullptr;
    busy_ = threads_ - 1;
    {
      std::lock_guard lock(mutex_);
      region_.fetch_add(1);
    }
    if (sleepers_.load() > 0) wake_.notify_all();
    take_tasks(0);
    for (int spins = 0; busy_.load(std::memory_order_acquire) > 0; ++spins) {
      if (spins < spins_before_sleep) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    if (failure_ != nullptr) std::rethrow_exception(failure_);
  }

  float* scratch(int worker, int slot, size_t floats) {
    return scratch_[static_cast<size_t>(worker) * scratch_slots + static_cast<size_t>(slot)].grow(floats);
  }

 private:
  void take_tasks(int worker) {
    try {
      for (int64_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;)
        function_(context_, task, worker);
    } catch (...) {
      next_ = tasks_;
      std::lock_guard lock(mutex_);
      if (failure_ == nullptr) failure_ = std::current_exception();
    }
  }

  void work(int worker) {
    const FlushDenormals here;  // as the thread that calls: backend_cpu.cc
    uint64_t seen = 0;
    for (;;) {
      for (int spins = 0; region_.load(std::memory_order_acquire) == seen && spins < spins_before_sleep; ++spins)
        pause();
      if (region_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, [&] { return region_.load() != seen; });
        sleepers_.fetch_sub(1);
      }
      seen = region_.load(std::memory_order_acquire);
      take_tasks(worker);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  int threads_ = 1;  // the calling one among them
  std::vector<ScratchBlock> scratch_;

  TurnMutex turn_;  // held for the length of a region
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<int> sleepers_{0};
  std::atomic<uint64_t> region_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> busy_{0};
  RegionFunction function_ = nullptr;
  void* context_ = nullptr;
  int64_t tasks_ = 0;
  std::exception_ptr failure_;
};

// Never destroyed: its threads may run until the process is gone (the library is linked with -z nodelete).
ThreadPool& pool() {
  static ThreadPool* const instance = new ThreadPool(wanted_threads());
  return *instance;
}

}  // namespace

int thread_count() { return pool().threads(); }

void run_region(int64_t tasks, RegionFunction function, void* context) { pool().run(tasks, function, context); }

float* scratch(int worker, int slot, size_t floats) { return pool().scratch(worker, slot, floats); }

float* pass_scratch(size_t floats) {
  static thread_local OwnedScratchBlock block;
  return block.grow(floats);
}

}  // namespace gmr::cpu
