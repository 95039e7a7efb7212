#pragma once

#include <functional>
#include <memory>
#include <string>

#include "testing/cuda_sim/program.h"

namespace gmr::cuda_sim {

// Where a module's variable in global or constant memory lies.
using VariableAddress = std::function<uint64_t(const Variable& variable)>;

// Throws Unsupported, with kernel, line and instruction, for what the opcode table lacks.
Program translate(std::shared_ptr<const Module> module, const std::string& kernel, const VariableAddress& address_of);

// A mangled name in full; what is none stays as it is.
std::string demangle(const std::string& name);

}  // namespace gmr::cuda_sim
