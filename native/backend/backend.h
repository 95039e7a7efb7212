// The contract between the addon and a backend library (libgmr_cpu_<level>.so, libgmr_cuda.so).
//
// A backend exports one C symbol, gmr_backend(), that returns this table. The addon checks `abi` and `pass_count`
// before it touches anything else, so that a stale library is refused with a clear error.
// All functions but `open` are called from one native thread a device, in stream order. They report failure by throwing
// a std::exception (std::bad_alloc where memory ran out); `allocate` returns nullptr instead.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gmr {

// Raise it when this file, ops.def's order or a params struct changes its meaning.
constexpr uint32_t backend_abi = 1;

struct BackendDevice;  // each backend defines its own

using PassFunction = void (*)(BackendDevice& device, const void* params);

struct Backend {
  uint32_t abi;
  uint32_t pass_count;
  uint64_t params_layout;  // hash over the sizes of all params structs
  const char* name;        // "cpu", "cuda"
  const char* level;       // instruction-set level or architecture, e.g. "x86-64-v3"

  BackendDevice* (*open)(int index);
  void (*close)(BackendDevice* device);
  int (*thread_count)(BackendDevice& device);

  void* (*allocate)(BackendDevice& device, size_t bytes);  // 64-byte aligned, with `slack_bytes` readable behind it
  void (*release)(BackendDevice& device, void* data, size_t bytes);
  void (*upload)(BackendDevice& device, void* destination, const void* source, size_t bytes);
  void (*download)(BackendDevice& device, void* destination, const void* source, size_t bytes);

  const PassFunction* passes;  // indexed by gmr::Pass
};

// Kernels may read (never write) this far behind a buffer's end, so that loops over whole vectors need no scalar tail.
constexpr size_t slack_bytes = 128;

using BackendEntry = const Backend* (*)();
constexpr const char* backend_symbol = "gmr_backend";

}  // namespace gmr
