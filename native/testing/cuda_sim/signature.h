// The signatures of opcode_table.h, read.
#pragma once

#include <string_view>
#include <vector>

#include "testing/cuda_sim/ptx_ast.h"

namespace gmr::cuda_sim {

struct OperandSpec {
  enum class Kind : uint8_t { value, predicate, address, label };
  Kind kind = Kind::value;
  bool written = false;
  bool at_least = false;        // the register may be wider
  bool joined_to_next = false;  // d|p
  uint8_t width = 0;
  uint8_t count = 0;  // of a vector; 0: no vector
};

using Signature = std::vector<OperandSpec>;

// The alternatives of `text`.
std::vector<Signature> read_signatures(std::string_view text);

// Whether the operands have the signature's shape. Widths are for the binding to check, which can name the culprit.
bool has_shape(const Signature& signature, const std::vector<Operand>& operands);

}  // namespace gmr::cuda_sim
