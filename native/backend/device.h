// A device as the addon sees it: a backend, its memory, and a stream - one native thread that executes jobs in order.
// Where the backend only queues work (a GPU), a second thread waits for what is read, so that the stream goes on.
//
// Invariants:
// - A buffer's memory is taken when the first job that writes it runs and given back when its last owner goes, so both
//   happen in stream order and a host that runs ahead does not hold more memory than the stream needs.
// - A job that fails marks what it would have written; jobs that read a marked buffer are skipped and mark their
//   outputs in turn. Buffers that a job updates in place are not marked: they stay as they were, unless a GPU found no
//   memory behind the launch that changed them (batch_norm's running statistics). The first failure is handed to the
//   next read.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backend/allocator.h"
#include "backend/backend.h"

namespace gmr {

struct Failure {
  std::string code;
  std::string op;
  std::string message;
};
using FailureRef = std::shared_ptr<const Failure>;

// The backend's open device and its allocator; outlives every buffer.
struct Memory {
  Memory(const Backend& backend, int index);

  // For errors: what was wanted (0: a pass's working memory) and what there is.
  std::string describe_shortage(size_t wanted_bytes) const;

  const Backend& backend;
  const std::unique_ptr<BackendDevice, void (*)(BackendDevice*)> handle;
  Allocator allocator;  // gone before the device
  std::atomic<uint64_t> live_buffers{0};
  std::atomic<uint64_t> live_bytes{0};  // of buffers that have their memory
  std::atomic<uint64_t> peak_bytes{0};
};

class Buffer {
 public:
  Buffer(std::shared_ptr<Memory> memory, size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  size_t bytes() const { return bytes_; }
  const Memory* memory() const { return memory_.get(); }

 private:
  friend class Device;
  void* materialise();  // throws std::bad_alloc
  void expect_values() const;

  std::shared_ptr<Memory> memory_;
  size_t bytes_;
  void* data_ = nullptr;
  FailureRef failure_;
};
using BufferRef = std::shared_ptr<Buffer>;

enum class Access : uint8_t { read, write, update };

// A buffer that a job uses, and where in the params struct its address belongs.
struct Operand {
  BufferRef buffer;
  uint32_t params_offset;
  Access access;
};

// Stands for no pass of the backend's table but for its `copy`.
constexpr uint16_t copy_pass = UINT16_MAX;

struct Job {
  uint16_t pass;
  uint16_t label;
  const char* op;
  std::vector<Operand> operands;
  std::vector<std::byte> params;
};

struct ProfileEntry {
  uint16_t label;
  uint16_t pass;
  uint64_t count;
  uint64_t nanoseconds;
};

using HostBytes = std::unique_ptr<std::byte[]>;
using ReadDone = std::function<void(HostBytes bytes, FailureRef failure)>;  // must not throw

struct DeviceMemory {
  uint64_t buffers, bytes, peak_bytes, reserved_bytes, cached_bytes, limit_bytes;
};

class Device {
 public:
  Device(const Backend& backend, int index);
  ~Device();  // drops what is queued, waits for the job that runs

  BufferRef create(size_t bytes);
  BufferRef upload(const void* source, size_t bytes);  // copies now; throws BackendError where memory ran out
  void copy(BufferRef source, BufferRef destination, uint16_t label);  // of as many bytes
  void run(Job job);
  void read(BufferRef buffer, ReadDone done);  // `done` is called on a native thread; never after the destructor
  void stop();

  void profile(bool on);
  std::vector<ProfileEntry> profile_entries();  // of what has run so far

  DeviceMemory memory() const;
  void reset_peak();
  void empty_cache();
  const Backend& backend() const { return memory_->backend; }
  const std::shared_ptr<Memory>& shared_memory() const { return memory_; }
  DeviceProperties properties() const { return backend().properties(*memory_->handle); }

 private:
  // A download that the device has not done yet.
  struct Unfinished {
    PendingDownload* download = nullptr;
    HostBytes bytes;
    ReadDone done;
  };

  void push(std::function<void()> task);
  void loop();
  void finish_loop();
  void start_read(Buffer& buffer, ReadDone done);
  void execute(Job& job);
  void call_pass(Job& job);
  FailureRef failure_of(const char* op, size_t wanted_bytes) const noexcept;
  void record(const Job& job, uint64_t nanoseconds);

  std::shared_ptr<Memory> memory_;
  FailureRef pending_failure_;  // the stream's thread only
  const FailureRef exhausted_ = std::make_shared<Failure>(
      Failure{"out_of_memory", "device", "expected enough memory to run what was queued, but there is none left"});

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;

  std::atomic<bool> profiling_{false};
  std::mutex profile_mutex_;
  std::vector<ProfileEntry> profile_entries_;

  std::mutex unfinished_mutex_;
  std::condition_variable unfinished_wake_;
  std::list<Unfinished> unfinished_;
  bool finisher_stopped_ = false;

  std::thread finisher_;  // only where memory is not the host's
  std::thread thread_;
};

}  // namespace gmr
