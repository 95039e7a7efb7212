// The contract between the addon and a backend library (libgmr_cpu_<level>.so, libgmr_cuda.so).
//
// A backend exports one C symbol, gmr_backend(), that returns this table. The addon checks `abi` and `pass_count`
// before it touches anything else, so that a stale library is refused with a clear error.
// Passes and copies are called from one native thread a device, in stream order, and may return before the device has
// done the work; `count`, `open` and `properties` may be called from any thread, and so may `release`, `stage`,
// `drop_staged`, `finish` and `close`.
// They report failure by throwing a std::exception: std::bad_alloc where memory ran out, std::invalid_argument where a
// tensor holds what the pass cannot take, BackendError where the code is known; `allocate` returns nullptr instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace gmr {

// Raise it when this file, ops.def's order or a params struct changes its meaning.
constexpr uint32_t backend_abi = 6;

// Each backend defines its own.
struct BackendDevice;
struct StagedUpload;
struct PendingDownload;
struct CapturedPasses;

// A failure whose code (of lib/errors.ts) is known; `op`, where it is not nullptr, is the op that met it.
class BackendError : public std::runtime_error {
 public:
  BackendError(const char* code, const std::string& message, const char* op = nullptr)
      : std::runtime_error(message), code_(code), op_(op) {}

  const char* code() const { return code_; }
  const char* op() const { return op_; }

 private:
  const char* code_;
  const char* op_;
};

struct DeviceCount {
  int count;
  std::string problem;  // where there are none: why, and what to do about it
};

struct DeviceProperties {
  std::string name;       // as its maker calls it; empty where the device is the host's processor
  std::string level;      // what kernels were chosen by: "x86-64-v3", "sm_90"
  int64_t threads;        // that do the arithmetic at one time
  uint64_t memory_bytes;  // the device's own; 0 where memory is the host's
};

// A kernel that passes launched, in one shape.
struct KernelUse {
  std::string kernel;
  int64_t launches;
  int64_t blocks;  // of the first launch
  int threads;
  int64_t dynamic_shared_bytes;
  int64_t static_shared_bytes;
  int registers;                // a thread; 0: unknown
  int blocks_a_multiprocessor;  // at one time
  int warps_a_multiprocessor;   // the most that it could hold
};

using PassFunction = void (*)(BackendDevice& device, const void* params);

struct Backend {
  uint32_t abi;
  uint32_t pass_count;
  uint64_t params_layout;  // hash over the sizes of all params structs
  const char* name;        // "cpu", "cuda"
  // Memory is the host's and passes are done when they return. Otherwise what is released may still be in use by work
  // that was queued before, and is safe to use for what is queued later.
  bool memory_is_host;

  DeviceCount (*count)();
  // `free_memory` gives back what caches hold of the device's memory. Passes, copies and uploads call it where memory is
  // missing, and try again what failed, alone: a pass may have changed its tensors by then.
  BackendDevice* (*open)(int index, std::function<void()> free_memory);
  void (*close)(BackendDevice* device);
  DeviceProperties (*properties)(BackendDevice& device);

  void* (*allocate)(BackendDevice& device, size_t bytes);  // 64-byte aligned; on the host with slack_bytes behind it
  void (*release)(BackendDevice& device, void* data, size_t bytes);
  void (*upload)(BackendDevice& device, void* destination, const void* source, size_t bytes);  // has read the source
  // An upload in two steps, which saves a copy of the source: `stage` reads it at once, without waiting, or returns
  // nullptr where there is no room for it now; `upload_staged` queues the rest. `drop_staged` must end it either way.
  StagedUpload* (*stage)(BackendDevice& device, const void* source, size_t bytes);
  void (*upload_staged)(BackendDevice& device, void* destination, StagedUpload* staged);
  void (*drop_staged)(BackendDevice& device, StagedUpload* staged);
  void (*copy)(BackendDevice& device, void* destination, const void* source, size_t bytes);  // within the device
  // nullptr: done. Otherwise `finish` must be called, once, on any thread: it waits for all that was queued before,
  // writes the destination, and throws what went wrong on the device up to there.
  PendingDownload* (*download)(BackendDevice& device, void* destination, const void* source, size_t bytes);
  void (*finish)(BackendDevice& device, PendingDownload* download);
  void (*synchronise)(BackendDevice& device);  // waits for all that was queued

  // For tools that measure. Runs `work`, which calls passes, and tells what kernels they launched.
  std::vector<KernelUse> (*watch)(BackendDevice& device, const std::function<void()>& work);
  // The same as something to be queued again and again at the cost of one call, or nullptr where there is no such thing.
  // `work` has run before, so that it takes no memory. No other pass may run until it is dropped.
  CapturedPasses* (*capture)(BackendDevice& device, const std::function<void()>& work);
  void (*replay)(BackendDevice& device, CapturedPasses* captured);
  void (*drop_captured)(BackendDevice& device, CapturedPasses* captured);

  const PassFunction* passes;  // indexed by gmr::Pass
};

// CPU kernels may read (never write) this far behind a buffer's end, so that loops over whole vectors need no scalar
// tail. Memory of a device has no such slack.
constexpr size_t slack_bytes = 128;

// Whether memory that is given back is kept. GMR_MEMORY_CACHE=0: no; what checks accesses (compute-sanitizer, the
// interpreter of CUDA kernels) then knows each tensor's memory from its first byte to its last.
inline bool caches_memory() {
  const char* variable = std::getenv("GMR_MEMORY_CACHE");
  const std::string text = variable == nullptr || *variable == '\0' ? "1" : variable;
  if (text != "0" && text != "1") {
    throw std::invalid_argument("expected GMR_MEMORY_CACHE to be 0 or 1, received '" + text + "'");
  }
  return text == "1";
}

using BackendEntry = const Backend* (*)();
constexpr const char* backend_symbol = "gmr_backend";

}  // namespace gmr
