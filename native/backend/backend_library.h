// Libraries that hold a backend: which there are for the processor, and how one is opened.
#pragma once

#include <span>
#include <string>

#include "backend/backend.h"

namespace gmr {

struct CpuLibrary {
  const char* level;
  const char* file;
  // Whether the processor has its instructions. Without them not even its constructors may run.
  bool (*is_supported)();
};

// Of this architecture, best first.
std::span<const CpuLibrary> cpu_libraries();

// The level that the environment variable GMR_CPU_LEVEL asks for, or empty: the best that can be used.
std::string forced_cpu_level();

// A library's handle, or nullptr and the reason, which names the file. By its whole path: a search by name depends on who
// calls dlopen, and sanitizers stand in between. Never closed: threads of the backend may still run when the process
// ends.
void* open_library_file(const std::string& path, std::string* reason);

// The backend in a library, or nullptr and the reason; `program` is who asks.
const Backend* open_backend_library(const std::string& path, const std::string& program, std::string* reason);

}  // namespace gmr
