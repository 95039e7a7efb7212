// A kernel ready to run: operands are rows of the register file, labels are indices, calls are inlined.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "testing/cuda_sim/ptx_ast.h"

namespace gmr::cuda_sim {

class Warp;
struct Instruction;

// Executes one instruction for the lanes of `lanes`, which are at it together.
using Handler = void (*)(Warp& warp, const Instruction& instruction, uint32_t lanes);

enum class Flow : uint8_t {
  straight,
  branch,
  branch_indexed,  // to targets[reg[0]]
  exit,
  barrier,          // of the block, lane by lane
  barrier_aligned,  // of the block; all lanes of the warp must come together
  collective,       // of the lanes that the member mask in `members` names
  collective_warp,  // of the whole warp
};

constexpr size_t max_operands = 20;

struct Instruction {
  Handler handler = nullptr;
  Flow flow = Flow::straight;
  bool guard_negated = false;
  uint8_t form = 0;           // which of the opcode's signatures
  uint8_t operand_count = 0;  // used entries of `reg`
  int32_t guard = -1;         // predicate
  int32_t target = -1;        // of a branch
  int32_t members = -1;       // row of a collective's member mask
  uint32_t variant = 0;       // what the handler shares with its siblings: a comparison, rounding, memory space
  uint32_t negated = 0;       // bit i: the predicate operand i is negated
  uint32_t statement = 0;     // index into Program::sources
  std::array<uint32_t, max_operands> reg{};   // rows, or predicates, in the order of the signature
  std::array<uint8_t, max_operands> width{};  // bytes of the register, 0 for predicates
  std::array<int64_t, 3> offset{};            // of the address operands
  std::vector<uint32_t> targets;              // of branch_indexed; or the rows of a vector too long for `reg`
};

struct SourceLine {
  std::string text;  // "st.shared.f32 [%r3], %f1"
  int ptx_line = 0;
  int location = -1;
};

enum class SpecialRegister : uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemask_eq,
  lanemask_le,
  lanemask_lt,
  lanemask_ge,
  lanemask_gt,
  dynamic_smem_size,
  total_smem_size,
  one,
  zero,
};

struct Program {
  std::string name;       // mangled
  std::string full_name;  // demangled
  std::shared_ptr<const Module> module;
  std::vector<Instruction> code;  // ends with an exit
  std::vector<SourceLine> sources;

  uint32_t row_count = 0;
  uint32_t predicate_count = 0;
  // Rows that no instruction writes.
  struct Constant {
    uint32_t row;
    uint8_t width;
    uint64_t value;
  };
  std::vector<Constant> constants;
  std::vector<std::pair<uint32_t, SpecialRegister>> specials;

  struct Param {
    uint64_t offset;
    uint64_t size;
  };
  std::vector<Param> params;
  uint64_t param_bytes = 0;
  uint64_t local_bytes = 0;   // a thread
  uint64_t shared_bytes = 0;  // static
  uint64_t dynamic_shared_at = 0;
  uint32_t max_threads = 0;  // .maxntid
  // Bytes of the narrowest access, which the checker's cells have, at most 4.
  uint32_t shared_granule = 4;
  uint32_t global_granule = 4;

  // "window.cuh:31 (inlined at conv.cuh:7)".
  std::string place_of(uint32_t statement) const;
  std::string location_text(uint32_t statement) const;  // with its PTX
};

}  // namespace gmr::cuda_sim
