#include "backend/backend_library.h"

#include <dlfcn.h>

#include <cstdlib>

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

}  // namespace

std::span<const CpuLibrary> cpu_libraries() { return libraries; }

std::string forced_cpu_level() {
  const char* level = std::getenv("GMR_CPU_LEVEL");
  return level == nullptr ? "" : level;
}

const Backend* open_backend_library(const std::string& path, const std::string& program, std::string* reason) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    *reason = dlerror();
    return nullptr;
  }
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
