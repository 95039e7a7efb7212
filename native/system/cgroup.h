// What the control groups that this process is in leave to it, by the kernel's files of version 1 and 2.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace gmr {

// Where nothing limits, the largest value of the type.
struct CgroupLimits {
  uint64_t memory_bytes = std::numeric_limits<uint64_t>::max();
  double cpus = std::numeric_limits<double>::infinity();  // processor time in a second of time
};

// `root` stands for "/"; tests have files of their own below it.
CgroupLimits read_cgroup_limits(const std::string& root = "");

}  // namespace gmr
