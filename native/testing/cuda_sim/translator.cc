#include "testing/cuda_sim/translator.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/machine.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/signature.h"

namespace gmr::cuda_sim {

namespace {

constexpr uint32_t most_instructions = 1u << 21;  // what the checkers' cells have room for

uint64_t align_up(uint64_t value, uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

const std::map<std::string, SpecialRegister, std::less<>>& special_registers() {
  using S = SpecialRegister;
  static const std::map<std::string, SpecialRegister, std::less<>> all = {
      {"%tid.x", S::tid_x},
      {"%tid.y", S::tid_y},
      {"%tid.z", S::tid_z},
      {"%ntid.x", S::ntid_x},
      {"%ntid.y", S::ntid_y},
      {"%ntid.z", S::ntid_z},
      {"%ctaid.x", S::ctaid_x},
      {"%ctaid.y", S::ctaid_y},
      {"%ctaid.z", S::ctaid_z},
      {"%nctaid.x", S::nctaid_x},
      {"%nctaid.y", S::nctaid_y},
      {"%nctaid.z", S::nctaid_z},
      {"%laneid", S::laneid},
      {"%warpid", S::warpid},
      {"%nwarpid", S::nwarpid},
      {"%smid", S::smid},
      {"%nsmid", S::nsmid},
      {"%lanemask_eq", S::lanemask_eq},
      {"%lanemask_le", S::lanemask_le},
      {"%lanemask_lt", S::lanemask_lt},
      {"%lanemask_ge", S::lanemask_ge},
      {"%lanemask_gt", S::lanemask_gt},
      {"%dynamic_smem_size", S::dynamic_smem_size},
      {"%total_smem_size", S::total_smem_size},
      // Without clusters each block is one of its own.
      {"%clusterid.x", S::ctaid_x},
      {"%clusterid.y", S::ctaid_y},
      {"%clusterid.z", S::ctaid_z},
      {"%nclusterid.x", S::nctaid_x},
      {"%nclusterid.y", S::nctaid_y},
      {"%nclusterid.z", S::nctaid_z},
      {"%cluster_ctaid.x", S::zero},
      {"%cluster_ctaid.y", S::zero},
      {"%cluster_ctaid.z", S::zero},
      {"%cluster_nctaid.x", S::one},
      {"%cluster_nctaid.y", S::one},
      {"%cluster_nctaid.z", S::one},
      {"%cluster_ctarank", S::zero},
      {"%cluster_nctarank", S::one},
  };
  return all;
}

bool is_clock(const std::string& name) { return name == "%clock" || name == "%clock64" || name == "%globaltimer"; }

std::string text_of(const Operand& operand) {
  const auto joined = [&](const char* open, const char* between, const char* close) {
    std::string text = open;
    for (size_t i = 0; i < operand.parts.size(); ++i) text += (i == 0 ? "" : between) + text_of(operand.parts[i]);
    return text + close;
  };
  char number[40];
  switch (operand.kind) {
    case Operand::Kind::name:
      return (operand.negated ? "!" : "") + operand.name;
    case Operand::Kind::integer:
      return std::to_string(static_cast<int64_t>(operand.bits));
    case Operand::Kind::float32:
      std::snprintf(number, sizeof number, "0f%08llX", static_cast<unsigned long long>(operand.bits));
      return number;
    case Operand::Kind::float64:
      std::snprintf(number, sizeof number, "0d%016llX", static_cast<unsigned long long>(operand.bits));
      return number;
    case Operand::Kind::vector:
      return joined("{", ", ", "}");
    case Operand::Kind::list:
      return joined("(", ", ", ")");
    case Operand::Kind::pair:
      return joined("", "|", "");
    case Operand::Kind::address:
      return "[" + text_of(operand.parts[0]) + (operand.offset == 0 ? "" : "+" + std::to_string(operand.offset)) + "]";
  }
  return {};
}

std::string text_of(const Statement& statement) {
  std::string text;
  if (!statement.guard.empty()) text = "@" + std::string(statement.guard_negated ? "!" : "") + statement.guard + " ";
  text += statement.opcode;
  for (size_t i = 0; i < statement.operands.size(); ++i) text += (i == 0 ? " " : ", ") + text_of(statement.operands[i]);
  return text;
}

// One function's body, as the entry or inlined where it is called.
struct Frame {
  const Function* function = nullptr;
  std::map<std::string, uint64_t> params;                                  // address, with its window
  std::map<std::pair<int, std::string>, uint32_t> rows;                    // registers, and predicates
  std::map<std::pair<int, std::string>, uint64_t> variables;               // local memory and parameters of calls
  std::vector<uint32_t> code_at;                                           // by statement
  std::vector<std::pair<uint32_t, std::pair<int, std::string>>> branches;  // instruction, label
  std::vector<uint32_t> returns;                                           // branches behind the inlined body
  struct IndexedBranch {
    uint32_t instruction;
    int scope;
    const std::vector<std::string>* labels;
  };
  std::vector<IndexedBranch> indexed_branches;
};

class Translator {
 public:
  Translator(std::shared_ptr<const Module> module, const VariableAddress& address_of)
      : module_(std::move(module)), address_of_(address_of) {}

  Program translate(const std::string& kernel) {
    const auto found = module_->functions.find(kernel);
    if (found == module_->functions.end() || !found->second.is_entry || !found->second.has_body) {
      throw Unsupported("the PTX has no kernel " + kernel);
    }
    program_.name = kernel;
    program_.full_name = demangle(kernel);
    program_.module = module_;
    program_.max_threads = found->second.max_threads;
    place_shared(found->second);
    Frame frame;
    frame.function = &found->second;
    for (const Variable& param : found->second.params) {
      program_.param_bytes = align_up(program_.param_bytes, param.alignment);
      program_.params.push_back({program_.param_bytes, param.size});
      frame.params[param.name] = param_window + program_.param_bytes;
      program_.param_bytes += param.size;
    }
    emit_body(frame);
    Instruction end;
    end.flow = Flow::exit;
    end.statement = add_source({"end of " + kernel, 0, -1});
    program_.code.push_back(end);
    if (program_.code.size() >= most_instructions) throw Unsupported(kernel + ": too many instructions");
    program_.local_bytes = align_up(program_.local_bytes, 16);
    return std::move(program_);
  }

 private:
  [[noreturn]] void fail(const Statement& statement, const std::string& what) const {
    std::string place = statement.location < 0 ? "" : ", " + module_->locations[statement.location];
    throw Unsupported("cuda_sim: " + what + "\n  in kernel " + program_.full_name + ", PTX line " +
                      std::to_string(statement.ptx_line) + place + ": " + text_of(statement) + "\n");
  }

  uint32_t add_source(SourceLine line) {
    program_.sources.push_back(std::move(line));
    return static_cast<uint32_t>(program_.sources.size()) - 1;
  }

  // Static shared variables of the kernel and all that it calls, then the dynamic array behind them.
  void place_shared(const Function& entry) {
    std::set<const Function*> seen;
    std::vector<const Variable*> dynamic;
    collect_shared(entry, seen, dynamic);
    uint64_t alignment = 16;
    for (const Variable* variable : dynamic) alignment = std::max<uint64_t>(alignment, variable->alignment);
    program_.dynamic_shared_at = align_up(program_.shared_bytes, alignment);
    for (const Variable* variable : dynamic) shared_[variable] = program_.dynamic_shared_at;
  }

  void collect_shared(const Function& function, std::set<const Function*>& seen,
                      std::vector<const Variable*>& dynamic) {
    if (!seen.insert(&function).second) return;
    const std::function<void(const Operand&, int)> visit = [&](const Operand& operand, int scope) {
      for (const Operand& part : operand.parts) visit(part, scope);
      if (operand.kind != Operand::Kind::name) return;
      if (const Variable* variable = find_variable(function, scope, operand.name)) {
        if (variable->space != Variable::Space::shared || shared_.contains(variable)) return;
        if (variable->size == 0) {
          shared_[variable] = 0;
          dynamic.push_back(variable);
          return;
        }
        program_.shared_bytes = align_up(program_.shared_bytes, variable->alignment);
        shared_[variable] = program_.shared_bytes;
        program_.shared_bytes += variable->size;
      } else if (const auto callee = module_->functions.find(operand.name); callee != module_->functions.end()) {
        collect_shared(callee->second, seen, dynamic);
      }
    };
    for (const Statement& statement : function.body) {
      for (const Operand& operand : statement.operands) visit(operand, statement.scope);
    }
  }

  const Variable* find_variable(const Function& function, int scope, const std::string& name) const {
    for (; scope >= 0; scope = function.scopes[scope].parent) {
      const auto found = function.scopes[scope].variables.find(name);
      if (found != function.scopes[scope].variables.end()) return &found->second;
    }
    const auto found = module_->variables.find(name);
    return found == module_->variables.end() ? nullptr : &found->second;
  }

  void emit_body(Frame& frame) {
    const Function& function = *frame.function;
    if (std::ranges::find(inlining_, &function) != inlining_.end()) {
      throw Unsupported("cuda_sim: recursive calls of " + function.name + " cannot be inlined");
    }
    inlining_.push_back(&function);
    for (const Statement& statement : function.body) {
      frame.code_at.push_back(next_instruction());
      emit(frame, statement);
    }
    frame.code_at.push_back(next_instruction());
    for (const auto& [instruction, label] : frame.branches) {
      program_.code[instruction].target = static_cast<int32_t>(find_label(frame, label.first, label.second));
    }
    for (const uint32_t instruction : frame.returns) {
      program_.code[instruction].target = static_cast<int32_t>(next_instruction());
    }
    for (const Frame::IndexedBranch& branch : frame.indexed_branches) {
      for (const std::string& label : *branch.labels) {
        program_.code[branch.instruction].targets.push_back(find_label(frame, branch.scope, label));
      }
    }
    inlining_.pop_back();
  }

  uint32_t next_instruction() const { return static_cast<uint32_t>(program_.code.size()); }

  uint32_t find_label(const Frame& frame, int scope, const std::string& name) const {
    for (; scope >= 0; scope = frame.function->scopes[scope].parent) {
      const auto& labels = frame.function->scopes[scope].labels;
      const auto found = labels.find(name);
      if (found != labels.end()) return frame.code_at[found->second];
    }
    throw Unsupported("cuda_sim: no label " + name + " in " + frame.function->name);
  }

  void emit(Frame& frame, const Statement& statement) {
    if (statement.opcode == "call" || statement.opcode == "call.uni") {
      emit_call(frame, statement);
      return;
    }
    std::string opcode = statement.opcode;
    if (opcode.starts_with("mov.") && statement.operands.size() == 2 && is_clock(statement.operands[1].name)) {
      opcode = opcode.ends_with("64") ? "mov.clock.u64" : "mov.clock.u32";
      Statement read_clock = statement;
      read_clock.operands.pop_back();
      emit_opcode(frame, read_clock, opcode);
      return;
    }
    if ((opcode == "ret" || opcode == "ret.uni") && inlining_.size() > 1) {
      frame.returns.push_back(next_instruction());
      opcode = "bra.return";
    }
    emit_opcode(frame, statement, opcode);
  }

  Instruction& emit_opcode(Frame& frame, const Statement& statement, const std::string& name) {
    const Opcode* const opcode = opcode_table().find(name);
    if (opcode == nullptr) fail(statement, "unknown instruction " + name);
    Instruction instruction;
    instruction.handler = opcode->handler;
    instruction.flow = opcode->flow;
    instruction.variant = opcode->variant;
    instruction.statement = add_source({text_of(statement), statement.ptx_line, statement.location});
    if (!statement.guard.empty()) {
      instruction.guard = static_cast<int32_t>(find_predicate(frame, statement, statement.guard));
      instruction.guard_negated = statement.guard_negated;
    }
    bind_operands(frame, statement, *opcode, instruction);
    if (instruction.flow == Flow::collective) {
      instruction.members = static_cast<int32_t>(instruction.reg[instruction.operand_count - 1]);
    }
    if (opcode->shared_bytes != 0)
      program_.shared_granule = std::min<uint32_t>(program_.shared_granule, opcode->shared_bytes);
    if (opcode->global_bytes != 0)
      program_.global_granule = std::min<uint32_t>(program_.global_granule, opcode->global_bytes);
    program_.code.push_back(std::move(instruction));
    return program_.code.back();
  }

  void bind_operands(Frame& frame, const Statement& statement, const Opcode& opcode, Instruction& instruction) {
    const std::vector<Signature> signatures = read_signatures(opcode.signature);
    const auto fitting = std::ranges::find_if(
        signatures, [&](const Signature& signature) { return has_shape(signature, statement.operands); });
    if (fitting == signatures.end()) fail(statement, "operands do not fit " + opcode.signature);
    instruction.form = static_cast<uint8_t>(fitting - signatures.begin());
    size_t addresses = 0;
    size_t at = 0;
    for (size_t i = 0; i < fitting->size(); ++i, ++at) {
      const OperandSpec& spec = (*fitting)[i];
      const Operand& operand = statement.operands[at];
      if (spec.joined_to_next) {
        bind(frame, statement, spec, operand.parts[0], instruction);
        bind(frame, statement, (*fitting)[++i], operand.parts[1], instruction);
      } else if (spec.count > max_operands - 8) {
        for (const Operand& part : operand.parts) {
          instruction.targets.push_back(value_row(frame, statement, spec, part, instruction).first);
        }
      } else if (spec.count > 0) {
        for (const Operand& part : operand.parts) bind(frame, statement, spec, part, instruction);
      } else if (spec.kind == OperandSpec::Kind::address) {
        instruction.offset.at(addresses++) = operand.offset;
        OperandSpec base;
        base.width = 4;
        base.at_least = true;
        const Operand& part = operand.parts[0];
        // An address that the PTX names is known here; as 64 bits it has room for its window.
        if (part.kind != Operand::Kind::name || !find_register(frame, statement.scope, part.name)) base.width = 8;
        bind(frame, statement, base, part, instruction);
      } else if (spec.kind == OperandSpec::Kind::label) {
        bind_label(frame, statement, operand.name);
      } else {
        bind(frame, statement, spec, operand, instruction);
      }
    }
  }

  void bind_label(Frame& frame, const Statement& statement, const std::string& name) {
    for (int scope = statement.scope; scope >= 0; scope = frame.function->scopes[scope].parent) {
      const auto& lists = frame.function->scopes[scope].branch_targets;
      const auto found = lists.find(name);
      if (found == lists.end()) continue;
      frame.indexed_branches.push_back({next_instruction(), scope, &found->second});
      return;
    }
    frame.branches.push_back({next_instruction(), {statement.scope, name}});
  }

  void bind(Frame& frame, const Statement& statement, const OperandSpec& spec, const Operand& operand,
            Instruction& instruction) {
    if (instruction.operand_count >= max_operands) fail(statement, "too many operands");
    const size_t at = instruction.operand_count++;
    if (spec.kind == OperandSpec::Kind::predicate) {
      if (operand.kind == Operand::Kind::integer) {
        instruction.reg[at] = constant(0, operand.bits != 0);
      } else if (operand.name == "_" && spec.written) {
        instruction.reg[at] = program_.predicate_count++;
      } else {
        instruction.reg[at] = find_predicate(frame, statement, operand.name);
        if (operand.negated) instruction.negated |= 1u << at;
      }
      return;
    }
    const auto [row, width] = value_row(frame, statement, spec, operand, instruction);
    instruction.reg[at] = row;
    instruction.width[at] = width;
  }

  std::pair<uint32_t, uint8_t> value_row(Frame& frame, const Statement& statement, const OperandSpec& spec,
                                         const Operand& operand, const Instruction&) {
    if (operand.kind == Operand::Kind::name) {
      if (operand.name == "_" && spec.written) return {program_.row_count++, std::max<uint8_t>(spec.width, 2)};
      if (const auto found = find_register(frame, statement.scope, operand.name)) {
        const uint8_t width = found->second.width;
        if (width == 0) fail(statement, operand.name + " is a predicate");
        if (spec.at_least ? width < spec.width : width != spec.width) {
          fail(statement, operand.name + " is a register of " + std::to_string(width) +
                              " bytes, the instruction takes " + std::to_string(spec.width));
        }
        return {row_of(frame, found->first, operand.name), width};
      }
      if (spec.written) fail(statement, "cannot write " + operand.name);
      const auto special = special_registers().find(operand.name);
      if (special != special_registers().end()) {
        if (spec.width != 4) fail(statement, operand.name + " has 32 bits");
        return {special_row(special->second), 4};
      }
      const uint8_t width = spec.width;
      return {constant(width, address_of(frame, statement, operand.name)), width};
    }
    const uint8_t width = spec.at_least ? std::max<uint8_t>(spec.width, 4) : spec.width;
    const bool fits = operand.kind == Operand::Kind::integer ||
                      (operand.kind == Operand::Kind::float32 && width == 4) ||
                      (operand.kind == Operand::Kind::float64 && width == 8);
    if (!fits || spec.written)
      fail(statement, "operand " + text_of(operand) + " does not fit " + std::to_string(width) + " bytes");
    return {constant(width, operand.bits), width};
  }

  using FoundRegister = std::pair<int, Register>;  // scope

  std::optional<FoundRegister> find_register(const Frame& frame, int scope, const std::string& name) const {
    for (; scope >= 0; scope = frame.function->scopes[scope].parent) {
      const auto& registers = frame.function->scopes[scope].registers;
      const auto found = registers.find(name);
      if (found != registers.end()) return FoundRegister{scope, found->second};
    }
    return std::nullopt;
  }

  uint32_t row_of(Frame& frame, int scope, const std::string& name) {
    const auto [entry, is_new] = frame.rows.try_emplace({scope, name}, program_.row_count);
    if (is_new) ++program_.row_count;
    return entry->second;
  }

  uint32_t find_predicate(Frame& frame, const Statement& statement, const std::string& name) {
    const auto found = find_register(frame, statement.scope, name);
    if (!found || found->second.width != 0) fail(statement, name + " is no predicate");
    const auto [entry, is_new] = frame.rows.try_emplace({found->first, name}, program_.predicate_count);
    if (is_new) ++program_.predicate_count;
    return entry->second;
  }

  uint32_t constant(uint8_t width, uint64_t value) {
    if (width < 8) value &= (uint64_t{1} << (width == 0 ? 1 : width * 8)) - 1;
    const auto [entry, is_new] = constants_.try_emplace({width, value}, 0);
    if (is_new) {
      entry->second = width == 0 ? program_.predicate_count++ : program_.row_count++;
      program_.constants.push_back({entry->second, width, value});
    }
    return entry->second;
  }

  uint32_t special_row(SpecialRegister special) {
    const auto [entry, is_new] = special_rows_.try_emplace(special, program_.row_count);
    if (is_new) {
      ++program_.row_count;
      program_.specials.push_back({entry->second, special});
    }
    return entry->second;
  }

  uint64_t address_of(Frame& frame, const Statement& statement, const std::string& name) {
    for (int scope = statement.scope; scope >= 0; scope = frame.function->scopes[scope].parent) {
      const auto& variables = frame.function->scopes[scope].variables;
      const auto found = variables.find(name);
      if (found == variables.end()) continue;
      const Variable& variable = found->second;
      if (variable.space == Variable::Space::shared) return shared_.at(&variable);
      if (variable.space != Variable::Space::local && variable.space != Variable::Space::param) break;
      const auto [entry, is_new] = frame.variables.try_emplace({scope, name}, 0);
      if (is_new) {
        program_.local_bytes = align_up(program_.local_bytes, variable.alignment);
        entry->second = program_.local_bytes + (variable.space == Variable::Space::param ? call_window : 0);
        program_.local_bytes += variable.size;
      }
      return entry->second;
    }
    if (const auto found = frame.params.find(name); found != frame.params.end()) return found->second;
    if (const auto found = module_->variables.find(name); found != module_->variables.end()) {
      if (found->second.space == Variable::Space::shared) return shared_.at(&found->second);
      return address_of_(found->second);
    }
    fail(statement, "unknown name " + name);
  }

  // call [(results),] function [, (arguments)]: the function's body stands in for the call.
  void emit_call(Frame& frame, const Statement& statement) {
    size_t at = 0;
    std::vector<Operand> results;
    std::vector<Operand> arguments;
    if (at < statement.operands.size() && statement.operands[at].kind == Operand::Kind::list) {
      results = statement.operands[at++].parts;
    }
    if (at >= statement.operands.size()) fail(statement, "call of nothing");
    const std::string name = statement.operands[at++].name;
    if (at < statement.operands.size()) arguments = statement.operands[at++].parts;
    const auto callee = module_->functions.find(name);
    if (at != statement.operands.size() || callee == module_->functions.end()) {
      fail(statement, "calls through pointers are not supported");
    }
    if (!callee->second.has_body) {
      // What the CUDA runtime provides (printf, assert) stands in the table as an instruction of its own.
      Statement builtin = statement;
      builtin.operands = arguments;
      emit_opcode(frame, builtin, "call." + name);
      return;
    }
    Frame inner;
    inner.function = &callee->second;
    const auto pass = [&](const std::vector<Variable>& formal, const std::vector<Operand>& actual) {
      if (formal.size() != actual.size()) fail(statement, "number of arguments of " + name);
      for (size_t i = 0; i < formal.size(); ++i) {
        inner.params[formal[i].name] = address_of(frame, statement, actual[i].name);
      }
    };
    pass(callee->second.results, results);
    pass(callee->second.params, arguments);
    int skip = -1;
    if (!statement.guard.empty()) {
      Statement around = statement;
      around.guard_negated = !around.guard_negated;
      around.operands.clear();
      skip = static_cast<int>(next_instruction());
      emit_opcode(frame, around, "bra.return");
    }
    emit_body(inner);
    if (skip >= 0) program_.code[skip].target = static_cast<int32_t>(next_instruction());
  }

  std::shared_ptr<const Module> module_;
  const VariableAddress& address_of_;
  Program program_;
  std::vector<const Function*> inlining_;
  std::map<const Variable*, uint64_t> shared_;
  std::map<std::pair<uint8_t, uint64_t>, uint32_t> constants_;
  std::map<SpecialRegister, uint32_t> special_rows_;
};

}  // namespace

std::string demangle(const std::string& name) {
  int status = 0;
  char* const text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string full = status == 0 ? text : name;
  std::free(text);
  return full;
}

Program translate(std::shared_ptr<const Module> module, const std::string& kernel, const VariableAddress& address_of) {
  return Translator(std::move(module), address_of).translate(kernel);
}

}  // namespace gmr::cuda_sim
