// Finds and loads backend libraries, which lie beside gmr.node.
#pragma once

#include <string>

#include "backend/backend.h"
#include "backend/backend_library.h"

namespace gmr {

// The best CPU backend that this machine supports, or the one that GMR_CPU_LEVEL names ("x86-64-v2", "x86-64-v3",
// "x86-64-v4", "portable"). Throws BackendError that says what was looked for, with code backend_broken where a library
// that should load does not, else backend_missing. Loaded once a process and level.
const Backend& load_cpu_backend();

// Libraries of better CPU levels than that one which should load and do not, a line each with the reason; empty where
// GMR_CPU_LEVEL names the level.
std::string broken_cpu_libraries();

// The backend of a device kind: "cpu" (as above), "cuda", or "cuda_sim", the CUDA kernels on an interpreter, for tests.
// Throws std::invalid_argument for other kinds, and BackendError: backend_missing where there is no library,
// backend_broken where it does not load.
const Backend& load_backend(const std::string& kind);

// What stands against a library, as an error's code and in words: backend_missing, backend_broken, device_unavailable
// where the processor cannot run it; both empty where it can be used. `build` is what the library says of its making.
struct LibraryState {
  std::string code;
  std::string problem;
  std::string build;
};

// Loads it, whatever GMR_CPU_LEVEL says.
LibraryState try_cpu_library(const CpuLibrary& library);

// What the library of "cuda" or "cuda_sim" says of its making; empty where it does not load.
std::string build_of_gpu_backend(const std::string& kind);

}  // namespace gmr
