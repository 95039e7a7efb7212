// The one list of instructions. An opcode is looked up with all its modifiers and types, and must be there as a whole:
// an unknown one is an error that names it, never a guess at a neighbour.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "testing/cuda_sim/program.h"

namespace gmr::cuda_sim {

// `signature` says what operands there must be, in order:
//   4     register of 4 bytes, or an immediate;  p  predicate;  4x2  { two registers of 4 bytes }
//   1+    register of at least so many bytes, since loads, stores and conversions may widen
//   @     address                                L  label or list of labels
//   =     in front of what is written            |  between the two halves of d|p
// The last operand of a collective is its member mask.
// Several signatures, apart by '/', are tried in order.
struct Opcode {
  Handler handler = nullptr;
  std::string signature;
  Flow flow = Flow::straight;
  uint32_t variant = 0;
  uint8_t shared_bytes = 0;  // a lane's access, where it is to shared (or generic) memory
  uint8_t global_bytes = 0;  // the same for global (or generic) memory
};

class OpcodeTable {
 public:
  // Adds one line for each way to choose from the braces of `pattern`: "add{.rn,}.f32" adds add.rn.f32 and add.f32.
  void add(std::string_view pattern, const Opcode& opcode);

  const Opcode* find(const std::string& name) const;
  const std::unordered_map<std::string, Opcode>& all() const { return opcodes_; }

 private:
  std::unordered_map<std::string, Opcode> opcodes_;
};

const OpcodeTable& opcode_table();

std::vector<std::string> expand_braces(std::string_view pattern);

// True where `modifier` (".ftz") is a part of `opcode`.
bool has_modifier(std::string_view opcode, std::string_view modifier);

// Each file of instructions adds its own.
void add_integer_opcodes(OpcodeTable& table);
void add_bit_opcodes(OpcodeTable& table);
void add_float_opcodes(OpcodeTable& table);
void add_half_opcodes(OpcodeTable& table);
void add_conversion_opcodes(OpcodeTable& table);
void add_comparison_opcodes(OpcodeTable& table);
void add_move_opcodes(OpcodeTable& table);
void add_memory_opcodes(OpcodeTable& table);
void add_atomic_opcodes(OpcodeTable& table);
void add_control_opcodes(OpcodeTable& table);
void add_warp_opcodes(OpcodeTable& table);
void add_async_copy_opcodes(OpcodeTable& table);
void add_mbarrier_opcodes(OpcodeTable& table);
void add_tensor_opcodes(OpcodeTable& table);

}  // namespace gmr::cuda_sim
