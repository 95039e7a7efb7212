#include "testing/cuda_sim/ptx_lexer.h"

#include <cctype>

#include "testing/cuda_sim/fault.h"

namespace gmr::cuda_sim {

namespace {

bool starts_word(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

bool continues_word(char c) { return starts_word(c) || std::isdigit(static_cast<unsigned char>(c)); }

}  // namespace

std::vector<Token> lex(std::string_view source) {
  std::vector<Token> tokens;
  int line = 1;
  size_t at = 0;
  const auto peek = [&](size_t ahead) { return at + ahead < source.size() ? source[at + ahead] : '\0'; };
  const auto take = [&](Token::Kind kind, size_t from, size_t to) {
    tokens.push_back({kind, source.substr(from, to - from), line});
  };
  while (at < source.size()) {
    const char c = source[at];
    const size_t start = at;
    if (c == '\n') {
      ++line;
      ++at;
    } else if (std::isspace(static_cast<unsigned char>(c)) || c == '\0') {
      ++at;
    } else if (c == '/' && peek(1) == '/') {
      while (at < source.size() && source[at] != '\n') ++at;
    } else if (c == '/' && peek(1) == '*') {
      at += 2;
      while (at < source.size() && !(source[at] == '*' && peek(1) == '/')) line += source[at++] == '\n';
      at += 2;
    } else if (c == '"') {
      ++at;
      while (at < source.size() && source[at] != '"') ++at;
      take(Token::Kind::text, start + 1, at++);
    } else if (starts_word(c)) {
      while (at < source.size()) {
        if (continues_word(source[at])) {
          ++at;
        } else if (source[at] == ':' && peek(1) == ':') {
          at += 2;
        } else {
          break;
        }
      }
      take(Token::Kind::word, start, at);
    } else if (std::isdigit(static_cast<unsigned char>(c))) {
      while (at < source.size() && continues_word(source[at])) ++at;
      take(Token::Kind::number, start, at);
    } else if (std::string_view("{}[]()<>,;:|@!+-=").find(c) != std::string_view::npos) {
      take(Token::Kind::symbol, start, ++at);
    } else {
      throw Unsupported("PTX line " + std::to_string(line) + ": unexpected character '" + c + "'");
    }
  }
  tokens.push_back({Token::Kind::end, "", line});
  return tokens;
}

}  // namespace gmr::cuda_sim
