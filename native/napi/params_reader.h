// Reads a JavaScript object into a plain params struct. Each method names the property that it reads; a property that
// is missing or wrong is an error that says what was expected and what came.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "backend/device.h"
#include "backend/element_type.h"

namespace gmr {

constexpr int64_t max_extent = int64_t{1} << 40;

// The product of extents; throws where it would pass 2^52, long before an offset could overflow.
int64_t element_count(std::initializer_list<int64_t> extents);

// A short picture of any value, for error messages.
std::string describe(Napi::Value value);

class ParamsReader {
 public:
  ParamsReader(Napi::Object object, const char* pass, const Memory* memory, std::byte* params);

  int64_t integer(const char* name, int64_t min = 0, int64_t max = max_extent);
  double number(const char* name);
  bool flag(const char* name);
  std::array<int64_t, 3> triple(const char* name, int64_t min = 0, int64_t max = max_extent);
  template <typename Enum>
  Enum choice(const char* name, Enum last) {
    return static_cast<Enum>(integer(name, 0, static_cast<int64_t>(last)));
  }

  ElementType element_type(const char* name = "type") { return choice(name, ElementType::bfloat16); }

  // Buffers of `count` elements. `field` is a pointer member of the params struct that is being read.
  template <typename T>
  void in(const char* name, const T*& field, int64_t count) {
    operand(name, &field, count, sizeof(T), Access::read);
  }
  template <typename T>
  void out(const char* name, T*& field, int64_t count) {
    operand(name, &field, count, sizeof(T), Access::write);
  }
  template <typename T>
  void update(const char* name, T*& field, int64_t count) {
    operand(name, &field, count, sizeof(T), Access::update);
  }
  // The same of elements whose type a param gives.
  void in(const char* name, const void*& field, ElementType type, int64_t count) {
    operand(name, &field, count, element_bytes(type), Access::read);
  }
  void out(const char* name, void*& field, ElementType type, int64_t count) {
    operand(name, &field, count, element_bytes(type), Access::write);
  }
  // The same where the property may be null or absent; `field` is then nullptr.
  template <typename T>
  void in_optional(const char* name, const T*& field, int64_t count) {
    if (present(name)) in(name, field, count);
  }
  template <typename T>
  void out_optional(const char* name, T*& field, int64_t count) {
    if (present(name)) out(name, field, count);
  }
  void in_optional(const char* name, const void*& field, ElementType type, int64_t count) {
    if (present(name)) in(name, field, type, count);
  }
  void out_optional(const char* name, void*& field, ElementType type, int64_t count) {
    if (present(name)) out(name, field, type, count);
  }
  template <typename T>
  void update_optional(const char* name, T*& field, int64_t count) {
    if (present(name)) update(name, field, count);
  }

  // Reads the objects of an array of at most `most`: while f(i) runs, properties are those of the ith.
  template <typename F>
  int64_t each(const char* name, int64_t most, F&& f) {
    const Napi::Array items = array(name, most);
    const int64_t count = items.Length();
    const Napi::Object outer = object_;
    for (int64_t i = 0; i < count; ++i) {
      enter(name, items, i);
      f(i);
    }
    object_ = outer;
    prefix_.clear();
    return count;
  }

  [[noreturn]] void fail(const char* name, const std::string& expected, const std::string& received) const;
  std::vector<Operand> take_operands() { return std::move(operands_); }

 private:
  bool present(const char* name);
  Napi::Array array(const char* name, int64_t most);
  void enter(const char* name, const Napi::Array& items, int64_t i);
  void operand(const char* name, const void* field, int64_t count, size_t element_bytes, Access access);
  int64_t to_integer(const char* name, Napi::Value value, int64_t min, int64_t max) const;

  Napi::Object object_;
  std::string prefix_;  // of the names in messages
  const char* pass_;
  const Memory* memory_;
  std::byte* params_;
  std::vector<Operand> operands_;
};

}  // namespace gmr
