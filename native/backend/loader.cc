#include "backend/loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "backend/backend_library.h"

namespace gmr {
namespace {

constexpr const char* not_built = "this build has none";

// The folder of gmr.node, with a slash at its end.
std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

const Backend* open_library(const std::string& library, std::string* reason) {
  const std::string path = own_folder() + library;
  if (access(path.c_str(), F_OK) != 0) {
    *reason = not_built;
    return nullptr;
  }
  return open_backend_library(path, "gmr.node", reason);
}

std::string gpu_library(const std::string& kind) {
  if (kind != "cuda" && kind != "cuda_sim") {
    throw std::invalid_argument("expected device kind to be \"cpu\" or \"cuda\", received \"" + kind + "\"");
  }
  return "libgmr_" + kind + ".so";
}

std::string unsupported(const CpuLibrary& library) {
  return "the processor does not support " + std::string(library.level);
}

std::string build_of_library(const std::string& library) {
  void* handle = dlopen((own_folder() + library).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return "";
  const auto* text = static_cast<const char*>(dlsym(handle, "gmr_build"));
  return text == nullptr ? "" : text;
}

}  // namespace

const Backend& load_cpu_backend() {
  const std::string forced = forced_cpu_level();
  std::string report;
  for (const CpuLibrary& library : cpu_libraries()) {
    std::string reason;  // why it is not taken
    if (!forced.empty() && forced != library.level) {
      reason = "GMR_CPU_LEVEL asks for " + forced;
    } else if (!library.is_supported()) {
      reason = unsupported(library);
    } else if (const Backend* backend = open_library(library.file, &reason); backend != nullptr) {
      return *backend;
    }
    report += "\n  " + std::string(library.file) + ": " + reason;
  }
  throw BackendError("backend_missing", "expected a usable CPU backend beside gmr.node, found none:" + report);
}

const Backend& load_backend(const std::string& kind) {
  if (kind == "cpu") return load_cpu_backend();
  const std::string library = gpu_library(kind);
  std::string reason;
  const Backend* backend = open_library(library, &reason);
  if (backend != nullptr) return *backend;
  if (reason == not_built) {
    reason +=
        "; with the CUDA toolkit (nvcc on PATH, in CUDACXX or in /usr/local/cuda) there, `npm run build` makes one";
  }
  throw BackendError("backend_missing", "expected the CUDA backend " + library + " beside gmr.node: " + reason);
}

std::vector<CpuLevel> known_cpu_levels() {
  std::vector<CpuLevel> found;
  for (const CpuLibrary& library : cpu_libraries()) {
    CpuLevel& entry = found.emplace_back(CpuLevel{library.level, library.file, "", ""});
    if (!library.is_supported()) {
      entry.problem = unsupported(library);
    } else if (open_library(library.file, &entry.problem) != nullptr) {
      entry.build = build_of_library(library.file);
    }
  }
  return found;
}

std::string build_of_gpu_backend(const std::string& kind) { return build_of_library(gpu_library(kind)); }

}  // namespace gmr
