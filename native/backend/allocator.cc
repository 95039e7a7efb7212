#include "backend/allocator.h"

#include <algorithm>
#include <bit>

namespace gmr {

Allocator::Allocator(Take take, Give give, std::shared_ptr<MemoryBudget> budget, bool caches)
    : take_(std::move(take)), give_(std::move(give)), budget_(std::move(budget)), caches_(caches) {
  budget_->add(this);
}

Allocator::~Allocator() {
  empty_cache();  // while those who are short of memory still find it here
  budget_->remove(this);
}

size_t Allocator::block_bytes(size_t bytes) const {
  if (!caches_) return std::max<size_t>(bytes, 1);
  constexpr size_t smallest = 256;
  if (bytes <= smallest) return smallest;
  const size_t quarter = std::bit_floor(bytes - 1) / 4;  // classes are 4..8 quarters
  return (bytes + quarter - 1) / quarter * quarter;
}

void* Allocator::allocate(size_t bytes) {
  const size_t size = block_bytes(bytes);
  if (void* data = take_cached(size); data != nullptr) return data;
  if (void* data = take_new(size); data != nullptr) return data;
  budget_->empty_caches();
  return take_new(size);
}

void* Allocator::take_cached(size_t size) {
  std::lock_guard lock(mutex_);
  const auto found = classes_.find(size);
  if (found == classes_.end() || found->second.free.empty()) return nullptr;
  void* data = found->second.free.back();
  found->second.free.pop_back();
  cached_bytes_ -= size;
  return data;
}

void* Allocator::take_new(size_t size) {
  if (!budget_->take(size)) return nullptr;
  void* data = nullptr;
  try {
    data = take_(size);
    if (data != nullptr) {
      count_new(size);
      return data;
    }
  } catch (...) {  // a device that has failed, or no memory to count the block
    if (data != nullptr) give_(data, size);
    budget_->give(size);
    throw;
  }
  budget_->give(size);
  return nullptr;
}

void Allocator::count_new(size_t size) {
  std::lock_guard lock(mutex_);
  if (caches_) {
    SizeClass& own = classes_[size];
    if (own.free.capacity() == own.blocks) own.free.reserve(2 * own.blocks + 8);
    own.blocks += 1;
  }
  reserved_bytes_ += size;
}

void Allocator::release(void* data, size_t bytes) noexcept {
  const size_t size = block_bytes(bytes);
  std::lock_guard lock(mutex_);
  if (!caches_) {
    give_(data, size);
    budget_->give(size);
    reserved_bytes_ -= size;
    return;
  }
  classes_.find(size)->second.free.push_back(data);
  cached_bytes_ += size;
}

void Allocator::empty_cache() {
  std::lock_guard lock(mutex_);
  for (auto& [size, own] : classes_) {
    for (void* data : own.free) give_(data, size);
    const size_t bytes = size * own.free.size();
    budget_->give(bytes);
    reserved_bytes_ -= bytes;
    cached_bytes_ -= bytes;
    own.blocks -= own.free.size();
    own.free.clear();
  }
}

AllocatorStats Allocator::stats() const {
  std::lock_guard lock(mutex_);
  return {reserved_bytes_, cached_bytes_};
}

}  // namespace gmr
