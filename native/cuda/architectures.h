// Which GPUs a library runs on, by the list of architectures that it was built for.
#pragma once

#include <cstdlib>
#include <sstream>
#include <string>

namespace gmr::cuda {

constexpr int ampere_capability = 80;  // some kernels are for GPUs from here on, and empty in code for older ones

// `built` is CMake's list with commas, "90-real,75-virtual": machine code runs on the same major version from its minor
// version on, PTX on everything from its version on; neither on GPUs that are asked for kernels which it has empty. No
// suffix means both.
inline bool runs_on(const std::string& built, int major, int minor) {
  const int capability = 10 * major + minor;
  std::istringstream entries(built);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const int version = std::atoi(entry.c_str());
    if (version > capability || (version < ampere_capability) != (capability < ampere_capability)) continue;
    if (entry.find("-real") == std::string::npos) return true;
    if (entry.find("-virtual") == std::string::npos && version / 10 == major) return true;
  }
  return false;
}

// Why a GPU that `built` does not serve cannot be used, and what to do about it.
inline std::string refusal(const std::string& gpu, const std::string& built, int major, int minor) {
  constexpr int oldest = 75;  // that nvcc 13 compiles for
  const std::string expected =
      "expected " + gpu + " (compute capability " + std::to_string(major) + "." + std::to_string(minor) + ") to be ";
  if (10 * major + minor < oldest) {
    return expected + "of compute capability 7.5 or newer, which CUDA 13 needs: use another GPU, or the processor";
  }
  return expected + "one that this library was built for (" + built +
         "): build from source, with `npm run build:native -- --CDGMR_CUDA_ARCHITECTURES=" + std::to_string(major) +
         std::to_string(minor) + "-real`";
}

}  // namespace gmr::cuda
