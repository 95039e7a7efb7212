#include "testing/cuda_sim/ptx_parser.h"

#include <cstdlib>
#include <optional>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/ptx_lexer.h"

namespace gmr::cuda_sim {

namespace {

struct TypeSize {
  std::string_view name;
  uint8_t bytes;
};

constexpr TypeSize type_sizes[] = {
    {".b8", 1},   {".u8", 1},  {".s8", 1},  {".b16", 2}, {".u16", 2},   {".s16", 2},   {".f16", 2},
    {".bf16", 2}, {".b32", 4}, {".u32", 4}, {".s32", 4}, {".f32", 4},   {".f16x2", 4}, {".bf16x2", 4},
    {".b64", 8},  {".u64", 8}, {".s64", 8}, {".f64", 8}, {".b128", 16},
};

std::optional<uint8_t> size_of_type(std::string_view name) {
  for (const TypeSize& type : type_sizes) {
    if (type.name == name) return type.bytes;
  }
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(lex(source)) {}

  Module parse() {
    find_files();
    while (peek().kind != Token::Kind::end) parse_directive();
    return std::move(module_);
  }

 private:
  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }

  [[noreturn]] void fail(const std::string& what) const {
    throw Unsupported("PTX line " + std::to_string(peek().line) + ": " + what);
  }

  bool accept(std::string_view text) {
    if (!peek().is(text)) return false;
    next();
    return true;
  }

  void expect(std::string_view text) {
    if (!accept(text)) fail("expected '" + std::string(text) + "', found '" + std::string(peek().text) + "'");
  }

  std::string word() {
    if (peek().kind != Token::Kind::word) fail("expected a name, found '" + std::string(peek().text) + "'");
    return std::string(next().text);
  }

  uint64_t number() {
    const bool minus = accept("-");
    if (peek().kind != Token::Kind::number) fail("expected a number, found '" + std::string(peek().text) + "'");
    std::string text(next().text);
    if (text.back() == 'U') text.pop_back();
    const int base = text.starts_with("0b") || text.starts_with("0B") ? 2 : 0;
    const uint64_t value = std::strtoull(text.c_str() + (base == 2 ? 2 : 0), nullptr, base);
    return minus ? -value : value;
  }

  void skip_to(std::string_view text) {
    while (!peek().is(text) && peek().kind != Token::Kind::end) next();
    expect(text);
  }

  // The .file directives stand at the end of a module, the .loc that refer to them before.
  void find_files() {
    for (size_t i = 0; i + 2 < tokens_.size(); ++i) {
      if (!tokens_[i].is(".file")) continue;
      std::string_view path = tokens_[i + 2].text;
      path = path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
      files_[std::string(tokens_[i + 1].text)] = path;
    }
  }

  void parse_directive() {
    const std::string directive = word();
    if (directive == ".version") {
      next();
    } else if (directive == ".target") {
      module_.target_name = word();
      if (!module_.target_name.starts_with("sm_")) fail("unknown target " + module_.target_name);
      module_.target = std::atoi(module_.target_name.c_str() + 3);
      while (accept(",")) word();
    } else if (directive == ".address_size") {
      if (number() != 64) fail("only 64-bit addresses are supported");
    } else if (directive == ".file") {
      number();
      next();
      while (accept(",")) number();
    } else if (directive == ".section") {
      skip_to("{");
      skip_to("}");
    } else if (directive == ".visible" || directive == ".weak" || directive == ".common") {
    } else if (directive == ".extern") {
      extern_ = true;
      return;
    } else if (directive == ".entry" || directive == ".func") {
      parse_function(directive == ".entry");
    } else if (directive == ".pragma") {
      skip_to(";");
    } else if (const auto space = variable_space(directive)) {
      for (Variable& variable : parse_variables(*space)) module_.variables[variable.name] = std::move(variable);
    } else {
      fail("unknown directive " + directive);
    }
    extern_ = false;
  }

  static std::optional<Variable::Space> variable_space(const std::string& directive) {
    if (directive == ".global") return Variable::Space::global;
    if (directive == ".const") return Variable::Space::constant;
    if (directive == ".shared") return Variable::Space::shared;
    if (directive == ".local") return Variable::Space::local;
    if (directive == ".param") return Variable::Space::param;
    return std::nullopt;
  }

  // [.align n] [.attribute] .type name [dimensions] [= initial], without what ends it.
  Variable parse_variable(Variable::Space space) {
    Variable variable;
    variable.space = space;
    uint64_t alignment = 0;
    for (;;) {
      if (accept(".align")) {
        alignment = number();
      } else if (accept(".ptr")) {
        // A kernel's pointer parameter: the space and alignment of what it points to.
        while (peek().is(".global") || peek().is(".shared") || peek().is(".const") || peek().is(".local")) next();
      } else {
        break;
      }
    }
    const std::string type = word();
    const auto size = size_of_type(type);
    if (!size) fail("unknown type " + type);
    if (accept(".ptr")) {
      while (peek().is(".global") || peek().is(".shared") || peek().is(".const") || peek().is(".local")) next();
      if (accept(".align")) number();
    }
    variable.name = word();
    variable.element_size = *size;
    variable.alignment = static_cast<uint32_t>(alignment == 0 ? *size : alignment);
    variable.size = *size;
    while (accept("[")) {
      if (accept("]")) {
        variable.size = 0;
        continue;
      }
      variable.size *= number();
      expect("]");
    }
    if (accept("=")) parse_initial(variable);
    if (variable.size == 0 && !(extern_ && space == Variable::Space::shared)) {
      variable.size = variable.element_size * variable.initial.size();
    }
    return variable;
  }

  void parse_initial(Variable& variable) {
    if (accept("{")) {
      while (!accept("}")) {
        parse_initial(variable);
        accept(",");
      }
    } else if (peek().kind == Token::Kind::word) {
      std::string symbol = word();
      if (symbol == "generic") {
        expect("(");
        symbol = word();
        expect(")");
      }
      uint64_t addend = 0;
      if (accept("+")) addend = number();
      variable.initial.push_back({symbol, addend});
    } else {
      variable.initial.push_back({"", immediate().bits});
    }
  }

  std::vector<Variable> parse_variables(Variable::Space space) {
    std::vector<Variable> variables{parse_variable(space)};
    while (accept(",")) variables.push_back(parse_variable(space));
    expect(";");
    return variables;
  }

  std::vector<Variable> parse_params() {
    std::vector<Variable> params;
    expect("(");
    while (!accept(")")) {
      expect(".param");
      params.push_back(parse_variable(Variable::Space::param));
      accept(",");
    }
    return params;
  }

  void parse_function(bool is_entry) {
    Function function;
    function.is_entry = is_entry;
    if (peek().is("(")) function.results = parse_params();
    function.name = word();
    if (peek().is("(")) function.params = parse_params();
    while (!peek().is("{") && !peek().is(";")) {
      const std::string directive = word();
      if (directive == ".maxntid" || directive == ".reqntid") {
        function.max_threads = static_cast<uint32_t>(number());
        while (accept(",")) function.max_threads *= static_cast<uint32_t>(number());
      } else if (directive == ".minnctapersm" || directive == ".maxnreg" || directive == ".maxclusterrank") {
        number();
      } else if (directive != ".noreturn") {
        fail("unknown directive " + directive + " of function " + function.name);
      }
    }
    if (accept("{")) {
      function.has_body = true;
      parse_body(function);
    } else {
      expect(";");
    }
    Function& known = module_.functions[function.name];
    if (!known.has_body) known = std::move(function);
  }

  void parse_body(Function& function) {
    function.scopes.push_back({});
    int scope = 0;
    location_ = -1;
    for (;;) {
      if (accept("{")) {
        function.scopes.push_back({});
        function.scopes.back().parent = scope;
        scope = static_cast<int>(function.scopes.size()) - 1;
      } else if (accept("}")) {
        scope = function.scopes[scope].parent;
        if (scope < 0) return;
      } else if (accept(";")) {
      } else if (peek().is("@") || (peek().kind == Token::Kind::word && peek().text[0] != '.' && !peek(1).is(":"))) {
        function.body.push_back(parse_statement(scope));
      } else if (peek().kind == Token::Kind::word && peek(1).is(":")) {
        const std::string label = word();
        expect(":");
        if (accept(".branchtargets")) {
          auto& targets = function.scopes[scope].branch_targets[label];
          do targets.push_back(word());
          while (accept(","));
          expect(";");
        } else {
          function.scopes[scope].labels[label] = static_cast<int>(function.body.size());
        }
      } else {
        parse_body_directive(function.scopes[scope]);
      }
    }
  }

  void parse_body_directive(Scope& scope) {
    const std::string directive = word();
    if (directive == ".reg") {
      parse_registers(scope);
    } else if (directive == ".loc") {
      parse_location();
    } else if (directive == ".pragma") {
      skip_to(";");
    } else if (const auto space = variable_space(directive)) {
      for (Variable& variable : parse_variables(*space)) scope.variables[variable.name] = std::move(variable);
    } else {
      fail("unknown directive " + directive);
    }
  }

  void parse_registers(Scope& scope) {
    const std::string type = word();
    Register declared;
    if (type != ".pred") {
      const auto size = size_of_type(type);
      if (!size) fail("unknown register type " + type);
      declared.width = *size;
    }
    do {
      const std::string name = word();
      if (accept("<")) {
        const uint64_t count = number();
        expect(">");
        for (uint64_t i = 0; i < count; ++i) scope.registers[name + std::to_string(i)] = declared;
      } else {
        scope.registers[name] = declared;
      }
    } while (accept(","));
    expect(";");
  }

  std::string file_line() {
    const std::string file(next().text);
    return files_[file] + ":" + std::to_string(number());
  }

  // .loc file line column [, function_name label, inlined_at file line column]
  void parse_location() {
    std::string text = file_line();
    number();
    while (accept(",")) {
      const std::string attribute = word();
      if (attribute == "function_name") {
        word();
        if (accept("+")) number();
      } else if (attribute == "inlined_at") {
        text += " (inlined at " + file_line() + ")";
        number();
      } else {
        fail("unknown attribute of .loc: " + attribute);
      }
    }
    if (module_.locations.empty() || module_.locations.back() != text) module_.locations.push_back(text);
    location_ = static_cast<int>(module_.locations.size()) - 1;
  }

  Statement parse_statement(int scope) {
    Statement statement;
    statement.scope = scope;
    statement.ptx_line = peek().line;
    statement.location = location_;
    if (accept("@")) {
      statement.guard_negated = accept("!");
      statement.guard = word();
    }
    statement.opcode = word();
    if (!peek().is(";")) {
      do statement.operands.push_back(parse_operand());
      while (accept(","));
    }
    expect(";");
    return statement;
  }

  Operand group(Operand::Kind kind, std::string_view close) {
    Operand operand;
    operand.kind = kind;
    while (!accept(close)) {
      operand.parts.push_back(parse_operand());
      if (!accept(",") && !peek().is(close)) fail("expected ',' or '" + std::string(close) + "'");
    }
    return operand;
  }

  Operand parse_operand() {
    if (accept("{")) return group(Operand::Kind::vector, "}");
    if (accept("(")) return group(Operand::Kind::list, ")");
    if (accept("[")) {
      Operand address;
      address.kind = Operand::Kind::address;
      address.parts.push_back(parse_operand());
      if (accept("+")) {
        address.offset = static_cast<int64_t>(number());
      } else if (peek().is("-")) {
        address.offset = static_cast<int64_t>(number());
      }
      expect("]");
      return address;
    }
    if (peek().kind == Token::Kind::number || peek().is("-")) return immediate();
    Operand operand;
    operand.negated = accept("!");
    operand.name = word();
    if (accept("|")) {
      Operand pair;
      pair.kind = Operand::Kind::pair;
      pair.parts.push_back(operand);
      pair.parts.push_back(parse_operand());
      return pair;
    }
    return operand;
  }

  Operand immediate() {
    Operand operand;
    const std::string_view text = peek().text;
    if (text.size() > 2 && text[0] == '0' && (text[1] == 'f' || text[1] == 'F' || text[1] == 'd' || text[1] == 'D')) {
      operand.kind = text[1] == 'f' || text[1] == 'F' ? Operand::Kind::float32 : Operand::Kind::float64;
      operand.bits = std::strtoull(std::string(next().text.substr(2)).c_str(), nullptr, 16);
    } else {
      operand.kind = Operand::Kind::integer;
      operand.bits = number();
    }
    return operand;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  bool extern_ = false;
  int location_ = -1;
  std::map<std::string, std::string> files_;
  Module module_;
};

}  // namespace

Module parse_ptx(std::string_view source) { return Parser(source).parse(); }

}  // namespace gmr::cuda_sim
