#include "testing/cuda_sim/opcode_table.h"

#include <stdexcept>

namespace gmr::cuda_sim {

std::vector<std::string> expand_braces(std::string_view pattern) {
  const size_t open = pattern.find('{');
  if (open == std::string_view::npos) return {std::string(pattern)};
  const size_t close = pattern.find('}', open);
  const std::string head(pattern.substr(0, open));
  std::string_view choices = pattern.substr(open + 1, close - open - 1);
  const std::vector<std::string> tails = expand_braces(pattern.substr(close + 1));
  std::vector<std::string> all;
  for (;;) {
    const size_t comma = choices.find(',');
    for (const std::string& tail : tails) all.push_back(head + std::string(choices.substr(0, comma)) + tail);
    if (comma == std::string_view::npos) return all;
    choices.remove_prefix(comma + 1);
  }
}

bool has_modifier(std::string_view opcode, std::string_view modifier) {
  for (size_t at = opcode.find(modifier); at != std::string_view::npos; at = opcode.find(modifier, at + 1)) {
    const size_t end = at + modifier.size();
    if (end == opcode.size() || opcode[end] == '.') return true;
  }
  return false;
}

void OpcodeTable::add(std::string_view pattern, const Opcode& opcode) {
  for (std::string& name : expand_braces(pattern)) {
    if (!opcodes_.emplace(name, opcode).second) throw std::logic_error("opcode listed twice: " + name);
  }
}

const Opcode* OpcodeTable::find(const std::string& name) const {
  const auto found = opcodes_.find(name);
  return found == opcodes_.end() ? nullptr : &found->second;
}

const OpcodeTable& opcode_table() {
  static const OpcodeTable table = [] {
    OpcodeTable all;
    add_integer_opcodes(all);
    add_bit_opcodes(all);
    add_float_opcodes(all);
    add_half_opcodes(all);
    add_conversion_opcodes(all);
    add_comparison_opcodes(all);
    add_move_opcodes(all);
    add_memory_opcodes(all);
    add_atomic_opcodes(all);
    add_control_opcodes(all);
    add_warp_opcodes(all);
    add_async_copy_opcodes(all);
    add_mbarrier_opcodes(all);
    add_tensor_opcodes(all);
    return all;
  }();
  return table;
}

}  // namespace gmr::cuda_sim
