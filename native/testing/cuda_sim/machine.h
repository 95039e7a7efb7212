// The state of a block while it runs.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "testing/cuda_sim/program.h"
#include "testing/cuda_sim/shared_checker.h"

namespace gmr::cuda_sim {

class Counter;
class DeviceMemory;
class Block;
class Warp;

constexpr uint32_t warp_size = 32;
constexpr uint32_t full_mask = ~0u;
constexpr uint32_t barriers_per_block = 16;

struct Dim3 {
  uint32_t x = 1;
  uint32_t y = 1;
  uint32_t z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
  bool operator==(const Dim3&) const = default;
};

// Generic addresses outside the device's memory. Offsets within shared and local memory are added to these.
constexpr uint64_t window_mask = 0xff00000000000000u;
constexpr uint64_t shared_window = 0x0100000000000000u;
constexpr uint64_t local_window = 0x0200000000000000u;
constexpr uint64_t param_window = 0x0300000000000000u;  // of the kernel
constexpr uint64_t call_window = 0x0400000000000000u;   // parameters of inlined calls, in local memory

template <class F>
inline void for_lanes(uint32_t lanes, F f) {
  for (; lanes != 0; lanes &= lanes - 1) f(std::countr_zero(lanes));
}

// A cp.async that has been issued and not waited for.
struct PendingCopy {
  uint32_t shared_offset;
  uint32_t bytes;
  const std::byte* source;
  uint32_t source_bytes;  // the rest is zero
  uint32_t group;
};

struct LaneCopies {
  std::vector<PendingCopy> pending;
  uint32_t group = 0;  // the one that is being filled
};

// A wgmma that has been issued and not waited for.
struct PendingProduct {
  const Instruction* instruction;
  uint64_t a;
  uint64_t b;
  bool accumulate;
  uint32_t group;
};

class Warp {
 public:
  // A row of 32 lanes. Lanes lie side by side at the register's own width.
  template <class T>
  T* row(uint32_t index) {
    return reinterpret_cast<T*>(registers + size_t{index} * row_bytes);
  }
  uint32_t predicate(const Instruction& instruction, size_t operand) const {
    const uint32_t value = predicates[instruction.reg[operand]];
    return instruction.negated >> operand & 1 ? ~value : value;
  }
  void set_predicate(uint32_t index, uint32_t lanes, uint32_t value) {
    predicates[index] = (predicates[index] & ~lanes) | (value & lanes);
  }

  // Any lane of a row as a number, whatever the register's width.
  uint64_t read(uint32_t row_index, uint8_t width, int lane);
  void write(uint32_t row_index, uint8_t width, int lane, uint64_t value);

  // Ends the launch with a report about `lane` at the current instruction.
  [[noreturn]] void fault(int lane, const std::string& kind, const std::string& detail);

  static constexpr size_t row_bytes = warp_size * 8;

  std::byte* registers = nullptr;
  std::vector<uint32_t> predicates;
  std::array<uint32_t, warp_size> pc{};
  uint32_t id = 0;
  uint32_t live = 0;        // not exited
  uint32_t existing = 0;    // at the start
  uint32_t gathering = 0;   // wait for the other lanes of a collective
  uint32_t at_barrier = 0;  // wait for other warps
  std::array<uint8_t, warp_size> barrier_id{};
  uint32_t carry = 0;       // of add.cc and its kin, a bit a lane
  bool yields = false;      // the instruction found nothing to go on with
  bool steps_back = false;  // the lanes at `behind` have run for long; others go first
  uint32_t behind = 0;
  uint32_t current = 0;  // index into the program's code
  std::array<LaneCopies, warp_size> copies;
  std::vector<PendingProduct> products;
  uint32_t product_group = 0;
  std::vector<std::byte> local;
  Block* block = nullptr;
};

struct Barrier {
  uint32_t arrived = 0;
  uint32_t expected = 0;  // 0: nobody is there
  uint32_t first_instruction = 0;
  uint32_t count = 0;  // of true predicates, for bar.red
  VectorClock clock;
};

struct Mbarrier {
  uint32_t expected = 0;
  uint32_t pending = 0;
  int64_t bytes = 0;  // of copies that have not landed
  uint64_t phase = 0;
  VectorClock clock;
};

// cp.async.bulk; lands when nothing else can go on.
struct BulkCopy {
  uint32_t shared_offset;
  uint32_t bytes;
  const std::byte* source;
  uint32_t mbarrier;
  uint32_t warp;
  uint32_t instruction;
};

class Block {
 public:
  Block(const Program& program, DeviceMemory& memory, Dim3 grid, Dim3 size, uint64_t dynamic_shared, bool checks);

  // Shared memory is poisoned, all threads are at the first instruction.
  void start(Dim3 block_index);

  Dim3 thread_of(uint32_t warp, int lane) const;
  std::string describe_thread(uint32_t warp, int lane) const;
  std::string describe_instruction(uint32_t instruction) const;

  const Program& program;
  DeviceMemory& memory;
  const Dim3 grid;
  const Dim3 size;
  const uint64_t dynamic_shared;
  const bool checks;
  const uint32_t thread_count;
  Dim3 index;
  uint64_t executed = 0;  // warp instructions
  uint64_t clock = 0;
  uint64_t events = 0;  // what may let another warp go on
  std::vector<std::byte> shared;
  std::vector<std::byte> params;
  std::vector<Warp> warps;
  std::array<Barrier, barriers_per_block> barriers{};
  std::map<uint32_t, Mbarrier> mbarriers;
  std::vector<BulkCopy> bulk_copies;
  SharedChecker checker;
  Counter* counter = nullptr;  // where the launch is counted

 private:
  std::vector<std::byte> register_file_;
};

}  // namespace gmr::cuda_sim
