#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gmr::cuda_sim {

// What a PTX instruction keeps busy.
enum class InstructionClass : uint8_t {
  fp32,
  fp16,  // and bf16
  fp64,
  integer,       // also predicates, selections, bit operations
  integer_wide,  // of 64 bits: two instructions or more of the machine
  conversion,    // to or from a floating-point type
  special,       // reciprocals, roots, exponentials, divisions
  move,          // also addresses of windows, parameters, widening: nothing or little in machine code
  tensor,
  global_load,
  global_store,
  global_atomic,
  shared_load,
  shared_store,
  shared_atomic,
  async_copy,  // from global to shared memory
  local,
  warp,     // shuffles, votes
  barrier,  // of blocks and memory, waits for copies
  control,
};
constexpr size_t instruction_classes = 20;

const char* name_of(InstructionClass kind);

// Of an opcode with its modifiers. Memory in generic form counts as global here; the address decides at run time.
// Throws Unsupported for what it does not know.
InstructionClass class_of(std::string_view opcode);

// "m16n8k8 tf32" of an mma.
std::string tensor_shape(std::string_view opcode);

}  // namespace gmr::cuda_sim
