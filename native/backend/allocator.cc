#include "backend/allocator.h"

#include <bit>

namespace gmr {

Allocator::Allocator(Take take, Give give, std::shared_ptr<MemoryBudget> budget)
    : take_(std::move(take)), give_(std::move(give)), budget_(std::move(budget)) {
  budget_->add(this);
}

Allocator::~Allocator() {
  budget_->remove(this);
  empty_cache();
}

size_t Allocator::class_bytes(size_t bytes) {
  constexpr size_t smallest = 256;
  if (bytes <= smallest) return smallest;
  const size_t quarter = std::bit_floor(bytes - 1) / 4;  // classes are 4..8 quarters
  return (bytes + quarter - 1) / quarter * quarter;
}

void* Allocator::allocate(size_t bytes) {
  const size_t size = class_bytes(bytes);
  if (void* data = take_cached(size); data != nullptr) return data;
  if (void* data = take_new(size); data != nullptr) return data;
  budget_->empty_caches();
  return take_new(size);
}

void* Allocator::take_cached(size_t size) {
  std::lock_guard lock(mutex_);
  const auto found = free_.find(size);
  if (found == free_.end() || found->second.empty()) return nullptr;
  void* data = found->second.back();
  found->second.pop_back();
  cached_bytes_ -= size;
  return data;
}

void* Allocator::take_new(size_t size) {
  if (!budget_->take(size)) return nullptr;
  void* data = nullptr;
  try {
    data = take_(size);
  } catch (...) {  // a device that has failed
    budget_->give(size);
    throw;
  }
  if (data == nullptr) {
    budget_->give(size);
    return nullptr;
  }
  std::lock_guard lock(mutex_);
  reserved_bytes_ += size;
  return data;
}

void Allocator::release(void* data, size_t bytes) {
  const size_t size = class_bytes(bytes);
  std::lock_guard lock(mutex_);
  free_[size].push_back(data);
  cached_bytes_ += size;
}

void Allocator::empty_cache() {
  std::lock_guard lock(mutex_);
  for (auto& [size, blocks] : free_) {
    for (void* data : blocks) give_(data, size);
    budget_->give(size * blocks.size());
    reserved_bytes_ -= size * blocks.size();
    cached_bytes_ -= size * blocks.size();
    blocks.clear();
  }
}

AllocatorStats Allocator::stats() const {
  std::lock_guard lock(mutex_);
  return {reserved_bytes_, cached_bytes_};
}

}  // namespace gmr
