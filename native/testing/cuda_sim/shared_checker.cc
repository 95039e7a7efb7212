#include "testing/cuda_sim/shared_checker.h"

#include <algorithm>
#include <cstring>

#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

namespace {

enum Flags : uint8_t { initialised = 1, in_flight = 2, atomic = 4 };

// Read::instruction_and_kind: the lane, or that there were several; whether it was relaxed; the instruction.
constexpr uint32_t several_lanes = 32;
constexpr uint32_t lane_mask = 63;
constexpr uint32_t relaxed_read = 64;
constexpr uint32_t instruction_shift = 7;

}  // namespace

void SharedChecker::start_block(uint32_t warp_count, uint64_t shared_bytes, uint32_t granule) {
  warp_count_ = warp_count;
  shift_ = granule == 1 ? 0 : granule == 2 ? 1 : 2;
  const size_t cells = (shared_bytes >> shift_) + 1;
  cells_.assign(cells, Cell{});
  reads_.assign(cells * warp_count, Read{});
  for (uint32_t warp = 0; warp < 32; ++warp) {
    clocks_[warp] = {};
    clocks_[warp][warp] = 1;
    full_sync_[warp] = 1;
    lane_clocks_[warp].reset();
  }
}

bool SharedChecker::ordered_lanes(uint32_t warp, int earlier, int later, uint32_t clock) const {
  if (earlier == later || clock < full_sync_[warp]) return true;
  return lane_clocks_[warp] && clock < (*lane_clocks_[warp])[later][earlier];
}

void SharedChecker::access(Warp& warp, int lane, uint32_t offset, uint32_t bytes, AccessKind kind, const void* data) {
  const uint32_t me = warp.id;
  const VectorClock& seen = clocks_[me];
  const uint32_t now = seen[me];
  const size_t first = offset >> shift_;
  const size_t last = (offset + bytes - 1) >> shift_;
  for (size_t at = first; at <= last; ++at) {
    Cell& cell = cells_[at];
    if (cell.flags & in_flight) {
      warp.fault(lane, "copy not awaited",
                 std::string(name_of(kind)) + " of shared memory at offset " + std::to_string(offset) +
                     " while an asynchronous copy to it is in flight, issued by " +
                     warp.block->describe_thread(cell.write_warp, cell.write_lane) + "\n    at " +
                     warp.block->describe_instruction(cell.write_instruction));
    }
    if (reads_memory(kind) && !(cell.flags & initialised)) {
      warp.fault(lane, "uninitialised shared memory",
                 "read of " + std::to_string(bytes) + " bytes at offset " + std::to_string(offset));
    }
    if (cell.write_clock != 0 && !(is_atomic(kind) && cell.flags & atomic)) {
      const bool ordered = cell.write_warp == me ? ordered_lanes(me, cell.write_lane, lane, cell.write_clock)
                                                 : cell.write_clock <= seen[cell.write_warp];
      // Lanes that write the same value in one instruction leave no doubt about the outcome.
      const bool same_value = !ordered && data != nullptr && cell.write_warp == me &&
                              cell.write_instruction == warp.current &&
                              std::memcmp(&warp.block->shared[offset], data, bytes) == 0;
      if (!ordered && !same_value) {
        report(warp, lane, offset, bytes, kind, cell.write_warp, cell.write_lane, cell.write_instruction, true);
      }
    }
    Read* const reads = this->reads(at);
    if (!writes_memory(kind)) {
      Read& mine = reads[me];
      uint32_t kind_bits = static_cast<uint32_t>(lane) | (is_atomic(kind) ? relaxed_read : 0);
      if (mine.clock == now && (mine.instruction_and_kind & lane_mask) != static_cast<uint32_t>(lane)) {
        kind_bits = several_lanes | (kind_bits & mine.instruction_and_kind & relaxed_read);
      }
      mine = {now, warp.current << instruction_shift | kind_bits};
      continue;
    }
    for (uint32_t other = 0; other < warp_count_; ++other) {
      const Read& read = reads[other];
      if (read.clock == 0 || (is_atomic(kind) && read.instruction_and_kind & relaxed_read)) continue;
      const uint32_t other_lane = read.instruction_and_kind & lane_mask;
      bool ordered = read.clock <= seen[other];
      if (other == me) {
        ordered = other_lane == several_lanes ? read.clock < full_sync_[me]
                                              : ordered_lanes(me, static_cast<int>(other_lane), lane, read.clock);
      }
      if (!ordered) {
        report(warp, lane, offset, bytes, kind, other, other_lane == several_lanes ? -1 : int(other_lane),
               read.instruction_and_kind >> instruction_shift, false);
      }
    }
    std::fill(reads, reads + warp_count_, Read{});
    cell = {now, warp.current, static_cast<uint8_t>(me), static_cast<uint8_t>(lane),
            static_cast<uint8_t>(initialised | (is_atomic(kind) ? atomic : 0))};
  }
}

void SharedChecker::report(Warp& warp, int lane, uint32_t offset, uint32_t bytes, AccessKind kind, uint32_t other_warp,
                           int other_lane, uint32_t other_instruction, bool other_wrote) {
  const std::string other = other_lane < 0 ? "several threads of warp " + std::to_string(other_warp)
                                           : warp.block->describe_thread(other_warp, other_lane);
  warp.fault(lane, "shared memory race",
             std::string(name_of(kind)) + " of " + std::to_string(bytes) + " bytes at offset " +
                 std::to_string(offset) + ", not ordered with a " + (other_wrote ? "write" : "read") + " by " + other +
                 "\n    at " + warp.block->describe_instruction(other_instruction));
}

void SharedChecker::start_copy(Warp& warp, int lane, uint32_t offset, uint32_t bytes) {
  access(warp, lane, offset, bytes, AccessKind::write);
  for (size_t at = offset >> shift_; at <= (offset + bytes - 1) >> shift_; ++at) cells_[at].flags |= in_flight;
}

void SharedChecker::land_copy(Warp& warp, int lane, uint32_t offset, uint32_t bytes) {
  const uint32_t now = clocks_[warp.id][warp.id];
  for (size_t at = offset >> shift_; at <= (offset + bytes - 1) >> shift_; ++at) {
    Cell& cell = cells_[at];
    cell.flags = initialised;
    cell.write_clock = now;
    cell.write_warp = static_cast<uint8_t>(warp.id);
    cell.write_lane = static_cast<uint8_t>(lane);
  }
}

void SharedChecker::land_bulk_copy(uint32_t offset, uint32_t bytes) {
  for (size_t at = offset >> shift_; at <= (offset + bytes - 1) >> shift_; ++at) {
    cells_[at].flags = initialised;
    cells_[at].write_clock = 0;
  }
}

void SharedChecker::release(uint32_t warp, VectorClock& clock) {
  for (uint32_t i = 0; i < warp_count_; ++i) clock[i] = std::max(clock[i], clocks_[warp][i]);
  ++clocks_[warp][warp];
}

void SharedChecker::acquire(uint32_t warp, const VectorClock& clock) {
  VectorClock& mine = clocks_[warp];
  for (uint32_t i = 0; i < warp_count_; ++i) {
    if (i != warp) mine[i] = std::max(mine[i], clock[i]);
  }
}

void SharedChecker::sync_warp(uint32_t warp, uint32_t lanes, uint32_t live) {
  const uint32_t now = ++clocks_[warp][warp];
  if ((lanes & live) == live) {
    full_sync_[warp] = now;
    return;
  }
  if (!lane_clocks_[warp]) lane_clocks_[warp] = std::make_unique<LaneClocks>();
  LaneClocks& clocks = *lane_clocks_[warp];
  std::array<uint32_t, 32> joined{};
  for_lanes(lanes, [&](int lane) {
    for (int i = 0; i < 32; ++i) joined[i] = std::max(joined[i], clocks[lane][i]);
  });
  for_lanes(lanes, [&](int lane) { joined[lane] = now; });
  for_lanes(lanes, [&](int lane) { clocks[lane] = joined; });
}

}  // namespace gmr::cuda_sim
