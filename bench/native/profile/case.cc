#include "case.h"

#include <cstring>

namespace gmr::profile {
namespace {

struct Names {
  const char* op;
  const char* pass;
};

constexpr Names names[] = {
#define GMR_PASS(op, pass, Params) {#op, #pass},
#include "ops/ops.def"
#undef GMR_PASS
};

}  // namespace

const char* arithmetic_name(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::high:
      return "high";
    case Arithmetic::bf16:
      return "bf16";
    default:
      return "float32";
  }
}

const char* op_name(Pass pass) { return names[static_cast<size_t>(pass)].op; }
const char* pass_name(Pass pass) { return names[static_cast<size_t>(pass)].pass; }

std::string title_of(const Case& c) {
  const std::string title = std::string(c.op) + " " + c.pass_name + ", " + c.name;
  return c.arithmetic == Arithmetic::float32 ? title : title + ", " + arithmetic_name(c.arithmetic);
}

std::optional<Case> in_arithmetic(const Case& c, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::float32) return c;
  Case other = c;
  other.arithmetic = arithmetic;
  const auto set = [&](size_t offset, auto value) { std::memcpy(other.params.data() + offset, &value, sizeof(value)); };
  if (arithmetic == Arithmetic::high) {
    if (!c.precision_offset) return {};
    set(*c.precision_offset, Float32Precision::high);
    return other;
  }
  if (c.type_offsets.empty()) return {};
  for (const size_t offset : c.type_offsets) set(offset, ElementType::bfloat16);
  for (Operand& operand : other.operands) {
    if (operand.is_activation) operand.type = OperandType::bfloat16;
  }
  other.work.bytes = bytes_moved(other.operands);
  return other;
}

double bytes_moved(const std::vector<Operand>& operands) {
  double bytes = 0;
  for (const Operand& operand : operands) {
    bytes += static_cast<double>(operand.bytes()) * (operand.access == Access::update ? 2 : 1);
  }
  return bytes;
}

Fill uniform(float low, float high) {
  return [=](Random& random, void* data, int64_t count) {
    auto* values = static_cast<float*>(data);
    for (int64_t i = 0; i < count; ++i) values[i] = low + (high - low) * random.unit();
  };
}

Fill integers_below(int32_t limit) {
  return [=](Random& random, void* data, int64_t count) {
    auto* values = static_cast<int32_t*>(data);
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<int32_t>(random.below(limit));
  };
}

}  // namespace gmr::profile
