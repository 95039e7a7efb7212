#include "cuda/device.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "cuda/architectures.h"

namespace gmr {

// A copy to the host that has been queued, and the record of values out of range behind it.
struct PendingDownload {
  cuda::PinnedBlock block;
  void* destination;
  size_t bytes;
  bool has_record;
};

struct CapturedPasses {
  cudaGraphExec_t graph;
};

namespace {

// For uploads on their way, on the host and on the GPU: three batches of 256 images of 3 x 32 x 32, or of 32 of
// 3 x 224 x 224, on a GPU that has enough memory.
constexpr size_t most_upload_bytes = size_t{64} << 20;
constexpr size_t upload_share = 64;

constexpr size_t record_bytes = sizeof(cuda::OutOfRange);

[[noreturn]] void unavailable(const std::string& message) { throw BackendError("device_unavailable", message); }

std::string describe(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

std::string unusable(cudaError_t error) {
  return "expected a usable GPU, the driver says " + describe(error) + ": check nvidia-smi and dmesg";
}

// Of a CUDA runtime, all drivers of the same major version serve it.
constexpr int oldest_driver = CUDART_VERSION / 1000 * 1000;

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string message_of(const cuda::OutOfRange& record, const char** op) {
  const char* argument = "";
  switch (record.argument) {
    case cuda::CheckedArgument::none:
      break;
    case cuda::CheckedArgument::cross_entropy_targets:
      *op = "cross_entropy";
      argument = "targets";
  }
  return "expected " + std::string(argument) + "[" + std::to_string(record.index) + "] to be in [0, " +
         std::to_string(record.limit) + "), received " + std::to_string(record.received);
}

}  // namespace

DeviceCount BackendDevice::count() {
  int driver = 0, count = 0;
  cudaDriverGetVersion(&driver);
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (driver == 0) {
    return {0,
            "expected an NVIDIA driver, but this machine has none: install one (nvidia-smi shows it); in a container, "
            "start it with its GPUs (--gpus all)"};
  }
  if (driver < oldest_driver) {
    return {0, "expected a driver for CUDA " + version_text(oldest_driver) + " or newer, this one is for CUDA " +
                   version_text(driver) + ": update the NVIDIA driver"};
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    return {0, "expected a GPU, the driver shows none: check CUDA_VISIBLE_DEVICES and nvidia-smi"};
  }
  if (error != cudaSuccess) return {0, unusable(error)};
  return {count, ""};
}

BackendDevice::BackendDevice(int index, std::function<void()> free_memory)
    : index_(index),
      free_memory_(std::move(free_memory)),
      pinned_([this](cudaError_t error, const std::string& what) { check(error, what); }) {
  const auto [count, problem] = BackendDevice::count();
  if (count == 0) unavailable(problem);
  if (index < 0 || index >= count) {
    const std::string last = "'cuda:" + std::to_string(count - 1) + "'";
    unavailable("expected a device index below " + std::to_string(count) + ", the number of GPUs here (" +
                (count == 1   ? last
                 : count == 2 ? "'cuda:0', " + last
                              : "'cuda:0' to " + last) +
                "), received " + std::to_string(index));
  }
  if (const cudaError_t error = cudaGetDeviceProperties(&properties_, index); error != cudaSuccess) {
    unavailable(unusable(error));
  }
  if (!cuda::runs_on(GMR_CUDA_ARCHITECTURES, properties_.major, properties_.minor)) {
    unavailable(cuda::refusal(properties_.name, GMR_CUDA_ARCHITECTURES, properties_.major, properties_.minor));
  }
  uploads_.emplace(std::min(most_upload_bytes, properties_.totalGlobalMem / upload_share));
}

// Errors have no one to go to here; a device that failed refuses them all.
BackendDevice::~BackendDevice() {
  if (out_of_range_ == nullptr) return;  // nothing was begun
  cudaSetDevice(index_);
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  drop_tables();
  cudaFree(scratch_);
  cudaFree(out_of_range_);
  uploads_.reset();
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

DeviceProperties BackendDevice::properties() const {
  return {properties_.name, "sm_" + std::to_string(properties_.major) + std::to_string(properties_.minor),
          int64_t{properties_.multiProcessorCount} * properties_.maxThreadsPerMultiProcessor,
          properties_.totalGlobalMem};
}

void BackendDevice::enter() {
  {
    std::lock_guard lock(mutex_);
    if (!failure_.empty()) throw BackendError("device_failure", failure_);
  }
  check(cudaSetDevice(index_), "cudaSetDevice");
  if (stream_ == nullptr) start();
}

// May be called again where memory was missing.
void BackendDevice::start() {
  if (out_of_range_ == nullptr) {
    void* record = nullptr;
    check_call([&] { return cudaMalloc(&record, record_bytes); }, "cudaMalloc");
    out_of_range_ = static_cast<cuda::OutOfRange*>(record);
  }
  check_call([&] { return cudaMemset(out_of_range_, 0, record_bytes); }, "cudaMemset");
  // The record is ready before the stream's first kernel.
  check_call([] { return cudaDeviceSynchronize(); }, "cudaDeviceSynchronize");
  check_call([&] { return cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking); }, "cudaStreamCreateWithFlags");
}

void BackendDevice::check(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  std::lock_guard lock(mutex_);
  if (failure_.empty()) {
    failure_ = "the GPU failed in " + what + " with " + describe(error);
    if (last_launch_.kernel != nullptr) {
      const auto& [kernel, function, blocks, threads, shared_bytes] = last_launch_;
      failure_ += "; the last kernel that was launched before is " + std::string(kernel) + "<<<" +
                  std::to_string(blocks) + ", " + std::to_string(threads) + ", " + std::to_string(shared_bytes) + ">>>";
    }
  }
  throw BackendError("device_failure", failure_);
}

void BackendDevice::note_launch(const cuda::LaunchNote& launch) {
  if (watched_ != nullptr) watched_->push_back(launch);
  std::lock_guard lock(mutex_);
  last_launch_ = launch;
}

std::vector<KernelUse> BackendDevice::watch(const std::function<void()>& work) {
  std::vector<cuda::LaunchNote> launches;
  watched_ = &launches;
  try {
    work();
  } catch (...) {
    watched_ = nullptr;
    throw;
  }
  watched_ = nullptr;
  std::vector<KernelUse> uses;
  for (const cuda::LaunchNote& launch : launches) {
    const auto is_same = [&](const KernelUse& use) {
      return use.kernel == launch.kernel && use.threads == launch.threads &&
             use.dynamic_shared_bytes == static_cast<int64_t>(launch.shared_bytes);
    };
    if (const auto found = std::find_if(uses.begin(), uses.end(), is_same); found != uses.end()) {
      found->launches += 1;
      continue;
    }
    cudaFuncAttributes attributes;
    check(cudaFuncGetAttributes(&attributes, launch.function), "cudaFuncGetAttributes");
    int resident_blocks = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident_blocks, launch.function, launch.threads,
                                                        launch.shared_bytes),
          "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
    uses.push_back({.kernel = launch.kernel,
                    .launches = 1,
                    .blocks = launch.blocks,
                    .threads = launch.threads,
                    .dynamic_shared_bytes = static_cast<int64_t>(launch.shared_bytes),
                    .static_shared_bytes = static_cast<int64_t>(attributes.sharedSizeBytes),
                    .registers = attributes.numRegs,
                    .blocks_a_multiprocessor = resident_blocks,
                    .warps_a_multiprocessor = properties_.maxThreadsPerMultiProcessor / properties_.warpSize});
  }
  return uses;
}

CapturedPasses* BackendDevice::capture(const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream_, &graph);
    cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(error, "cudaGraphInstantiate");
  return new CapturedPasses{executable};
}

void BackendDevice::replay(CapturedPasses* captured) {
  check(cudaGraphLaunch(captured->graph, stream_), "cudaGraphLaunch");
}

void BackendDevice::drop(CapturedPasses* captured) {
  cudaSetDevice(index_);
  cudaGraphExecDestroy(captured->graph);
  delete captured;
}

void* BackendDevice::allocate(size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(error, "cudaMalloc of " + std::to_string(bytes) + " bytes");
  return data;
}

void BackendDevice::release(void* data) noexcept {
  cudaSetDevice(index_);
  cudaFree(data);
  cudaGetLastError();
}

void BackendDevice::upload(void* destination, const void* source, size_t bytes) {
  uploads_->queue(*this, destination, source, bytes);
}

StagedUpload* BackendDevice::stage(const void* source, size_t bytes) { return uploads_->stage(source, bytes); }

void BackendDevice::upload(void* destination, StagedUpload* staged) { uploads_->queue(*this, destination, *staged); }

void BackendDevice::drop(StagedUpload* staged) { uploads_->drop(staged); }

void BackendDevice::copy(void* destination, const void* source, size_t bytes) {
  check_call([&] { return cudaMemcpyAsync(destination, source, bytes, cudaMemcpyDeviceToDevice, stream_); },
             "a copy of " + std::to_string(bytes) + " bytes");
}

PendingDownload* BackendDevice::download(void* destination, const void* source, size_t bytes) {
  uploads_->reclaim();
  const bool has_record = may_be_out_of_range_;
  auto pending = std::make_unique<PendingDownload>(PendingDownload{{}, destination, bytes, has_record});
  const cuda::PinnedBlock& block = pending->block = pinned_.take(bytes + record_bytes);
  try {
    if (bytes > 0) {
      check(cudaMemcpyAsync(block.data, source, bytes, cudaMemcpyDeviceToHost, stream_),
            "a download of " + std::to_string(bytes) + " bytes");
    }
    if (has_record) {  // and a new start: this read reports it
      check(cudaMemcpyAsync(block.data + bytes, out_of_range_, record_bytes, cudaMemcpyDeviceToHost, stream_),
            "a download of the record of values out of range");
      check(cudaMemsetAsync(out_of_range_, 0, record_bytes, stream_), "cudaMemsetAsync");
    }
    check(cudaEventRecord(block.event, stream_), "cudaEventRecord");
  } catch (...) {
    pinned_.give(block);
    throw;
  }
  may_be_out_of_range_ = false;
  return pending.release();
}

void BackendDevice::finish(PendingDownload* download) {
  const PendingDownload d = *download;
  delete download;
  cudaSetDevice(index_);
  const cudaError_t error = cudaEventSynchronize(d.block.event);
  cuda::OutOfRange record{};
  if (error == cudaSuccess) {
    std::memcpy(d.destination, d.block.data, d.bytes);
    if (d.has_record) std::memcpy(&record, d.block.data + d.bytes, record_bytes);
  }
  pinned_.give(d.block);
  check(error, "waiting for a download");
  if (record.argument != cuda::CheckedArgument::none) {
    const char* op = nullptr;
    const std::string message = message_of(record, &op);
    throw BackendError("invalid_argument", message, op);
  }
}

void BackendDevice::synchronise() { check(cudaStreamSynchronize(stream_), "waiting for the stream"); }

void* BackendDevice::allocate_working_memory(size_t bytes) {
  void* data = nullptr;
  check_call([&] { return cudaMalloc(&data, bytes); }, "cudaMalloc of " + std::to_string(bytes) + " bytes");
  return data;
}

void* BackendDevice::scratch(size_t bytes) {
  if (bytes == 0 || (caches_ && bytes <= scratch_bytes_)) return scratch_;
  cudaFree(scratch_);  // waits for what still uses it
  scratch_ = nullptr;
  scratch_bytes_ = 0;
  const size_t wanted = caches_ ? bytes + bytes / 2 : bytes;  // so that slowly growing needs settle soon
  scratch_ = allocate_working_memory(wanted);
  scratch_bytes_ = wanted;
  return scratch_;
}

const int32_t* BackendDevice::table(const std::vector<int32_t>& values) {
  const auto found = tables_.find(values);
  if (found != tables_.end()) return found->second;
  const size_t bytes = std::max<size_t>(values.size(), 1) * sizeof(int32_t);
  if (table_bytes_ + bytes > table_limit_bytes) drop_tables();
  auto* data = static_cast<int32_t*>(allocate_working_memory(bytes));
  try {
    upload(data, values.data(), values.size() * sizeof(int32_t));
    tables_.emplace(values, data);
  } catch (...) {
    cudaFree(data);
    throw;
  }
  table_bytes_ += bytes;
  return data;
}

void BackendDevice::drop_tables() {
  for (const auto& [values, data] : tables_) cudaFree(data);  // waits for what still uses it
  tables_.clear();
  table_bytes_ = 0;
}

}  // namespace gmr
