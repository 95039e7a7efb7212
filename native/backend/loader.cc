#include "backend/loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "ops/ops.h"

namespace gmr {
namespace {

struct Level {
  const char* name;
  const char* library;
  bool (*supported)();
};

bool always() { return true; }

#if defined(__x86_64__)
bool v4() { return __builtin_cpu_supports("x86-64-v4"); }
bool v3() { return __builtin_cpu_supports("x86-64-v3"); }
bool v2() { return __builtin_cpu_supports("x86-64-v2"); }
#endif

// Best first.
constexpr Level levels[] = {
#if defined(__x86_64__)
    {"x86-64-v4", "libgmr_cpu_v4.so", v4},
    {"x86-64-v3", "libgmr_cpu_v3.so", v3},
    {"x86-64-v2", "libgmr_cpu_v2.so", v2},
#endif
    {"portable", "libgmr_cpu_portable.so", always},
};

constexpr const char* not_built = "this build has none";

// The folder of gmr.node, with a slash at its end.
std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

// By its whole path: a search by name depends on who calls dlopen, and sanitizers stand in between. Never closed:
// threads of the backend may still run when the process ends.
const Backend* open_library(const char* library, std::string* reason) {
  const std::string path = own_folder() + library;
  if (access(path.c_str(), F_OK) != 0) {
    *reason = not_built;
    return nullptr;
  }
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
  if (backend->abi != backend_abi || backend->pass_count != pass_count || backend->params_layout != params_layout()) {
    *reason = "it was built from other sources than gmr.node (ABI " + std::to_string(backend->abi) + ", expected " +
              std::to_string(backend_abi) + "): build again";
    return nullptr;
  }
  return backend;
}

std::string gpu_library(const std::string& kind) {
  if (kind != "cuda" && kind != "cuda_sim") {
    throw std::invalid_argument("expected device kind to be \"cpu\" or \"cuda\", received \"" + kind + "\"");
  }
  return "libgmr_" + kind + ".so";
}

std::string unsupported(const Level& level) { return "the processor does not support " + std::string(level.name); }

std::string build_of_library(const std::string& library) {
  void* handle = dlopen((own_folder() + library).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return "";
  const auto* text = static_cast<const char*>(dlsym(handle, "gmr_build"));
  return text == nullptr ? "" : text;
}

}  // namespace

const Backend& load_cpu_backend() {
  const char* forced = std::getenv("GMR_CPU_LEVEL");
  const bool is_forced = forced != nullptr && *forced != '\0';
  std::string report;
  for (const Level& level : levels) {
    std::string reason;  // why it is not taken
    if (is_forced && std::string(forced) != level.name) {
      reason = "GMR_CPU_LEVEL asks for " + std::string(forced);
    } else if (!level.supported()) {
      reason = unsupported(level);
    } else if (const Backend* backend = open_library(level.library, &reason); backend != nullptr) {
      return *backend;
    }
    report += "\n  " + std::string(level.library) + ": " + reason;
  }
  throw BackendError("backend_missing", "expected a usable CPU backend beside gmr.node, found none:" + report);
}

const Backend& load_backend(const std::string& kind) {
  if (kind == "cpu") return load_cpu_backend();
  const std::string library = gpu_library(kind);
  std::string reason;
  const Backend* backend = open_library(library.c_str(), &reason);
  if (backend != nullptr) return *backend;
  if (reason == not_built) {
    reason +=
        "; with the CUDA toolkit (nvcc on PATH, in CUDACXX or in /usr/local/cuda) there, `npm run build` makes one";
  }
  throw BackendError("backend_missing", "expected the CUDA backend " + library + " beside gmr.node: " + reason);
}

std::vector<CpuLevel> known_cpu_levels() {
  std::vector<CpuLevel> found;
  for (const Level& level : levels) {
    CpuLevel& entry = found.emplace_back(CpuLevel{level.name, level.library, "", ""});
    if (!level.supported()) {
      entry.problem = unsupported(level);
    } else if (open_library(level.library, &entry.problem) != nullptr) {
      entry.build = build_of_library(level.library);
    }
  }
  return found;
}

std::string build_of_gpu_backend(const std::string& kind) { return build_of_library(gpu_library(kind)); }

}  // namespace gmr
