// What a launch costs, counted while it is interpreted. Counts are of PTX, so what ptxas makes of it may differ: it
// drops moves, folds addresses into accesses, and takes two instructions or more for 64 bits.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "testing/cuda_sim/instruction_class.h"
#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

enum class Direction : uint8_t { load, store, atomic };
constexpr size_t directions = 3;

// Sectors of 32 bytes that warps ask for. `used_bytes` are the different ones among `bytes`, within a warp's access.
struct GlobalTraffic {
  uint64_t bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t sectors = 0;

  GlobalTraffic& operator+=(const GlobalTraffic& more);
};

// Wavefronts of 32 banks of 4 bytes: an access of 8 bytes a lane goes half a warp, one of 16 a quarter of a warp at a
// time, and each takes as many as the most different words that it wants of one bank. `least`: without conflicts.
struct SharedTraffic {
  uint64_t bytes = 0;
  uint64_t wavefronts = 0;
  uint64_t least = 0;

  SharedTraffic& operator+=(const SharedTraffic& more);
};

struct LaneAccess {
  uint64_t address;
  uint64_t bytes;
};

GlobalTraffic global_traffic(std::span<const LaneAccess> accesses);
// `offsets` by lane, of the lanes in `lanes`.
SharedTraffic shared_traffic(const std::array<uint32_t, 32>& offsets, uint32_t lanes, uint32_t bytes);

// Of the instructions that one place in the source became, see Program::place_of.
struct LineCounts {
  uint64_t instructions = 0;
  GlobalTraffic global;
  SharedTraffic shared;
};

// Of all launches of a kernel in one shape.
struct LaunchCounts {
  std::string kernel;  // demangled
  int ptx = 0;         // the target of the PTX that was run, 80 of compute_80
  Dim3 grid, block;
  uint64_t dynamic_shared = 0;
  uint64_t launches = 0;
  uint64_t blocks = 0;  // that were run: fewer than there are when blocks are sampled
  std::array<uint64_t, instruction_classes> instructions{};  // of warps, by class
  std::map<std::string, uint64_t> tensor;                    // of warps, by shape and type
  std::array<GlobalTraffic, directions> global{};
  uint64_t sectors_past_l1 = 0;  // of global loads: asynchronous copies that go by way of L2 alone
  std::array<SharedTraffic, directions> shared{};
  std::map<std::string, LineCounts> lines;

  std::string json() const;
};

// Counts the instructions of one program.
class Counter {
 public:
  Counter(const Program& program, LaunchCounts& counts);

  // Before `instruction`, at `index` in the program, is executed.
  void count(Warp& warp, const Instruction& instruction, uint32_t index, uint32_t lanes);

 private:
  // What is known of an instruction beforehand.
  struct Plan {
    InstructionClass kind = InstructionClass::control;
    Direction direction = Direction::load;
    bool is_past_l1 = false;    // of asynchronous copies
    bool is_matrix = false;     // ldmatrix, stmatrix: addresses of rows
    uint8_t address = 0;        // operand
    uint8_t bytes = 0;          // a lane's access; 0: no access, or one whose size is an operand
    uint64_t* shape = nullptr;  // counter of a tensor shape
    LineCounts* line = nullptr;
  };

  Plan plan(const Program& program, const Instruction& instruction);
  void count_access(Warp& warp, const Instruction& instruction, const Plan& plan, uint32_t lanes);
  void count_copy(Warp& warp, const Instruction& instruction, uint32_t index, uint32_t lanes);
  void add(const Plan& plan, Direction direction, const GlobalTraffic& traffic);
  void add(const Plan& plan, Direction direction, const SharedTraffic& traffic);

  LaunchCounts& counts_;
  std::vector<Plan> plans_;
};

}  // namespace gmr::cuda_sim
