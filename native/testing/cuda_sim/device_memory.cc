#include "testing/cuda_sim/device_memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <new>

#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

namespace {

// Room for addresses, not memory: allocations of all sizes for a process's whole life.
constexpr uint64_t address_space = uint64_t{1} << 40;
constexpr uint64_t page = 4096;
// What is larger than this holds zeros at first instead of NaN, so that only those pages take memory that are touched.
constexpr uint64_t most_filled = uint64_t{1} << 30;

// Reserved once for the whole process, so that the handler below has one range to know.
uint64_t reserved_from = 0;
std::atomic<uint64_t> next_address{0};
struct sigaction previous_action;

// A host that reads or writes through a device pointer gets a reason before it ends as it would on a real machine.
void on_segmentation_fault(int signal, siginfo_t* info, void* context) {
  const uint64_t address = reinterpret_cast<uint64_t>(info->si_addr);
  if (address - reserved_from < address_space) {
    static const char text[] = "cuda_sim: host access to device memory: host code used a device pointer as its own\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(1);
  } else if (previous_action.sa_flags & SA_SIGINFO && previous_action.sa_sigaction != nullptr) {
    previous_action.sa_sigaction(signal, info, context);
    return;
  }
  sigaction(signal, &previous_action, nullptr);  // the instruction runs again and ends the process
}

void reserve_addresses() {
  void* const reserved = mmap(nullptr, address_space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) throw std::bad_alloc();
  reserved_from = reinterpret_cast<uint64_t>(reserved);
  next_address = reserved_from;
  struct sigaction action = {};
  action.sa_sigaction = on_segmentation_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous_action);
}

std::once_flag reserve_once;

}  // namespace

DeviceMemory::DeviceMemory(uint64_t capacity) : capacity_(capacity) { std::call_once(reserve_once, reserve_addresses); }

DeviceMemory::~DeviceMemory() {
  for (auto& [address, allocation] : allocations_) {
    if (!allocation.host) munmap(allocation.storage, allocation.mapped_bytes);
  }
}

void* DeviceMemory::allocate(uint64_t bytes, const std::string& name) {
  if (used_ > capacity_ || bytes > capacity_ - used_) return nullptr;
  Allocation allocation;
  allocation.mapped_bytes = (bytes + page - 1) / page * page;
  // A page between allocations: one that is overrun by a little never ends in its neighbour.
  const uint64_t address_bytes = allocation.mapped_bytes + page;
  if (next_address + address_bytes > reserved_from + address_space) return nullptr;
  void* const storage = mmap(nullptr, allocation.mapped_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (storage == MAP_FAILED) return nullptr;
  if (bytes <= most_filled) std::memset(storage, 0xff, allocation.mapped_bytes);  // NaN in every floating-point type
  allocation.address = next_address.fetch_add(address_bytes);
  allocation.bytes = bytes;
  allocation.storage = static_cast<std::byte*>(storage);
  allocation.name = name;
  allocation.serial = ++allocation_count_;
  allocation.initialised.reset(static_cast<uint64_t*>(std::calloc((bytes + 63) / 64, sizeof(uint64_t))));
  if (!allocation.initialised) {
    munmap(storage, allocation.mapped_bytes);
    return nullptr;
  }
  used_ += bytes;
  void* const address = reinterpret_cast<void*>(allocation.address);
  allocations_.emplace(allocation.address, std::move(allocation));
  return address;
}

bool DeviceMemory::release(const void* address) {
  const auto found = allocations_.find(reinterpret_cast<uint64_t>(address));
  if (found == allocations_.end() || found->second.host) return false;
  Allocation& allocation = found->second;
  munmap(allocation.storage, allocation.mapped_bytes);
  used_ -= allocation.bytes;
  freed_[allocation.address] = {allocation.bytes, allocation.serial};
  last_ = nullptr;
  allocations_.erase(found);
  return true;
}

void DeviceMemory::add_host(void* address, uint64_t bytes) {
  Allocation allocation;
  allocation.address = reinterpret_cast<uint64_t>(address);
  allocation.bytes = bytes;
  allocation.storage = static_cast<std::byte*>(address);
  allocation.name = "host memory";
  allocation.serial = ++allocation_count_;
  allocation.host = true;
  // The host writes there unseen.
  const uint64_t words = (bytes + 63) / 64;
  allocation.initialised.reset(static_cast<uint64_t*>(std::calloc(words, sizeof(uint64_t))));
  if (!allocation.initialised) throw std::bad_alloc();
  std::fill_n(allocation.initialised.get(), words, ~uint64_t{0});
  allocations_[allocation.address] = std::move(allocation);
}

bool DeviceMemory::remove_host(const void* address) {
  const auto found = allocations_.find(reinterpret_cast<uint64_t>(address));
  if (found == allocations_.end() || !found->second.host) return false;
  last_ = nullptr;
  allocations_.erase(found);
  return true;
}

bool DeviceMemory::is_device(const void* address) const {
  return reinterpret_cast<uint64_t>(address) - reserved_from < address_space;
}

DeviceMemory::Allocation* DeviceMemory::find(uint64_t address, uint64_t bytes) {
  const auto holds = [&](const Allocation& a) {
    return address - a.address < a.bytes && bytes <= a.bytes - (address - a.address);
  };
  if (last_ != nullptr && holds(*last_)) return last_;
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return nullptr;
  Allocation& candidate = std::prev(after)->second;
  if (!holds(candidate)) return nullptr;
  return last_ = &candidate;
}

std::byte* DeviceMemory::host_view(const void* address, uint64_t bytes) {
  Allocation* const allocation = find(reinterpret_cast<uint64_t>(address), bytes);
  return allocation == nullptr ? nullptr
                               : allocation->storage + (reinterpret_cast<uint64_t>(address) - allocation->address);
}

uint64_t DeviceMemory::base_of(const void* address, uint64_t bytes) {
  const Allocation* const allocation = find(reinterpret_cast<uint64_t>(address), bytes);
  return allocation == nullptr ? 0 : allocation->address;
}

void DeviceMemory::mark_initialised(const void* address, uint64_t bytes, bool initialised) {
  Allocation* const allocation = find(reinterpret_cast<uint64_t>(address), bytes);
  if (allocation == nullptr || allocation->host) return;
  uint64_t at = reinterpret_cast<uint64_t>(address) - allocation->address;
  const uint64_t end = at + bytes;
  while (at < end) {
    const uint64_t bit = at % 64;
    const uint64_t count = std::min<uint64_t>(64 - bit, end - at);
    const uint64_t mask = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << bit;
    uint64_t& word = allocation->initialised[at / 64];
    word = initialised ? word | mask : word & ~mask;
    at += count;
  }
}

void DeviceMemory::copy_initialised(const void* destination, const void* source, uint64_t bytes) {
  Allocation* const from = find(reinterpret_cast<uint64_t>(source), bytes);
  if (from == nullptr) return;
  const uint64_t first = reinterpret_cast<uint64_t>(source) - from->address;
  std::vector<bool> known(bytes);
  for (uint64_t i = 0; i < bytes; ++i) known[i] = from->initialised[(first + i) / 64] >> (first + i) % 64 & 1;
  // Runs of equal state, since most copies are one run.
  for (uint64_t start = 0; start < bytes;) {
    uint64_t end = start + 1;
    while (end < bytes && known[end] == known[start]) ++end;
    mark_initialised(static_cast<const std::byte*>(destination) + start, end - start, known[start]);
    start = end;
  }
}

std::string DeviceMemory::leaks() const {
  std::string text;
  for (const auto& [address, allocation] : allocations_) {
    const bool is_variable = !allocation.host && !allocation.name.empty();
    if (is_variable) continue;
    text += (allocation.host ? "pinned allocation " : "allocation ") + std::to_string(allocation.serial) + " of " +
            std::to_string(allocation.bytes) + " bytes was never freed\n";
  }
  return text;
}

std::string DeviceMemory::describe(uint64_t address) const {
  const auto place = [&](uint64_t from, uint64_t bytes, uint32_t serial, const char* state) {
    const uint64_t offset = address - from;
    return (offset < bytes ? std::to_string(offset) + " bytes into"
                           : std::to_string(offset - bytes) + " bytes behind") +
           " allocation " + std::to_string(serial) + " of " + std::to_string(bytes) + " bytes" + state;
  };
  const auto after = allocations_.upper_bound(address);
  const auto after_freed = freed_.upper_bound(address);
  const bool lives = after != allocations_.begin();
  if (after_freed != freed_.begin()) {
    const auto& [from, freed] = *std::prev(after_freed);
    if (!lives || std::prev(after)->first < from) return place(from, freed.bytes, freed.serial, ", which was freed");
  }
  if (!lives) return address < page ? "a null pointer" : "no allocation is below it";
  const Allocation& allocation = std::prev(after)->second;
  const std::string name = allocation.name.empty() ? "" : " (" + allocation.name + ")";
  return place(allocation.address, allocation.bytes, allocation.serial, name.c_str());
}

std::byte* DeviceMemory::access_unchecked(Warp& warp, int lane, uint64_t address, uint32_t bytes) {
  if (address % bytes != 0) {
    warp.fault(lane, "misaligned access",
               "global address of " + std::to_string(bytes) + " bytes, " + describe(address));
  }
  Allocation* const allocation = find(address, bytes);
  if (allocation == nullptr) {
    warp.fault(lane, "out of bounds", "global access of " + std::to_string(bytes) + " bytes, " + describe(address));
  }
  return allocation->storage + (address - allocation->address);
}

std::byte* DeviceMemory::access(Warp& warp, int lane, uint64_t address, uint32_t bytes, AccessKind kind) {
  std::byte* const data = access_unchecked(warp, lane, address, bytes);
  check(warp, lane, *last_, address - last_->address, bytes, kind);
  return data;
}

}  // namespace gmr::cuda_sim
