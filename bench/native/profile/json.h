// JSON: what reports are written in and baselines are read from.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gmr::profile {

class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // in order

  Json() = default;
  Json(bool value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(int value) : value_(static_cast<double>(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  static Json parse(const std::string& text);  // throws JsonError, with the place
  std::string text() const;                    // an element of an array a line

  // Throw JsonError where the value is of another kind, or has no such member.
  const Json& at(const std::string& name) const;
  bool boolean() const;
  double number() const;
  const std::string& string() const;
  const Array& array() const;

 private:
  template <typename T>
  const T& as(const std::string& expected) const;
  void write(std::string& to, int depth) const;

  std::variant<std::monostate, bool, double, std::string, Array, Object> value_;
};

}  // namespace gmr::profile
