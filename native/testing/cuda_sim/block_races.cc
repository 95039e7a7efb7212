// Accesses to global memory that only a race between blocks or missing initialisation makes wrong.
#include <cstdlib>
#include <new>

#include "testing/cuda_sim/device_memory.h"
#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

void DeviceMemory::start_launch(uint64_t block_count, uint32_t granule) {
  // Serials of blocks are never used twice, so that cells of former launches need no clearing.
  if (next_serial_ + block_count >= UINT32_MAX) {
    next_serial_ = 1;
    for (auto& [address, allocation] : allocations_) {
      allocation.cells.reset();
      allocation.touched_launch = 0;
    }
  }
  launch_first_block_ = next_serial_;
  next_serial_ += static_cast<uint32_t>(block_count);
  granule_shift_ = granule == 1 ? 0 : granule == 2 ? 1 : 2;
  released_.clear();
  touched_.clear();
}

std::vector<DeviceMemory::Touched> DeviceMemory::touched() const {
  std::vector<Touched> all;
  for (const Allocation* a : touched_) {
    if (a->read.end > 0) all.push_back({a->address, a->read.begin, a->read.end, false});
    if (a->written.end > 0) all.push_back({a->address, a->written.begin, a->written.end, true});
  }
  return all;
}

void DeviceMemory::note_touch(Allocation& allocation, uint64_t offset, uint32_t bytes, AccessKind kind) {
  if (allocation.touched_launch != launch_first_block_) {
    allocation.touched_launch = launch_first_block_;
    allocation.read = allocation.written = {};
    touched_.push_back(&allocation);
  }
  if (reads_memory(kind)) allocation.read.add(offset, offset + bytes);
  if (writes_memory(kind)) allocation.written.add(offset, offset + bytes);
}

void DeviceMemory::start_block(uint64_t block) {
  block_serial_ = launch_first_block_ + static_cast<uint32_t>(block);
  block_fenced_ = false;
  acquired_.clear();
}

bool DeviceMemory::ordered(const Toucher& other) const {
  if (other.block < launch_first_block_ || other.block == block_serial_) return true;
  const uint32_t index = other.block - launch_first_block_;
  return index < acquired_.size() && acquired_[index];
}

void DeviceMemory::check(Warp& warp, int lane, Allocation& allocation, uint64_t offset, uint32_t bytes,
                         AccessKind kind) {
  note_touch(allocation, offset, bytes, kind);
  uint64_t& word = allocation.initialised[offset / 64];
  const uint64_t mask = ((uint64_t{1} << bytes) - 1) << offset % 64;  // an aligned access lies within one word
  if (reads_memory(kind) && (word & mask) != mask) {
    warp.fault(lane, "uninitialised global memory",
               "read of " + std::to_string(bytes) + " bytes, " + describe(allocation.address + offset));
  }
  if (writes_memory(kind)) word |= mask;
  if (!allocation.cells || allocation.cells_shift != granule_shift_) {
    const uint64_t count = (allocation.bytes >> granule_shift_) + 1;
    allocation.cells.reset(static_cast<Cell*>(std::calloc(count, sizeof(Cell))));
    if (!allocation.cells) throw std::bad_alloc();
    allocation.cells_shift = granule_shift_;
  }
  for (uint64_t at = offset >> granule_shift_; at <= (offset + bytes - 1) >> granule_shift_; ++at) {
    check_cell(warp, lane, allocation, allocation.cells[at], offset, bytes, kind);
  }
  if (is_atomic(kind)) order_behind_atomics(allocation.address + offset, kind);
}

// A block that has passed a fence publishes what it did with its next atomic; who sees that one is ordered behind.
void DeviceMemory::order_behind_atomics(uint64_t address, AccessKind kind) {
  const auto join = [](std::vector<bool>& into, const std::vector<bool>& from) {
    if (into.size() < from.size()) into.resize(from.size());
    for (size_t i = 0; i < from.size(); ++i) {
      if (from[i]) into[i] = true;
    }
  };
  const auto found = released_.find(address);
  if (found != released_.end()) join(acquired_, found->second);
  if (!block_fenced_ || !writes_memory(kind)) return;
  const size_t own = block_serial_ - launch_first_block_;
  if (acquired_.size() <= own) acquired_.resize(own + 1);
  acquired_[own] = true;
  join(released_[address], acquired_);
}

void DeviceMemory::check_cell(Warp& warp, int lane, const Allocation& allocation, Cell& cell, uint64_t offset,
                              uint32_t bytes, AccessKind kind) {
  const bool atomic = is_atomic(kind);
  const auto conflicts = [&](const Toucher& other) {
    return other.block != block_serial_ && !(atomic && other.atomic) && !ordered(other);
  };
  const Toucher self{block_serial_, warp.current, warp.id, static_cast<uint32_t>(lane), atomic};
  if (conflicts(cell.writer)) race(warp, lane, allocation, offset, bytes, kind, cell.writer, true);
  if (writes_memory(kind)) {
    for (const Toucher& reader : cell.readers) {
      if (conflicts(reader)) race(warp, lane, allocation, offset, bytes, kind, reader, false);
    }
    cell.writer = self;
    return;
  }
  for (Toucher& reader : cell.readers) {
    if (reader.block == block_serial_ || ordered(reader)) {
      reader = self;
      return;
    }
  }
}

void DeviceMemory::race(Warp& warp, int lane, const Allocation& allocation, uint64_t offset, uint32_t bytes,
                        AccessKind kind, const Toucher& other, bool other_wrote) const {
  const Block& block = *warp.block;
  const uint64_t other_block = other.block - launch_first_block_;
  const Dim3& grid = block.grid;
  warp.fault(lane, "race between blocks",
             std::string(name_of(kind)) + " of " + std::to_string(bytes) + " bytes, " +
                 describe(allocation.address + offset) + ", not ordered with a " + (other_wrote ? "write" : "read") +
                 " by block (" + std::to_string(other_block % grid.x) + "," +
                 std::to_string(other_block / grid.x % grid.y) + "," + std::to_string(other_block / grid.x / grid.y) +
                 ") " + block.describe_thread(other.warp, other.lane) + "\n    at " +
                 block.describe_instruction(other.instruction));
}

}  // namespace gmr::cuda_sim
