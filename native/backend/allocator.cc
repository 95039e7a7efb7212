#include "backend/allocator.h"

#include <bit>

namespace gmr {

Allocator::Allocator(Take take, Give give) : take_(std::move(take)), give_(std::move(give)) {}

Allocator::~Allocator() { empty_cache_locked(); }

size_t Allocator::class_bytes(size_t bytes) {
  constexpr size_t smallest = 256;
  if (bytes <= smallest) return smallest;
  const size_t quarter = std::bit_floor(bytes - 1) / 4;  // classes are 4..8 quarters
  return (bytes + quarter - 1) / quarter * quarter;
}

void* Allocator::allocate(size_t bytes) {
  const size_t size = class_bytes(bytes);
  std::lock_guard lock(mutex_);
  auto& blocks = free_[size];
  if (!blocks.empty()) {
    void* data = blocks.back();
    blocks.pop_back();
    cached_bytes_ -= size;
    return data;
  }
  void* data = take_(size);
  if (data == nullptr) {
    empty_cache_locked();
    data = take_(size);
  }
  if (data != nullptr) reserved_bytes_ += size;
  return data;
}

void Allocator::release(void* data, size_t bytes) {
  if (data == nullptr) return;
  const size_t size = class_bytes(bytes);
  std::lock_guard lock(mutex_);
  free_[size].push_back(data);
  cached_bytes_ += size;
}

void Allocator::empty_cache() {
  std::lock_guard lock(mutex_);
  empty_cache_locked();
}

void Allocator::empty_cache_locked() {
  for (auto& [size, blocks] : free_) {
    for (void* data : blocks) give_(data, size);
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
