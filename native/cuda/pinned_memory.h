// Host memory that the GPU copies from and to by itself, in blocks that are kept for the next copy. Safe from any
// thread.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gmr::cuda {

struct PinnedBlock {
  std::byte* data = nullptr;
  size_t bytes = 0;
  cudaEvent_t event = nullptr;  // for whoever uses the block: recorded behind its copy
};

class PinnedMemory {
 public:
  // `check` throws where it is given an error.
  using Check = std::function<void(cudaError_t error, const std::string& what)>;

  explicit PinnedMemory(Check check) : check_(std::move(check)) {}
  ~PinnedMemory();

  PinnedBlock take(size_t bytes);  // throws what `check` throws
  void give(PinnedBlock block);

 private:
  // What is kept for later; larger or more blocks go back to the system.
  static constexpr size_t most_kept_bytes = size_t{64} << 20;

  static void free(const PinnedBlock& block);

  const Check check_;
  std::mutex mutex_;
  std::vector<PinnedBlock> free_;
  size_t free_bytes_ = 0;
};

}  // namespace gmr::cuda
