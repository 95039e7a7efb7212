#include "json.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace gmr::profile {
namespace {

constexpr int most_depth = 64;

class Parser {
 public:
  explicit Parser(const std::string& text) : at_(text.data()), begin_(at_), end_(at_ + text.size()) {}

  Json document() {
    Json value = parse(0);
    skip_spaces();
    if (at_ != end_) fail("the end");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* expected) const {
    throw JsonError("expected " + std::string(expected) + " at character " + std::to_string(at_ - begin_));
  }

  void skip_spaces() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  bool take(char c) {
    skip_spaces();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool take_word(const std::string& word) {
    if (static_cast<size_t>(end_ - at_) < word.size() || std::string(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json parse(int depth) {
    if (depth > most_depth) fail("fewer brackets");
    skip_spaces();
    if (take('{')) return object(depth);
    if (take('[')) return array(depth);
    if (take('"')) return string();
    if (take_word("true")) return true;
    if (take_word("false")) return false;
    if (take_word("null")) return {};
    double number = 0;
    const auto [rest, error] = std::from_chars(at_, end_, number);
    if (error != std::errc{}) fail("a value");
    at_ = rest;
    return number;
  }

  Json object(int depth) {
    Json::Object members;
    if (take('}')) return members;
    do {
      if (!take('"')) fail("a name");
      std::string name = string();
      if (!take(':')) fail("':'");
      members.emplace_back(std::move(name), parse(depth + 1));
    } while (take(','));
    if (!take('}')) fail("',' or '}'");
    return members;
  }

  Json array(int depth) {
    Json::Array elements;
    if (take(']')) return elements;
    do elements.push_back(parse(depth + 1));
    while (take(','));
    if (!take(']')) fail("',' or ']'");
    return elements;
  }

  // Escapes other than those that text() writes do not occur in reports.
  std::string string() {
    std::string value;
    for (; at_ != end_ && *at_ != '"'; ++at_) {
      if (*at_ == '\\' && (++at_ == end_ || (*at_ != '"' && *at_ != '\\'))) fail("\\\" or \\\\");
      value += *at_;
    }
    if (at_ == end_) fail("'\"'");
    ++at_;
    return value;
  }

  const char* at_;
  const char* begin_;
  const char* end_;
};

void write_string(std::string& to, const std::string& value) {
  to += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') to += '\\';
    to += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  to += '"';
}

}  // namespace

Json Json::parse(const std::string& text) { return Parser(text).document(); }

std::string Json::text() const {
  std::string result;
  write(result, 0);
  return result + "\n";
}

void Json::write(std::string& to, int depth) const {
  if (const auto* flag = std::get_if<bool>(&value_)) {
    to += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<double>(&value_); number != nullptr && std::isfinite(*number)) {
    char digits[32];
    std::snprintf(digits, sizeof(digits), "%.10g", *number);
    to += digits;
  } else if (const auto* string = std::get_if<std::string>(&value_)) {
    write_string(to, *string);
  } else if (const auto* array = std::get_if<Array>(&value_)) {
    to += '[';
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) to += ',';
      to += '\n' + std::string(static_cast<size_t>(depth + 1), ' ');
      (*array)[i].write(to, depth + 1);
    }
    to += ']';
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    to += '{';
    for (size_t i = 0; i < object->size(); ++i) {
      if (i > 0) to += ", ";
      write_string(to, (*object)[i].first);
      to += ": ";
      (*object)[i].second.write(to, depth + 1);
    }
    to += '}';
  } else {
    to += "null";  // JSON has no NaN and no infinity
  }
}

const Json& Json::at(const std::string& name) const {
  if (const auto* object = std::get_if<Object>(&value_)) {
    for (const auto& [key, value] : *object) {
      if (key == name) return value;
    }
  }
  throw JsonError("expected a member '" + name + "'");
}

template <typename T>
const T& Json::as(const std::string& expected) const {
  if (const auto* value = std::get_if<T>(&value_)) return *value;
  throw JsonError("expected " + expected);
}

bool Json::boolean() const { return as<bool>("true or false"); }
double Json::number() const { return as<double>("a number"); }
const std::string& Json::string() const { return as<std::string>("a string"); }
const Json::Array& Json::array() const { return as<Array>("an array"); }

}  // namespace gmr::profile
