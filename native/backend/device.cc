#include "backend/device.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace gmr {
namespace {

// The params of copy_pass.
struct Copy {
  void* destination;
  const void* source;
  size_t bytes;
};

}  // namespace

Memory::Memory(const Backend& b, int index)
    : backend(b),
      handle(b.open(index, [this] { allocator.budget().empty_caches(); }), b.close),
      allocator([this](size_t bytes) { return backend.allocate(*handle, bytes); },
                [this](void* data, size_t bytes) { backend.release(*handle, data, bytes); },
                memory_budget(backend, index, backend.properties(*handle).memory_bytes), caches_memory()) {}

std::string Memory::describe_shortage(size_t wanted_bytes) const {
  const auto stats = allocator.stats();
  const MemoryBudget& budget = allocator.budget();
  return "expected " + (wanted_bytes > 0 ? std::to_string(wanted_bytes) + " bytes" : "working memory") +
         " to be available, but there is too little: tensors hold " +
         std::to_string(stats.reserved_bytes - stats.cached_bytes) + " bytes, the cache " +
         std::to_string(stats.cached_bytes) + ", all threads together " + std::to_string(budget.used_bytes()) +
         " of at most " + std::to_string(budget.limit().bytes) + " (" + budget.limit().reason +
         "): take a smaller batch, free tensors sooner (scope, dispose), or " +
         (budget.limit().reason == MemoryBudget::variable ? "raise it" : "end what else uses this memory");
}

Buffer::Buffer(std::shared_ptr<Memory> memory, size_t bytes) : memory_(std::move(memory)), bytes_(bytes) {
  memory_->live_buffers += 1;
}

void Buffer::expect_values() const {
  if (data_ != nullptr || bytes_ == 0) return;
  throw BackendError("device_failure",
                     "expected its inputs to hold values, received a buffer that nothing has written");
}

Buffer::~Buffer() {
  memory_->live_buffers -= 1;
  if (data_ == nullptr) return;
  memory_->live_bytes -= bytes_;
  memory_->allocator.release(data_, bytes_);
}

void* Buffer::materialise() {
  if (data_ != nullptr) return data_;
  data_ = memory_->allocator.allocate(bytes_);
  if (data_ == nullptr) throw std::bad_alloc();
  const uint64_t live = memory_->live_bytes += bytes_;
  uint64_t peak = memory_->peak_bytes;
  while (peak < live && !memory_->peak_bytes.compare_exchange_weak(peak, live)) {
  }
  return data_;
}

Device::Device(const Backend& backend, int index) : memory_(std::make_shared<Memory>(backend, index)) {
  try {
    if (!backend.memory_is_host) finisher_ = std::thread([this] { finish_loop(); });
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error& error) {
    stop();
    throw BackendError("device_unavailable", std::string("expected the system to start a thread: ") + error.what());
  } catch (...) {
    stop();
    throw;
  }
}

Device::~Device() { stop(); }

void Device::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  queue_.clear();
  {
    std::lock_guard lock(unfinished_mutex_);
    finisher_stopped_ = true;
  }
  unfinished_wake_.notify_all();
  if (finisher_.joinable()) finisher_.join();
}

BufferRef Device::create(size_t bytes) { return std::make_shared<Buffer>(memory_, bytes); }

BufferRef Device::upload(const void* source, size_t bytes) {
  auto buffer = create(bytes);
  if (backend().memory_is_host) {
    try {
      void* data = buffer->materialise();
      if (bytes > 0) backend().upload(*memory_->handle, data, source, bytes);
    } catch (const std::bad_alloc&) {
      throw BackendError("out_of_memory", memory_->describe_shortage(bytes), "tensor");
    }
    return buffer;
  }
  // In stream order: the memory that the buffer gets may still be in use by what was queued before.
  std::shared_ptr<StagedUpload> staged(bytes > 0 ? backend().stage(*memory_->handle, source, bytes) : nullptr,
                                       [memory = memory_](StagedUpload* ended) {
                                         if (ended != nullptr) memory->backend.drop_staged(*memory->handle, ended);
                                       });
  std::shared_ptr<std::byte[]> copied;
  if (bytes > 0 && staged == nullptr) {
    copied.reset(new std::byte[bytes]);
    std::memcpy(copied.get(), source, bytes);
  }
  push([this, buffer, staged, copied, bytes] {
    try {
      void* data = buffer->materialise();
      if (staged != nullptr) {
        backend().upload_staged(*memory_->handle, data, staged.get());
      } else if (bytes > 0) {
        backend().upload(*memory_->handle, data, copied.get(), bytes);
      }
    } catch (...) {
      buffer->failure_ = failure_of("tensor", bytes);
      if (pending_failure_ == nullptr) pending_failure_ = buffer->failure_;
    }
  });
  return buffer;
}

void Device::push(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Device::copy(BufferRef source, BufferRef destination, uint16_t label) {
  const Copy params{nullptr, nullptr, destination->bytes()};
  if (source == destination || params.bytes == 0) return;
  Job job{copy_pass, label, "copy", {}, std::vector<std::byte>(sizeof(Copy))};
  std::memcpy(job.params.data(), &params, sizeof(params));
  job.operands.push_back({std::move(source), offsetof(Copy, source), Access::read});
  job.operands.push_back({std::move(destination), offsetof(Copy, destination), Access::write});
  run(std::move(job));
}

void Device::run(Job job) {
  auto shared = std::make_shared<Job>(std::move(job));
  push([this, shared] { execute(*shared); });
}

void Device::read(BufferRef buffer, ReadDone done) {
  push([this, buffer = std::move(buffer), done = std::move(done)]() mutable { start_read(*buffer, std::move(done)); });
}

void Device::start_read(Buffer& buffer, ReadDone done) {
  FailureRef failure = std::exchange(pending_failure_, nullptr);
  if (buffer.failure_ != nullptr) failure = buffer.failure_;
  HostBytes bytes;
  if (failure == nullptr) {
    try {
      buffer.expect_values();
      bytes.reset(new std::byte[std::max<size_t>(buffer.bytes_, 1)]);
      std::list<Unfinished> begun(1);  // before the download: once that is on its way, nothing may fail any more
      PendingDownload* download =
          backend().download(*memory_->handle, bytes.get(), buffer.materialise(), buffer.bytes_);
      if (download != nullptr) {
        begun.front() = {download, std::move(bytes), std::move(done)};
        {
          std::lock_guard lock(unfinished_mutex_);
          unfinished_.splice(unfinished_.end(), begun);
        }
        unfinished_wake_.notify_one();
        return;
      }
    } catch (...) {
      failure = failure_of("data", buffer.bytes_);
    }
  }
  done(std::move(bytes), std::move(failure));
}

// What was begun is ended also after the stop, since the backend holds memory for it; but nobody is told.
void Device::finish_loop() {
  for (;;) {
    Unfinished next;
    bool is_stopped;
    {
      std::unique_lock lock(unfinished_mutex_);
      unfinished_wake_.wait(lock, [this] { return finisher_stopped_ || !unfinished_.empty(); });
      if (unfinished_.empty()) return;
      next = std::move(unfinished_.front());
      unfinished_.pop_front();
      is_stopped = finisher_stopped_;
    }
    FailureRef failure;
    try {
      backend().finish(*memory_->handle, next.download);
    } catch (...) {
      failure = failure_of("data", 0);
    }
    if (!is_stopped) next.done(std::move(next.bytes), std::move(failure));
  }
}

void Device::loop() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (stopped_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      task();
    } catch (...) {
      if (pending_failure_ == nullptr) pending_failure_ = failure_of("device", 0);
    }
  }
}

void Device::execute(Job& job) {
  FailureRef failure;
  for (const auto& operand : job.operands) {
    if (operand.access != Access::write && failure == nullptr) failure = operand.buffer->failure_;
  }
  if (failure == nullptr) {
    size_t wanted_bytes = 0;
    try {
      for (const auto& operand : job.operands) {
        if (operand.access != Access::write) operand.buffer->expect_values();
      }
      for (const auto& operand : job.operands) {
        wanted_bytes = operand.buffer->bytes_;
        void* data = operand.buffer->materialise();
        std::memcpy(job.params.data() + operand.params_offset, &data, sizeof(data));
      }
      wanted_bytes = 0;
      call_pass(job);
    } catch (...) {
      failure = failure_of(job.op, wanted_bytes);
    }
    if (failure != nullptr && pending_failure_ == nullptr) pending_failure_ = failure;
  }
  for (const auto& operand : job.operands) {
    if (operand.access == Access::write) operand.buffer->failure_ = failure;
  }
}

void Device::call_pass(Job& job) {
  const bool is_timed = profiling_;
  if (is_timed) backend().synchronise(*memory_->handle);
  const auto start = std::chrono::steady_clock::now();
  if (job.pass == copy_pass) {
    Copy copy;
    std::memcpy(&copy, job.params.data(), sizeof(copy));
    backend().copy(*memory_->handle, copy.destination, copy.source, copy.bytes);
  } else {
    backend().passes[job.pass](*memory_->handle, job.params.data());
  }
  if (is_timed) {
    backend().synchronise(*memory_->handle);
    record(job, static_cast<uint64_t>((std::chrono::steady_clock::now() - start).count()));
  }
}

// The failure that the exception in flight stands for.
FailureRef Device::failure_of(const char* op, size_t wanted_bytes) const noexcept try {
  const auto failure = [&](const char* code, const std::string& message) {
    return std::make_shared<Failure>(Failure{code, op, message});
  };
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return failure("out_of_memory", memory_->describe_shortage(wanted_bytes));
  } catch (const BackendError& error) {
    if (error.op() != nullptr) op = error.op();
    return failure(error.code(), error.what());
  } catch (const std::invalid_argument& error) {  // bad values in a tensor, such as a class that does not exist
    return failure("invalid_argument", error.what());
  } catch (const std::exception& error) {
    return failure("device_failure", error.what());
  }
} catch (const std::bad_alloc&) {  // not even the memory to say what happened
  return exhausted_;
}

void Device::empty_cache() {
  if (backend().memory_is_host) {
    memory_->allocator.empty_cache();
#ifdef __GLIBC__
    malloc_trim(0);  // which keeps small blocks otherwise
#endif
  } else {  // giving memory back may wait for the device: not on the caller's thread
    push([this] { memory_->allocator.empty_cache(); });
  }
}

void Device::profile(bool on) {
  if (on) {
    std::lock_guard lock(profile_mutex_);
    profile_entries_.clear();
  }
  profiling_ = on;
}

void Device::record(const Job& job, uint64_t nanoseconds) {
  std::lock_guard lock(profile_mutex_);
  auto found = std::find_if(profile_entries_.begin(), profile_entries_.end(),
                            [&](const ProfileEntry& e) { return e.label == job.label && e.pass == job.pass; });
  if (found == profile_entries_.end()) {
    found = profile_entries_.insert(profile_entries_.end(), ProfileEntry{job.label, job.pass, 0, 0});
  }
  found->count += 1;
  found->nanoseconds += nanoseconds;
}

std::vector<ProfileEntry> Device::profile_entries() {
  std::lock_guard lock(profile_mutex_);
  return profile_entries_;
}

DeviceMemory Device::memory() const {
  const auto stats = memory_->allocator.stats();
  return {memory_->live_buffers, memory_->live_bytes, memory_->peak_bytes,
          stats.reserved_bytes,  stats.cached_bytes,  memory_->allocator.budget().limit().bytes};
}

void Device::reset_peak() { memory_->peak_bytes = memory_->live_bytes.load(); }

}  // namespace gmr
