#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gmr::cuda_sim {

struct Token {
  enum class Kind : unsigned char { word, number, text, symbol, end };
  Kind kind = Kind::end;
  std::string_view text;  // within the source; a text token comes without its quotes
  int line = 0;

  bool is(std::string_view other) const { return kind != Kind::text && text == other; }
};

// Words hold letters, digits, and any of _ $ % . and `::`, so that an opcode with its modifiers, a directive and a
// special register are one token each. `source` must outlive the tokens.
std::vector<Token> lex(std::string_view source);

}  // namespace gmr::cuda_sim
