// How much of one memory - the host's, a GPU's - all allocators of this process may take together.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace gmr {

class Allocator;

class MemoryBudget {
 public:
  struct Limit {
    uint64_t bytes;
    std::string reason;  // of these bytes, in a few words
  };

  static constexpr const char* variable = "GMR_MEMORY_LIMIT";

  explicit MemoryBudget(Limit limit) : limit_(std::move(limit)) {}

  bool take(uint64_t bytes);  // false: it would pass the limit
  void give(uint64_t bytes) { used_bytes_ -= bytes; }

  // Allocators that give up their caches when one of them finds no memory. None may hold a lock of its own in a call.
  void add(Allocator* allocator);
  void remove(Allocator* allocator);
  void empty_caches();

  const Limit& limit() const { return limit_; }
  uint64_t used_bytes() const { return used_bytes_; }

 private:
  const Limit limit_;
  std::atomic<uint64_t> used_bytes_{0};
  std::mutex mutex_;
  std::vector<Allocator*> allocators_;
};

// The budget of the memory that a device takes its from, the same for all that are open at a time. Its limit is what
// GMR_MEMORY_LIMIT says when the first of them opens, at most and by default what there is: `device_bytes`, a GPU's own,
// or where that is 0 nine tenths of what the machine or its control group lets the process have.
// Throws std::invalid_argument where GMR_MEMORY_LIMIT is no size.
std::shared_ptr<MemoryBudget> memory_budget(const Backend& backend, int index, uint64_t device_bytes);

}  // namespace gmr
