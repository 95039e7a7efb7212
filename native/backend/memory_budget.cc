#include "backend/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "backend/allocator.h"
#include "system/cgroup.h"

namespace gmr {
namespace {

std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count == 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  int shift = 0;
  for (const char* known : {"", "K", "M", "G"}) {
    if (unit == known) return count <= UINT64_MAX >> shift ? std::optional(count << shift) : std::nullopt;
    shift += 10;
  }
  return std::nullopt;
}

std::optional<uint64_t> wanted_limit() {
  const char* variable = std::getenv("GMR_MEMORY_LIMIT");
  const std::string_view text = variable == nullptr ? "" : variable;
  if (text.empty()) return std::nullopt;
  const auto bytes = parse_size(text);
  if (!bytes) {
    throw std::invalid_argument(
        "expected GMR_MEMORY_LIMIT to be a positive number of bytes, or of KiB, MiB or GiB with K, M or G behind it, "
        "received '" +
        std::string(text) + "'");
  }
  return bytes;
}

// Linux promises more memory than there is and kills who uses it. So the rest of the process keeps a tenth.
MemoryBudget::Limit host_limit() {
  const uint64_t machine =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t group = read_cgroup_limits().memory_bytes;
  return {std::min(machine, group) / 10 * 9, group < machine ? "90 % of the control group's" : "90 % of the machine's"};
}

}  // namespace

bool MemoryBudget::take(uint64_t bytes) {
  uint64_t used = used_bytes_;
  do {
    if (bytes > limit_.bytes || used > limit_.bytes - bytes) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes));
  return true;
}

void MemoryBudget::add(Allocator* allocator) {
  std::lock_guard lock(mutex_);
  allocators_.push_back(allocator);
}

void MemoryBudget::remove(Allocator* allocator) {
  std::lock_guard lock(mutex_);
  allocators_.erase(std::find(allocators_.begin(), allocators_.end(), allocator));
}

void MemoryBudget::empty_caches() {
  std::lock_guard lock(mutex_);
  for (Allocator* allocator : allocators_) allocator->empty_cache();
}

std::shared_ptr<MemoryBudget> memory_budget(const Backend& backend, int index, uint64_t device_bytes) {
  // Never destroyed: threads may run until the process is gone.
  static auto* const mutex = new std::mutex;
  static auto* const open = new std::map<std::pair<std::string, int>, std::weak_ptr<MemoryBudget>>;
  std::lock_guard lock(*mutex);
  auto& known = backend.memory_is_host ? (*open)[{"host", 0}] : (*open)[{backend.name, index}];
  auto budget = known.lock();
  if (budget == nullptr) {
    MemoryBudget::Limit limit = device_bytes > 0 ? MemoryBudget::Limit{device_bytes, "the device's own"} : host_limit();
    if (const auto wanted = wanted_limit(); wanted && *wanted < limit.bytes) limit = {*wanted, "GMR_MEMORY_LIMIT"};
    known = budget = std::make_shared<MemoryBudget>(std::move(limit));
  }
  return budget;
}

}  // namespace gmr
