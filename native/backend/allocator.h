// A caching allocator over a backend's memory, within a budget: size classes (four a power of two, so at most 25 % is
// lost), freed blocks are kept for the next request of their class. Without the cache (caches_memory()) each block is of
// the size that was asked for, and goes back at once. Safe to call from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/memory_budget.h"

namespace gmr {

struct AllocatorStats {
  uint64_t reserved_bytes;  // taken from the backend: in use and cached
  uint64_t cached_bytes;    // of these, free
};

class Allocator {
 public:
  using Take = std::function<void*(size_t bytes)>;
  using Give = std::function<void(void* data, size_t bytes)>;

  Allocator(Take take, Give give, std::shared_ptr<MemoryBudget> budget, bool caches);
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // Returns nullptr when the budget or the backend has no memory left, even after all caches were emptied.
  void* allocate(size_t bytes);
  void release(void* data, size_t bytes) noexcept;
  void empty_cache();
  AllocatorStats stats() const;
  MemoryBudget& budget() const { return *budget_; }

 private:
  size_t block_bytes(size_t bytes) const;
  void* take_cached(size_t size);
  void* take_new(size_t size);
  void count_new(size_t size);

  Take take_;
  Give give_;
  const std::shared_ptr<MemoryBudget> budget_;
  const bool caches_;
  mutable std::mutex mutex_;
  struct SizeClass {
    std::vector<void*> free;  // with room for all blocks: giving one back must not fail
    size_t blocks = 0;
  };
  std::map<size_t, SizeClass> classes_;
  uint64_t reserved_bytes_ = 0;
  uint64_t cached_bytes_ = 0;
};

}  // namespace gmr
