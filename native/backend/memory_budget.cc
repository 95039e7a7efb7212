#include "backend/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
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

// Takes a decimal integer off the front of `text`.
std::optional<uint64_t> take_integer(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// The power of two that a unit stands for, whatever its case: K, M, G or T, also with B or iB behind it; B or none: bytes.
std::optional<int> shift_of(std::string_view unit) {
  std::string lower(unit);
  for (char& letter : lower) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  if (lower == "" || lower == "b") return 0;
  int shift = 10;
  for (const std::string prefix : {"k", "m", "g", "t"}) {
    if (lower == prefix || lower == prefix + "b" || lower == prefix + "ib") return shift;
    shift += 10;
  }
  return std::nullopt;
}

// `<digits>[.<digits>][ ]<unit>`, at least one byte; a fraction of a byte is dropped.
std::optional<uint64_t> parse_size(std::string_view text) {
  const auto whole = take_integer(text);
  if (!whole) return std::nullopt;
  double fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    size_t left = text.size();
    const auto digits = take_integer(text);
    if (!digits) return std::nullopt;
    double scale = 1;
    for (; left > text.size(); --left) scale *= 10;
    fraction = static_cast<double>(*digits) / scale;
  }
  if (text.starts_with(' ')) text.remove_prefix(1);
  const auto shift = shift_of(text);
  if (!shift || *whole > UINT64_MAX >> *shift) return std::nullopt;
  const uint64_t bytes = (*whole << *shift) + static_cast<uint64_t>(std::ldexp(fraction, *shift));
  return bytes > 0 ? std::optional(bytes) : std::nullopt;
}

std::optional<uint64_t> wanted_limit() {
  const char* variable = std::getenv(MemoryBudget::variable);
  const std::string_view text = variable == nullptr ? "" : variable;
  if (text.empty()) return std::nullopt;
  const auto bytes = parse_size(text);
  if (!bytes) {
    throw std::invalid_argument(
        "expected GMR_MEMORY_LIMIT to be a size such as 4G, 0.5g, 512MiB or 1048576: a positive number, and behind it "
        "K, M, G or T for 2^10, 2^20, 2^30 or 2^40 bytes (B or iB may follow), or nothing for bytes, received '" +
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
    if (const auto wanted = wanted_limit(); wanted && *wanted < limit.bytes) limit = {*wanted, MemoryBudget::variable};
    known = budget = std::make_shared<MemoryBudget>(std::move(limit));
  }
  return budget;
}

}  // namespace gmr
