#pragma once

#include <cstdint>

namespace gmr::cpu {

// Logits a task: one exponential each, so some 10 microseconds. An eighth of what a loop of additions would take.
constexpr int64_t cross_entropy_grain = 2048;

}  // namespace gmr::cpu
