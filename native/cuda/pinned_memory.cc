#include "cuda/pinned_memory.h"

#include <algorithm>

namespace gmr::cuda {

PinnedMemory::~PinnedMemory() {
  for (const PinnedBlock& block : free_) free(block);
}

PinnedBlock PinnedMemory::take(size_t bytes) {
  {
    std::lock_guard lock(mutex_);
    const auto fits = [&](const PinnedBlock& block) { return block.bytes >= bytes; };
    const auto found = std::find_if(free_.begin(), free_.end(), fits);
    if (found != free_.end()) {
      const PinnedBlock block = *found;
      free_.erase(found);
      free_bytes_ -= block.bytes;
      return block;
    }
  }
  constexpr size_t page = 4096;
  PinnedBlock block;
  block.bytes = std::max<size_t>((bytes + page - 1) / page, 1) * page;
  void* data = nullptr;
  check_(cudaMallocHost(&data, block.bytes), "cudaMallocHost of " + std::to_string(block.bytes) + " bytes");
  block.data = static_cast<std::byte*>(data);
  // Whoever waits sleeps instead of spinning.
  const cudaError_t error = cudaEventCreateWithFlags(&block.event, cudaEventBlockingSync | cudaEventDisableTiming);
  if (error != cudaSuccess) {
    cudaFreeHost(data);
    check_(error, "cudaEventCreateWithFlags");
  }
  return block;
}

void PinnedMemory::give(PinnedBlock block) {
  {
    std::lock_guard lock(mutex_);
    if (free_bytes_ + block.bytes <= most_kept_bytes) {
      free_.push_back(block);
      free_bytes_ += block.bytes;
      return;
    }
  }
  free(block);
}

void PinnedMemory::free(const PinnedBlock& block) {
  cudaEventDestroy(block.event);
  cudaFreeHost(block.data);
}

}  // namespace gmr::cuda
