#pragma once

#include <string_view>

#include "testing/cuda_sim/ptx_ast.h"

namespace gmr::cuda_sim {

// Throws Unsupported with the line of the PTX for anything that it does not know.
Module parse_ptx(std::string_view source);

}  // namespace gmr::cuda_sim
