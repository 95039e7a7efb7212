#pragma once

#include <cstdint>

namespace gmr::cpu {

// Elements a task: 64 KiB of each operand, a few microseconds. Also the length of the sums that are added up in order.
constexpr int64_t batch_norm_grain = 16384;

// A task takes as many channels as make its pieces of memory this long where there are few pixels: 256 bytes, four
// cache lines.
constexpr int64_t batch_norm_run = 64;

// One task sums and then writes whole channels where what it reads twice is at most this many floats (512 KiB, half of
// the second-level cache of today's server cores): memory is then read once instead of twice.
constexpr int64_t batch_norm_resident_floats = 128 * 1024;

// But only where there are this many such tasks, so that all threads have work.
constexpr int64_t batch_norm_resident_tasks = 16;

}  // namespace gmr::cpu
