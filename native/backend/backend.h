// The contract between the addon and a backend library (libgmr_cpu_<level>.so, libgmr_cuda.so).
//
// A backend exports one C symbol, gmr_backend(), that returns this table. The addon checks `abi` and `pass_count`
// before it touches anything else, so that a stale library is refused with a clear error.
// Passes and copies are called from one native thread a device, in stream order, and may return before the device has
// done the work; `open` and `properties` may be called from any thread, and so may `release`, `finish` and `close`.
// They report failure by throwing a std::exception: std::bad_alloc where memory ran out (a pass that throws it has
// queued nothing yet), std::invalid_argument where a tensor holds what the pass cannot take, BackendError where the
// code is known; `allocate` returns nullptr instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace gmr {

// Raise it when this file, ops.def's order or a params struct changes its meaning.
constexpr uint32_t backend_abi = 4;

struct BackendDevice;    // each backend defines its own
struct PendingDownload;  // the same

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

struct DeviceProperties {
  std::string name;       // as its maker calls it; empty where the device is the host's processor
  std::string level;      // what kernels were chosen by: "x86-64-v3", "sm_90"
  int64_t threads;        // that do the arithmetic at one time
  uint64_t memory_bytes;  // the device's own; 0 where memory is the host's
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

  BackendDevice* (*open)(int index);
  void (*close)(BackendDevice* device);
  DeviceProperties (*properties)(BackendDevice& device);

  void* (*allocate)(BackendDevice& device, size_t bytes);  // 64-byte aligned; on the host with slack_bytes behind it
  void (*release)(BackendDevice& device, void* data, size_t bytes);
  void (*upload)(BackendDevice& device, void* destination, const void* source, size_t bytes);  // has read the source
  // nullptr: done. Otherwise `finish` must be called, once, on any thread: it waits for all that was queued before,
  // writes the destination, and throws what went wrong on the device up to there.
  PendingDownload* (*download)(BackendDevice& device, void* destination, const void* source, size_t bytes);
  void (*finish)(BackendDevice& device, PendingDownload* download);
  void (*synchronise)(BackendDevice& device);  // waits for all that was queued

  const PassFunction* passes;  // indexed by gmr::Pass
};

// CPU kernels may read (never write) this far behind a buffer's end, so that loops over whole vectors need no scalar
// tail. Memory of a device has no such slack.
constexpr size_t slack_bytes = 128;

using BackendEntry = const Backend* (*)();
constexpr const char* backend_symbol = "gmr_backend";

}  // namespace gmr
