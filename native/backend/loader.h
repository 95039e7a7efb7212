// Finds and loads backend libraries, which lie beside gmr.node.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"

namespace gmr {

// The best CPU backend that this machine supports, or the one that GMR_CPU_LEVEL names ("x86-64-v2", "x86-64-v3",
// "x86-64-v4", "portable"). Throws std::runtime_error that says what was looked for. Loaded once a process and level.
const Backend& load_cpu_backend();

// The backend of a device kind: "cpu" (as above), "cuda", or "cuda_sim", the CUDA kernels on an interpreter, for tests.
// Throws std::invalid_argument for other kinds, and BackendError with code backend_missing where there is no library.
const Backend& load_backend(const std::string& kind);

// The levels for which a library is there and that this machine can run, best first.
std::vector<std::string> usable_cpu_levels();

}  // namespace gmr
