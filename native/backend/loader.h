// Finds and loads backend libraries, which lie beside gmr.node.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"

namespace gmr {

// What became of one library that could have served.
struct Candidate {
  std::string library;
  std::string level;
  bool supported;      // by this machine's processor
  std::string reason;  // why it was not taken; empty for the one that was
};

// The best CPU backend that this machine supports, or the one that GMR_CPU_LEVEL names ("x86-64-v2", "x86-64-v3",
// "x86-64-v4", "portable"). Throws std::runtime_error that says what was looked for. Loaded once a process and level.
const Backend& load_cpu_backend(std::vector<Candidate>* tried = nullptr);

// The levels for which a library is there and that this machine can run, best first.
std::vector<std::string> usable_cpu_levels();

}  // namespace gmr
