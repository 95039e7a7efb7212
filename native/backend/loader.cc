#include "backend/loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace gmr {
namespace {

constexpr const char* not_built = "backend_missing";
constexpr const char* broken = "backend_broken";
constexpr const char* unsupported = "device_unavailable";

// What stands against a library: an error's code, and the reason in words. Both are empty where nothing does.
struct Obstacle {
  std::string code;
  std::string reason;
};

// The folder of gmr.node, with a slash at its end.
std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

const Backend* open_library(const std::string& library, Obstacle* obstacle) {
  const std::string path = own_folder() + library;
  if (access(path.c_str(), F_OK) != 0) {
    *obstacle = {not_built, "this build has none"};
    return nullptr;
  }
  const Backend* backend = open_backend_library(path, "gmr.node", &obstacle->reason);
  if (backend == nullptr) obstacle->code = broken;
  return backend;
}

const Backend* open_library(const CpuLibrary& library, Obstacle* obstacle) {
  if (library.is_supported()) return open_library(std::string(library.file), obstacle);
  *obstacle = {unsupported, "the processor does not support " + std::string(library.level)};
  return nullptr;
}

std::string gpu_library(const std::string& kind) {
  if (kind != "cuda" && kind != "cuda_sim") {
    throw std::invalid_argument("expected device kind to be \"cpu\" or \"cuda\", received \"" + kind + "\"");
  }
  return "libgmr_" + kind + ".so";
}

std::string build_of_library(const std::string& library) {
  std::string reason;
  void* handle = open_library_file(own_folder() + library, &reason);
  if (handle == nullptr) return "";
  const auto* text = static_cast<const char*>(dlsym(handle, "gmr_build"));
  return text == nullptr ? "" : text;
}

std::string usable_cpu_levels() {
  std::string names;
  for (const CpuLibrary& library : cpu_libraries()) {
    Obstacle obstacle;
    if (open_library(library, &obstacle) != nullptr) names += (names.empty() ? "" : ", ") + std::string(library.level);
  }
  return names.empty() ? "none" : names;
}

}  // namespace

const Backend& load_cpu_backend() {
  const std::string forced = forced_cpu_level();
  const char* code = not_built;
  std::string report;
  for (const CpuLibrary& library : cpu_libraries()) {
    if (!forced.empty() && forced != library.level) continue;
    Obstacle obstacle;
    if (const Backend* backend = open_library(library, &obstacle); backend != nullptr) return *backend;
    if (obstacle.code == broken) code = broken;
    report += "\n  " + std::string(library.file) + ": " + obstacle.reason;
  }
  if (!forced.empty()) {
    const std::string expected = "; expected one that can be used here: " + usable_cpu_levels();
    throw BackendError(code, "GMR_CPU_LEVEL asks for " + forced + expected + report);
  }
  throw BackendError(code, "expected a usable CPU backend beside gmr.node, found none:" + report);
}

std::string broken_cpu_libraries() {
  std::string report;
  if (!forced_cpu_level().empty()) return report;
  for (const CpuLibrary& library : cpu_libraries()) {
    Obstacle obstacle;
    if (open_library(library, &obstacle) != nullptr) break;
    if (obstacle.code == broken) report += "\n  " + std::string(library.file) + ": " + obstacle.reason;
  }
  return report;
}

const Backend& load_backend(const std::string& kind) {
  if (kind == "cpu") return load_cpu_backend();
  const std::string library = gpu_library(kind);
  Obstacle obstacle;
  const Backend* backend = open_library(library, &obstacle);
  if (backend != nullptr) return *backend;
  const std::string expected = "expected the CUDA backend " + library + " beside gmr.node";
  if (obstacle.code == broken) throw BackendError(broken, expected + " to load: " + obstacle.reason);
  throw BackendError(
      not_built,
      expected + ": " + obstacle.reason +
          "; with the CUDA toolkit (nvcc on PATH, in CUDACXX or in /usr/local/cuda) there, `npm run build:native -- "
          "--CDGMR_CUDA=ON` makes one");
}

LibraryState try_cpu_library(const CpuLibrary& library) {
  Obstacle obstacle;
  const bool is_usable = open_library(library, &obstacle) != nullptr;
  return {obstacle.code, obstacle.reason, is_usable ? build_of_library(library.file) : ""};
}

std::string build_of_gpu_backend(const std::string& kind) { return build_of_library(gpu_library(kind)); }

}  // namespace gmr
