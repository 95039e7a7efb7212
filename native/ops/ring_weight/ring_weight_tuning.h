#pragma once

#include <cstdint>

namespace gmr::cpu {

// Rows that are mixed together, one a vector lane: R is too short and too odd to fill vectors. Two blocks of doubles at
// R = 32 take 32 KiB, the first-level cache.
constexpr int64_t ring_weight_block = 64;

// Rows of a task, also of a partial sum of dlog_sigmas. At R = 5 a task takes some 10 microseconds.
constexpr int64_t ring_weight_task = 1024;

}  // namespace gmr::cpu
