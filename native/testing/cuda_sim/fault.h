// What the simulator throws. A Fault is the kernel's doing and becomes a report; an Unsupported is the simulator's
// limit: an instruction, type or modifier that it does not know. Neither is ever guessed around.
#pragma once

#include <stdexcept>
#include <string>

namespace gmr::cuda_sim {

struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace gmr::cuda_sim
