#include "testing/cuda_sim/instruction_class.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "testing/cuda_sim/fault.h"

namespace gmr::cuda_sim {

namespace {

using Class = InstructionClass;
using Parts = std::vector<std::string_view>;

Parts split(std::string_view opcode) {
  Parts parts;
  for (;;) {
    const size_t dot = opcode.find('.');
    parts.push_back(opcode.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    opcode.remove_prefix(dot + 1);
  }
}

template <size_t n>
bool is_one_of(std::string_view text, const std::array<std::string_view, n>& all) {
  return std::ranges::find(all, text) != all.end();
}

bool is_float(std::string_view type) {
  constexpr std::array<std::string_view, 10> types = {"f16", "f16x2", "bf16",   "bf16x2", "f32",
                                                      "f64", "tf32",  "e4m3x2", "e5m2x2", "f16x4"};
  return is_one_of(type, types);
}

bool has(const Parts& parts, std::string_view part) { return std::ranges::find(parts, part) != parts.end(); }

Class memory_class(const Parts& parts, Class global, Class shared) {
  for (const std::string_view part : parts) {
    if (part.starts_with("param")) return Class::move;
    if (part.starts_with("const")) return Class::move;
    if (part.starts_with("shared")) return shared;
    if (part.starts_with("local")) return Class::local;
  }
  return global;
}

Class arithmetic_class(const Parts& parts) {
  const std::string_view type = parts.back();
  if (type == "f32") return Class::fp32;
  if (type == "f64") return Class::fp64;
  if (is_float(type)) return Class::fp16;
  // The product of two numbers of 32 bits is one instruction.
  const bool is_wide = type.ends_with("64") && !has(parts, "wide");
  return is_wide ? Class::integer_wide : Class::integer;
}

Class conversion_class(const Parts& parts) {
  const std::string_view from = parts.back();
  const std::string_view to = parts[parts.size() - 2];
  if (is_float(from) || is_float(to)) return Class::conversion;
  return to.ends_with("64") || from.ends_with("64") ? Class::move : Class::integer;
}

}  // namespace

const char* name_of(InstructionClass kind) {
  constexpr std::array<const char*, instruction_classes> names = {
      "fp32",          "fp16",       "fp64",        "integer",      "integer_wide",  "conversion",  "special",
      "move",          "tensor",     "global_load", "global_store", "global_atomic", "shared_load", "shared_store",
      "shared_atomic", "async_copy", "local",       "warp",         "barrier",       "control"};
  return names[static_cast<size_t>(kind)];
}

InstructionClass class_of(std::string_view opcode) {
  constexpr std::array<std::string_view, 27> arithmetic = {
      "add", "addc", "sub",  "subc", "mul",   "mul24",    "mad", "mad24", "madc", "fma", "min", "max", "abs", "neg",
      "set", "setp", "slct", "sad",  "testp", "copysign", "and", "or",    "xor",  "not", "shl", "shr", "cnot"};
  constexpr std::array<std::string_view, 12> bits = {"selp",  "lop3", "prmt", "shf", "popc", "clz",
                                                     "bfind", "brev", "bfe",  "bfi", "dp2a", "dp4a"};
  constexpr std::array<std::string_view, 10> special = {"div", "rem", "rcp", "sqrt", "rsqrt",
                                                        "sin", "cos", "lg2", "ex2",  "tanh"};
  constexpr std::array<std::string_view, 7> control = {"bra", "brx", "ret", "exit", "call", "trap", "nanosleep"};
  constexpr std::array<std::string_view, 6> warp = {"shfl", "vote", "match", "redux", "activemask", "elect"};
  constexpr std::array<std::string_view, 5> barrier = {"bar", "barrier", "membar", "fence", "mbarrier"};
  const Parts parts = split(opcode);
  const std::string_view base = parts[0];
  if (base == "ld" || base == "ldu") return memory_class(parts, Class::global_load, Class::shared_load);
  if (base == "st") return memory_class(parts, Class::global_store, Class::shared_store);
  if (base == "atom" || base == "red") return memory_class(parts, Class::global_atomic, Class::shared_atomic);
  if (base == "ldmatrix") return Class::shared_load;
  if (base == "stmatrix") return Class::shared_store;
  if (base == "mma") return Class::tensor;
  if (base == "cp") return has(parts, "global") ? Class::async_copy : Class::barrier;
  if (base == "cvt") return conversion_class(parts);
  if (base == "mov" || base == "cvta") return Class::move;
  if (base == "isspacep") return Class::integer;
  if (is_one_of(base, special)) return Class::special;
  if (is_one_of(base, arithmetic)) return arithmetic_class(parts);
  if (is_one_of(base, bits)) return Class::integer;
  if (is_one_of(base, warp)) return Class::warp;
  if (is_one_of(base, barrier)) return Class::barrier;
  if (is_one_of(base, control)) return Class::control;
  throw Unsupported("cuda_sim: no class to count " + std::string(opcode) + " in");
}

std::string tensor_shape(std::string_view opcode) {
  const Parts parts = split(opcode);
  const auto shape = std::ranges::find_if(parts, [](std::string_view part) { return part.starts_with("m16n8k"); });
  // Types of the result, of both factors, of what is added.
  if (shape == parts.end() || parts.end() - shape < 5) {
    throw Unsupported("cuda_sim: no shape in " + std::string(opcode));
  }
  return std::string(*shape) + ' ' + std::string(parts[parts.size() - 2]);
}

}  // namespace gmr::cuda_sim
