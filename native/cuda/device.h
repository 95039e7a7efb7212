// What the CUDA backend holds for one GPU. The stream's native thread calls everything here but `finish`, which any
// thread may call.
//
// All work goes to one compute stream. Memory that is given back while kernels still use it is used again only by work
// that is queued later, so it needs no waiting.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "cuda/out_of_range.h"
#include "cuda/pinned_memory.h"
#include "cuda/uploads.h"

namespace gmr {

namespace cuda {

struct LaunchNote {
  const char* kernel = nullptr;
  const void* function = nullptr;
  int64_t blocks = 0;
  int threads = 0;
  size_t shared_bytes = 0;  // dynamic
};

}  // namespace cuda

struct BackendDevice {
 public:
  static DeviceCount count();

  // Throws BackendError where the GPU cannot be used, with what to do about it. `free_memory`: see backend.h.
  BackendDevice(int index, std::function<void()> free_memory);
  ~BackendDevice();
  BackendDevice(const BackendDevice&) = delete;
  BackendDevice& operator=(const BackendDevice&) = delete;

  DeviceProperties properties() const;
  cudaStream_t stream() const { return stream_; }
  int64_t multiprocessors() const { return properties_.multiProcessorCount; }
  int compute_capability() const { return 10 * properties_.major + properties_.minor; }  // 90 of 9.0
  size_t most_shared_bytes() const { return properties_.sharedMemPerBlockOptin; }        // of a block

  // Binds the calling thread to this GPU and sets it up at the first call, which takes a while. Throws the first
  // failure if there was one.
  void enter();

  // Throws where `error` is one: std::bad_alloc for missing memory; any other stays with the device, which refuses work
  // from then on. `what` says what was tried.
  void check(cudaError_t error, const std::string& what);

  // What `call`, which calls a function of the runtime, returns: at the second time, with caches emptied, where memory was
  // missing at the first. On the stream's thread.
  template <typename Call>
  cudaError_t with_memory(Call&& call) {
    const cudaError_t error = call();
    if (error != cudaErrorMemoryAllocation) return error;
    cudaGetLastError();
    free_memory_();
    return call();
  }
  template <typename Call>
  void check_call(Call&& call, const std::string& what) {
    check(with_memory(std::forward<Call>(call)), what);
  }

  void* allocate(size_t bytes);  // nullptr where there is no memory left
  void release(void* data) noexcept;
  void upload(void* destination, const void* source, size_t bytes);
  StagedUpload* stage(const void* source, size_t bytes);
  void upload(void* destination, StagedUpload* staged);
  void drop(StagedUpload* staged);
  void copy(void* destination, const void* source, size_t bytes);
  PendingDownload* download(void* destination, const void* source, size_t bytes);
  void finish(PendingDownload* download);
  void synchronise();

  // Working memory of one pass, until the next one asks. Throws std::bad_alloc.
  void* scratch(size_t bytes);

  // Small constant data of a pass, uploaded once and found again by its content. Valid until the pass has been queued.
  const int32_t* table(const std::vector<int32_t>& values);

  // Where kernels record a value out of range.
  cuda::OutOfRange* out_of_range() const { return out_of_range_; }
  void expect_out_of_range() { may_be_out_of_range_ = true; }  // by what is queued now

  void note_launch(const cuda::LaunchNote& launch);
  std::vector<KernelUse> watch(const std::function<void()>& work);
  CapturedPasses* capture(const std::function<void()>& work);
  void replay(CapturedPasses* captured);
  void drop(CapturedPasses* captured);

 private:
  static constexpr size_t table_limit_bytes = size_t{64} << 20;

  void start();
  void* allocate_working_memory(size_t bytes);
  void drop_tables();

  int index_;
  const std::function<void()> free_memory_;
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  cuda::PinnedMemory pinned_;
  std::optional<cuda::Uploads> uploads_;
  const bool caches_ = caches_memory();
  void* scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
  std::map<std::vector<int32_t>, int32_t*> tables_;
  size_t table_bytes_ = 0;
  cuda::OutOfRange* out_of_range_ = nullptr;
  bool may_be_out_of_range_ = false;

  std::mutex mutex_;  // of what follows
  std::string failure_;
  cuda::LaunchNote last_launch_;
  std::vector<cuda::LaunchNote>* watched_ = nullptr;  // where launches are noted, while somebody watches
};

namespace cuda {

// Several arrays in the working memory of a pass.
class Scratch {
 public:
  Scratch(BackendDevice& device, std::initializer_list<size_t> bytes) : offsets_(bytes) {
    size_t total = 0;
    for (size_t& offset : offsets_) {
      const size_t size = offset;
      offset = total;
      total += (size + alignment - 1) / alignment * alignment;
    }
    data_ = static_cast<std::byte*>(device.scratch(total));
  }

  template <typename T>
  T* array(size_t i) const {
    return reinterpret_cast<T*>(data_ + offsets_[i]);
  }

 private:
  static constexpr size_t alignment = 256;

  std::vector<size_t> offsets_;
  std::byte* data_;
};

}  // namespace cuda
}  // namespace gmr
