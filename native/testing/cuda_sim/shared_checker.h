// Finds conflicting accesses to shared memory that nothing orders, and reads of what was never written.
//
// Each warp has a vector clock; barriers join them. A cell of shared memory remembers its last write and, since that
// write, the last read of every warp, so that no reader is forgotten. Within a warp lanes are ordered by __syncwarp
// alone: an access conflicts with another lane's access since the last one that both took part in.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "testing/cuda_sim/access_kind.h"

namespace gmr::cuda_sim {

class Warp;

using VectorClock = std::array<uint32_t, 32>;

class SharedChecker {
 public:
  void start_block(uint32_t warp_count, uint64_t shared_bytes, uint32_t granule);

  // `data`: what is about to be written, so that lanes that write the same value together do not conflict.
  void access(Warp& warp, int lane, uint32_t offset, uint32_t bytes, AccessKind kind, const void* data = nullptr);

  // An asynchronous copy holds its target until it lands.
  void start_copy(Warp& warp, int lane, uint32_t offset, uint32_t bytes);
  void land_copy(Warp& warp, int lane, uint32_t offset, uint32_t bytes);
  // Whoever waits for an mbarrier is ordered behind the copy, whichever thread issued it.
  void land_bulk_copy(uint32_t offset, uint32_t bytes);

  VectorClock& clock(uint32_t warp) { return clocks_[warp]; }
  // What `warp` did before happens before what whoever joins `clock` does after.
  void release(uint32_t warp, VectorClock& clock);
  void acquire(uint32_t warp, const VectorClock& clock);
  // __syncwarp of `lanes`.
  void sync_warp(uint32_t warp, uint32_t lanes, uint32_t live);

 private:
  struct Cell {
    uint32_t write_clock;  // 0: not written in this block
    uint32_t write_instruction;
    uint8_t write_warp;
    uint8_t write_lane;
    uint8_t flags;
  };
  struct Read {
    uint32_t clock;  // 0: none since the last write
    uint32_t instruction_and_kind;
  };
  // For warps that synchronised only some of their lanes: the latest time of lane b that lane a knows of.
  using LaneClocks = std::array<std::array<uint32_t, 32>, 32>;

  bool ordered_lanes(uint32_t warp, int earlier, int later, uint32_t clock) const;
  [[noreturn]] void report(Warp& warp, int lane, uint32_t offset, uint32_t bytes, AccessKind kind, uint32_t other_warp,
                           int other_lane, uint32_t other_instruction, bool other_wrote);
  Read* reads(size_t cell) { return &reads_[cell * warp_count_]; }

  uint32_t warp_count_ = 0;
  uint32_t shift_ = 2;
  std::vector<Cell> cells_;
  std::vector<Read> reads_;
  std::array<VectorClock, 32> clocks_{};
  std::array<uint32_t, 32> full_sync_{};
  std::array<std::unique_ptr<LaneClocks>, 32> lane_clocks_;
};

}  // namespace gmr::cuda_sim
