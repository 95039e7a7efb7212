// PTX as the parser hands it on: names are text, nothing is resolved but scopes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gmr::cuda_sim {

struct Operand {
  enum class Kind : uint8_t {
    name,     // register, special register, variable, label or function
    integer,  // bits
    float32,  // bits
    float64,  // bits
    vector,   // { parts }
    address,  // [ parts[0] + offset ]
    pair,     // parts[0] | parts[1]
    list,     // ( parts )
  };
  Kind kind = Kind::name;
  bool negated = false;  // !name
  std::string name;
  uint64_t bits = 0;
  int64_t offset = 0;
  std::vector<Operand> parts;
};

struct Statement {
  std::string opcode;  // with all its modifiers: "ld.global.v4.f32"
  std::vector<Operand> operands;
  std::string guard;  // predicate, empty where there is none
  bool guard_negated = false;
  int scope = 0;
  int ptx_line = 0;
  int location = -1;  // index into Module::locations
};

// A piece of a variable's initial value: bytes, or the address of another variable.
struct Initializer {
  std::string symbol;  // empty: `value`
  uint64_t value = 0;
};

struct Variable {
  enum class Space : uint8_t { global, constant, shared, local, param };
  Space space = Space::global;
  std::string name;
  uint32_t alignment = 1;
  uint32_t element_size = 1;
  uint64_t size = 0;  // 0: `extern .shared` of a size that the launch decides
  std::vector<Initializer> initial;
};

struct Register {
  uint8_t width = 0;  // bytes; 0: predicate
};

// Registers, variables and labels belong to the innermost braces around them.
struct Scope {
  int parent = -1;
  std::map<std::string, Register> registers;
  std::map<std::string, Variable> variables;
  std::map<std::string, int> labels;                               // to an index into Function::body
  std::map<std::string, std::vector<std::string>> branch_targets;  // .branchtargets lists
};

struct Function {
  std::string name;
  bool is_entry = false;
  bool has_body = false;
  std::vector<Variable> results;
  std::vector<Variable> params;
  std::vector<Scope> scopes;
  std::vector<Statement> body;
  uint32_t max_threads = 0;  // .maxntid, 0 where there is none
};

struct Module {
  int target = 0;                      // 80 of sm_80
  std::string target_name;             // "sm_90a"
  std::vector<std::string> locations;  // "file:line", with the call sites of inlined code
  std::map<std::string, Variable> variables;
  std::map<std::string, Function> functions;
};

}  // namespace gmr::cuda_sim
