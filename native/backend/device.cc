#include "backend/device.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

namespace gmr {

Memory::Memory(const Backend& b, BackendDevice* h)
    : backend(b),
      handle(h),
      allocator([this](size_t bytes) { return backend.allocate(*handle, bytes); },
                [this](void* data, size_t bytes) { backend.release(*handle, data, bytes); }) {}

Memory::~Memory() {
  allocator.empty_cache();
  backend.close(handle);
}

Buffer::Buffer(std::shared_ptr<Memory> memory, size_t bytes) : memory_(std::move(memory)), bytes_(bytes) {
  memory_->live_buffers += 1;
  const uint64_t live = memory_->live_bytes += bytes_;
  uint64_t peak = memory_->peak_bytes;
  while (peak < live && !memory_->peak_bytes.compare_exchange_weak(peak, live)) {
  }
}

Buffer::~Buffer() {
  memory_->live_buffers -= 1;
  memory_->live_bytes -= bytes_;
  memory_->allocator.release(data_, bytes_);
}

void* Buffer::materialise() {
  if (data_ == nullptr) data_ = memory_->allocator.allocate(bytes_);
  if (data_ == nullptr) throw std::bad_alloc();
  return data_;
}

Device::Device(const Backend& backend, int index)
    : memory_(std::make_shared<Memory>(backend, backend.open(index))), thread_([this] { loop(); }) {}

Device::~Device() { stop(); }

void Device::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  queue_.clear();
}

BufferRef Device::create(size_t bytes) { return std::make_shared<Buffer>(memory_, bytes); }

BufferRef Device::upload(const void* source, size_t bytes) {
  auto buffer = create(bytes);
  void* data = buffer->materialise();
  if (bytes > 0) backend().upload(*memory_->handle, data, source, bytes);
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

void Device::run(Job job) {
  auto shared = std::make_shared<Job>(std::move(job));
  push([this, shared] { execute(*shared); });
}

void Device::read(BufferRef buffer, ReadDone done) {
  push([this, buffer = std::move(buffer), done = std::move(done)] {
    FailureRef failure = std::exchange(pending_failure_, nullptr);
    if (buffer->failure_ != nullptr) failure = buffer->failure_;
    HostBytes bytes;
    if (failure == nullptr) {
      try {
        bytes.reset(new std::byte[std::max<size_t>(buffer->bytes_, 1)]);
        if (buffer->bytes_ > 0) {
          backend().download(*memory_->handle, bytes.get(), buffer->materialise(), buffer->bytes_);
        }
      } catch (const std::exception& error) {
        failure = std::make_shared<Failure>(Failure{"out_of_memory", "data", error.what()});
      }
    }
    done(std::move(bytes), std::move(failure));
  });
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
    } catch (...) {  // not even the memory to say what happened
      if (pending_failure_ == nullptr) pending_failure_ = exhausted_;
    }
  }
}

void Device::execute(Job& job) {
  FailureRef failure;
  for (const auto& [buffer, offset, access] : job.operands) {
    if (access == Access::write) continue;
    if (buffer->failure_ != nullptr) failure = buffer->failure_;
    if (failure == nullptr && buffer->data_ == nullptr && buffer->bytes_ > 0) {
      failure = std::make_shared<Failure>(Failure{
          "device_failure", job.op, "expected its inputs to hold values, received a buffer that nothing has written"});
    }
  }
  if (failure == nullptr) {
    size_t wanted_bytes = 0;
    try {
      for (const auto& operand : job.operands) {
        wanted_bytes = operand.buffer->bytes_;
        void* data = operand.buffer->materialise();
        std::memcpy(job.params.data() + operand.params_offset, &data, sizeof(data));
      }
      wanted_bytes = 0;
      const auto start = std::chrono::steady_clock::now();
      backend().passes[job.pass](*memory_->handle, job.params.data());
      if (profiling_) record(job, static_cast<uint64_t>((std::chrono::steady_clock::now() - start).count()));
    } catch (const std::bad_alloc&) {
      const auto stats = memory_->allocator.stats();
      failure = std::make_shared<Failure>(Failure{
          "out_of_memory", job.op,
          "expected " + (wanted_bytes > 0 ? std::to_string(wanted_bytes) + " bytes" : std::string("working memory")) +
              " to be available, but the device has no more (in use: " +
              std::to_string(stats.reserved_bytes - stats.cached_bytes) + " bytes)"});
    } catch (const std::invalid_argument& error) {  // bad values in a tensor, such as a class that does not exist
      failure = std::make_shared<Failure>(Failure{"invalid_argument", job.op, error.what()});
    } catch (const std::exception& error) {
      failure = std::make_shared<Failure>(Failure{"device_failure", job.op, error.what()});
    }
    if (failure != nullptr && pending_failure_ == nullptr) pending_failure_ = failure;
  }
  for (const auto& operand : job.operands) {
    if (operand.access == Access::write) operand.buffer->failure_ = failure;
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
  return {memory_->live_buffers, memory_->live_bytes, memory_->peak_bytes, stats.reserved_bytes, stats.cached_bytes};
}

void Device::reset_peak() { memory_->peak_bytes = memory_->live_bytes.load(); }

}  // namespace gmr
