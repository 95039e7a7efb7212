// The process's arithmetic threads, the calling one among them: as many as it may use cores, and no more than its
// control groups give it processor time for; GMR_NUM_THREADS stands against the latter and is limited by the former.
// One parallel region runs at a time; callers of other streams wait their turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "cpu/divide_up.h"

namespace gmr::cpu {

int thread_count();

using RegionFunction = void (*)(void* context, int64_t task, int worker);
void run_region(int64_t tasks, RegionFunction function, void* context);

// Calls f(task) or f(task, worker) for every task in [0, tasks), in any order, on any thread; 0 <= worker <
// thread_count(). A task's result must not depend on which worker runs it. The first exception is rethrown here after
// all have stopped. Not to be nested.
template <typename F>
void parallel_for(int64_t tasks, F&& f) {
  using Function = std::remove_reference_t<F>;
  run_region(
      tasks,
      [](void* context, int64_t task, int worker) {
        auto& function = *static_cast<Function*>(context);
        if constexpr (std::is_invocable_v<Function&, int64_t, int>) {
          function(task, worker);
        } else {
          function(task);
        }
      },
      const_cast<void*>(static_cast<const void*>(&f)));
}

// Splits [0, count) into runs of at most `grain` elements and calls f(begin, end) or f(begin, end, worker) for each.
template <typename F>
void parallel_ranges(int64_t count, int64_t grain, F&& f) {
  parallel_for(divide_up(count, grain), [&](int64_t task, int worker) {
    const int64_t begin = task * grain, end = begin + grain < count ? begin + grain : count;
    if constexpr (std::is_invocable_v<F&, int64_t, int64_t, int>) {
      f(begin, end, worker);
    } else {
      f(begin, end);
    }
  });
}

// Working memory of a worker, 64-byte aligned, kept for the next call, with slack_bytes readable behind it. Valid
// inside a parallel region until the worker asks for the same slot again; contents are undefined.
constexpr int scratch_slots = 6;
float* scratch(int worker, int slot, size_t floats);

// Working memory of a whole pass, shared by its workers: the calling thread's own, kept for its next pass. One a pass.
float* pass_scratch(size_t floats);

}  // namespace gmr::cpu
