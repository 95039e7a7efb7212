#include "system/cgroup.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

namespace gmr {
namespace {

// Empty where there is no such file.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Nothing for words and negative numbers: "max" and -1 stand for no limit.
std::optional<uint64_t> to_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void limit_memory(CgroupLimits& limits, std::string_view bytes) {
  if (const auto number = to_number(bytes)) limits.memory_bytes = std::min(limits.memory_bytes, *number);
}

void limit_cpus(CgroupLimits& limits, std::string_view quota, std::string_view period) {
  const auto used = to_number(quota), of = to_number(period);
  if (!used || !of || *of == 0) return;
  limits.cpus = std::min(limits.cpus, static_cast<double>(*used) / static_cast<double>(*of));
}

// Calls f with the folder of a group, then with those around it up to where the hierarchy is mounted: each limits what
// is in it. A container may see its own group there, and be told a path that only exists outside: no file, no limit.
template <typename F>
void for_group_and_parents(const std::string& mount, std::string group, F f) {
  for (;;) {
    f(mount + group + "/");
    if (group.empty()) return;
    group.resize(group.rfind('/'));
  }
}

}  // namespace

CgroupLimits read_cgroup_limits(const std::string& root) {
  CgroupLimits limits;
  const std::string mounts = root + "/sys/fs/cgroup";
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:/path
    const size_t first = line.find(':'), second = line.find(":/", first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) {  // version 2; "unified" where version 1 is mounted beside it
      for (const char* mount : {"", "/unified"}) {
        for_group_and_parents(mounts + mount, group, [&](const std::string& folder) {
          limit_memory(limits, first_line(folder + "memory.max"));
          const std::string cpu = first_line(folder + "cpu.max");  // quota period
          const size_t space = std::min(cpu.find(' '), cpu.size());
          limit_cpus(limits, std::string_view(cpu).substr(0, space),
                     std::string_view(cpu).substr(std::min(space + 1, cpu.size())));
        });
      }
    } else {
      for_group_and_parents(mounts + "/" + controllers, group, [&](const std::string& folder) {
        limit_memory(limits, first_line(folder + "memory.limit_in_bytes"));
        limit_cpus(limits, first_line(folder + "cpu.cfs_quota_us"), first_line(folder + "cpu.cfs_period_us"));
      });
    }
  }
  return limits;
}

}  // namespace gmr
