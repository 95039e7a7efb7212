// Which GPUs a library runs on, by the list of architectures that it was built for.
#pragma once

#include <cstdlib>
#include <sstream>
#include <string>

namespace gmr::cuda {

// `built` is CMake's list with commas, "90-real,75-virtual": machine code runs on the same major version from its minor
// version on, PTX on everything from its version on. No suffix means both.
inline bool runs_on(const std::string& built, int major, int minor) {
  const int capability = 10 * major + minor;
  std::istringstream entries(built);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const int version = std::atoi(entry.c_str());
    if (entry.find("-real") == std::string::npos && capability >= version) return true;
    if (entry.find("-virtual") == std::string::npos && version / 10 == major && capability >= version) return true;
  }
  return false;
}

}  // namespace gmr::cuda
