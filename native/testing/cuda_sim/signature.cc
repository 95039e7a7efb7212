#include "testing/cuda_sim/signature.h"

#include <charconv>
#include <stdexcept>
#include <string>

namespace gmr::cuda_sim {

namespace {

OperandSpec read_spec(std::string_view text) {
  OperandSpec spec;
  const std::string whole(text);
  if (text.starts_with('=')) {
    spec.written = true;
    text.remove_prefix(1);
  }
  if (text == "p") {
    spec.kind = OperandSpec::Kind::predicate;
  } else if (text == "@") {
    spec.kind = OperandSpec::Kind::address;
  } else if (text == "L") {
    spec.kind = OperandSpec::Kind::label;
  } else {
    const auto number = [&](uint8_t& value) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc()) throw std::logic_error("bad signature: " + whole);
      text.remove_prefix(static_cast<size_t>(end - text.data()));
    };
    number(spec.width);
    if (text.starts_with('+')) {
      spec.at_least = true;
      text.remove_prefix(1);
    }
    if (text.starts_with('x')) {
      text.remove_prefix(1);
      number(spec.count);
    }
    if (!text.empty()) throw std::logic_error("bad signature: " + whole);
  }
  return spec;
}

}  // namespace

std::vector<Signature> read_signatures(std::string_view text) {
  std::vector<Signature> all(1);
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" |/"), text.size());
    const char separator = end < text.size() ? text[end] : ' ';
    if (end > 0) {
      all.back().push_back(read_spec(text.substr(0, end)));
      all.back().back().joined_to_next = separator == '|';
    }
    if (separator == '/') all.emplace_back();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

bool has_shape(const Signature& signature, const std::vector<Operand>& operands) {
  size_t at = 0;
  for (size_t i = 0; i < signature.size(); ++i, ++at) {
    if (at >= operands.size()) return false;
    const Operand& operand = operands[at];
    if (signature[i].joined_to_next) {
      if (operand.kind != Operand::Kind::pair) return false;
      ++i;
      continue;
    }
    const bool is_vector = operand.kind == Operand::Kind::vector;
    if (is_vector != (signature[i].count > 0)) return false;
    if (is_vector && operand.parts.size() != signature[i].count) return false;
    if ((operand.kind == Operand::Kind::address) != (signature[i].kind == OperandSpec::Kind::address)) return false;
    if (operand.kind == Operand::Kind::pair || operand.kind == Operand::Kind::list) return false;
  }
  return at == operands.size();
}

}  // namespace gmr::cuda_sim
