// The device's global memory: addresses that the host cannot read, storage behind them, and what is known of each byte.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "testing/cuda_sim/access_kind.h"

namespace gmr::cuda_sim {

class Warp;

class DeviceMemory {
 public:
  explicit DeviceMemory(uint64_t capacity);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // nullptr: no memory left. Addresses are never used twice, so that a stale pointer stays a stale pointer.
  void* allocate(uint64_t bytes, const std::string& name = {});
  bool release(const void* address);
  // Host memory that kernels may access where it lies (cudaMallocHost, cudaHostRegister).
  void add_host(void* address, uint64_t bytes);
  bool remove_host(const void* address);

  // The host's copies. False: the range is not device memory as a whole.
  bool is_device(const void* address) const;
  std::byte* host_view(const void* address, uint64_t bytes);
  // Where the allocation begins that holds the range; 0: none that is known here.
  uint64_t base_of(const void* address, uint64_t bytes);
  void mark_initialised(const void* address, uint64_t bytes, bool initialised = true);

  // What is known of the source's bytes becomes known of the destination's.
  void copy_initialised(const void* destination, const void* source, uint64_t bytes);

  uint64_t used() const { return used_; }
  uint64_t capacity() const { return capacity_; }
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  // A line for each allocation that has not been freed.
  std::string leaks() const;
  std::string describe(uint64_t address) const;

  // Accesses of kernels. Both end the launch on a fault.
  std::byte* access(Warp& warp, int lane, uint64_t address, uint32_t bytes, AccessKind kind);
  std::byte* access_unchecked(Warp& warp, int lane, uint64_t address, uint32_t bytes);

  // Blocks race where both touch a byte, one of them writes and no fence and atomic order them.
  void start_launch(uint64_t block_count, uint32_t granule);
  // What the launch has touched since: bytes of an allocation, from the first to behind the last.
  struct Touched {
    uint64_t allocation, begin, end;
    bool writes;
  };
  std::vector<Touched> touched() const;
  void start_block(uint64_t block);
  void fence() { block_fenced_ = true; }

 private:
  struct Toucher {
    uint32_t block;  // serial over all launches; 0: nobody
    uint32_t instruction : 21;
    uint32_t warp : 5;
    uint32_t lane : 5;
    uint32_t atomic : 1;
  };
  // Of two readers in different blocks, one is in another block than any writer.
  struct Cell {
    Toucher writer;
    std::array<Toucher, 2> readers;
  };
  struct Span {
    uint64_t begin = UINT64_MAX, end = 0;

    void add(uint64_t from, uint64_t to) {
      begin = std::min(begin, from);
      end = std::max(end, to);
    }
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  struct Allocation {
    uint64_t address = 0;
    uint64_t bytes = 0;
    uint64_t mapped_bytes = 0;
    std::byte* storage = nullptr;
    std::string name;
    uint32_t serial = 0;
    bool host = false;
    // Pages of both appear as they are touched.
    std::unique_ptr<uint64_t[], Free> initialised;  // a bit a byte
    std::unique_ptr<Cell[], Free> cells;
    uint32_t cells_shift = 0;
    uint32_t touched_launch = 0;  // the number of its first block
    Span read, written;           // in that launch
  };
  struct Freed {
    uint64_t bytes;
    uint32_t serial;
  };

  Allocation* find(uint64_t address, uint64_t bytes);
  void note_touch(Allocation& allocation, uint64_t offset, uint32_t bytes, AccessKind kind);
  void check(Warp& warp, int lane, Allocation& allocation, uint64_t offset, uint32_t bytes, AccessKind kind);
  void check_cell(Warp& warp, int lane, const Allocation& allocation, Cell& cell, uint64_t offset, uint32_t bytes,
                  AccessKind kind);
  void order_behind_atomics(uint64_t address, AccessKind kind);
  bool ordered(const Toucher& other) const;
  [[noreturn]] void race(Warp& warp, int lane, const Allocation& allocation, uint64_t offset, uint32_t bytes,
                         AccessKind kind, const Toucher& other, bool other_wrote) const;

  uint64_t capacity_;
  uint64_t used_ = 0;
  uint32_t allocation_count_ = 0;
  std::map<uint64_t, Allocation> allocations_;
  std::map<uint64_t, Freed> freed_;
  Allocation* last_ = nullptr;

  uint32_t launch_first_block_ = 1;
  uint32_t next_serial_ = 1;
  uint32_t block_serial_ = 0;
  uint32_t granule_shift_ = 2;
  bool block_fenced_ = false;
  std::vector<Allocation*> touched_;  // by this launch
  std::vector<bool> acquired_;        // blocks of this launch that the running one is ordered behind
  std::unordered_map<uint64_t, std::vector<bool>> released_;
};

}  // namespace gmr::cuda_sim
