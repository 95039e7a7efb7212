#pragma once

#include <cstdint>

namespace gmr::cpu {

// Elements a task of an elementwise loop: 64 KiB of each operand. A task of this size takes 2 to 10 microseconds, ten
// times what it costs to hand it to a thread.
constexpr int64_t elementwise_grain = 16384;

}  // namespace gmr::cpu
