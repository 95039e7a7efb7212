#include "backend/backend_library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "ops/ops.h"

namespace gmr {
namespace {

bool always() { return true; }

#if defined(__x86_64__)
bool v4() { return __builtin_cpu_supports("x86-64-v4"); }
bool v3() { return __builtin_cpu_supports("x86-64-v3"); }
bool v2() { return __builtin_cpu_supports("x86-64-v2"); }
#endif

constexpr CpuLibrary libraries[] = {
#if defined(__x86_64__)
    {"x86-64-v4", "libgmr_cpu_v4.so", v4},
    {"x86-64-v3", "libgmr_cpu_v3.so", v3},
    {"x86-64-v2", "libgmr_cpu_v2.so", v2},
#endif
    {"portable", "libgmr_cpu_portable.so", always},
};

// How an ELF file is cut off, or empty. Linux maps what is behind the end of a file all the same, and ends the process
// that touches it. What else is wrong with a file says dlopen.
std::string how_cut_off(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<uint64_t>(file.tellg());
  const auto read = [&file](uint64_t offset, auto* into) {
    file.seekg(static_cast<std::streamoff>(offset));
    return static_cast<bool>(file.read(reinterpret_cast<char*>(into), sizeof(*into)));
  };
  ElfW(Ehdr) header;
  if (!read(0, &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "";
  ElfW(Phdr) segment;
  uint64_t needed = header.e_phoff + header.e_phnum * sizeof(segment);
  for (int i = 0; i < header.e_phnum && read(header.e_phoff + i * sizeof(segment), &segment); ++i) {
    if (segment.p_type == PT_LOAD) needed = std::max<uint64_t>(needed, segment.p_offset + segment.p_filesz);
  }
  if (needed <= size) return "";
  return "expected at least " + std::to_string(needed) + " bytes, received " + std::to_string(size) +
         ": the file is cut off";
}

}  // namespace

std::span<const CpuLibrary> cpu_libraries() { return libraries; }

std::string forced_cpu_level() {
  const char* level = std::getenv("GMR_CPU_LEVEL");
  return level == nullptr ? "" : level;
}

void* open_library_file(const std::string& path, std::string* reason) {
  if (const std::string cut_off = how_cut_off(path); !cut_off.empty()) {
    *reason = path + ": " + cut_off;
    return nullptr;
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) *reason = dlerror();
  return handle;
}

const Backend* open_backend_library(const std::string& path, const std::string& program, std::string* reason) {
  void* handle = open_library_file(path, reason);
  if (handle == nullptr) return nullptr;
  const auto entry = reinterpret_cast<BackendEntry>(dlsym(handle, backend_symbol));
  if (entry == nullptr) {
    *reason = std::string("it has no symbol ") + backend_symbol;
    return nullptr;
  }
  const Backend* backend = entry();
  std::string difference;
  if (backend->abi != backend_abi) {
    difference = "ABI " + std::to_string(backend->abi) + ", expected " + std::to_string(backend_abi);
  } else if (backend->pass_count != pass_count) {
    difference = std::to_string(backend->pass_count) + " passes, expected " + std::to_string(pass_count);
  } else if (backend->params_layout != params_layout()) {
    difference = "passes take other params";
  }
  if (!difference.empty()) {
    *reason = "it was built from other sources than " + program + " (" + difference + "): build again";
    return nullptr;
  }
  return backend;
}

}  // namespace gmr
