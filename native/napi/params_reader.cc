#include "napi/params_reader.h"

#include <cmath>
#include <stdexcept>

#include "napi/buffer_handle.h"

namespace gmr {

std::string describe(Napi::Value value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_string:
      return std::string("\"").append(value.ToString().Utf8Value(), 0, 60).append("\"");
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_object:
      return "an object";
    case napi_external:
      return "a native handle";
    default:
      return value.ToString().Utf8Value();
  }
}

int64_t element_count(std::initializer_list<int64_t> extents) {
  constexpr int64_t limit = int64_t{1} << 52;
  int64_t count = 1;
  for (const int64_t extent : extents) {
    if (extent == 0) return 0;
  }
  for (const int64_t extent : extents) {
    if (count > limit / extent) {
      std::string received;
      for (const int64_t factor : extents) received += (received.empty() ? "" : ", ") + std::to_string(factor);
      throw std::invalid_argument("[gmr.node] expected the extents to have a product of at most 2^52, received [" +
                                  received + "]");
    }
    count *= extent;
  }
  return count;
}

ParamsReader::ParamsReader(Napi::Object object, const char* pass, const Memory* memory, std::byte* params)
    : object_(object), pass_(pass), memory_(memory), params_(params) {}

void ParamsReader::fail(const char* name, const std::string& expected, const std::string& received) const {
  throw std::invalid_argument("[" + std::string(pass_) + "] expected " + prefix_ + name + " to be " + expected +
                              ", received " + received);
}

bool ParamsReader::present(const char* name) {
  const Napi::Value value = object_.Get(name);
  return !value.IsUndefined() && !value.IsNull();
}

Napi::Array ParamsReader::array(const char* name, int64_t most) {
  const Napi::Value value = object_.Get(name);
  if (!value.IsArray() || value.As<Napi::Array>().Length() > most) {
    fail(name, "an array of at most " + std::to_string(most), describe(value));
  }
  return value.As<Napi::Array>();
}

void ParamsReader::enter(const char* name, const Napi::Array& items, int64_t i) {
  const Napi::Value item = items.Get(static_cast<uint32_t>(i));
  const std::string item_name = std::string(name).append("[").append(std::to_string(i)).append("]");
  prefix_.clear();
  if (!item.IsObject()) fail(item_name.c_str(), "an object", describe(item));
  object_ = item.As<Napi::Object>();
  prefix_ = item_name + ".";
}

int64_t ParamsReader::to_integer(const char* name, Napi::Value value, int64_t min, int64_t max) const {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) || number != std::floor(number)) {
    fail(name, "an integer in [" + std::to_string(min) + ", " + std::to_string(max) + "]", describe(value));
  }
  return static_cast<int64_t>(number);
}

int64_t ParamsReader::integer(const char* name, int64_t min, int64_t max) {
  return to_integer(name, object_.Get(name), min, max);
}

double ParamsReader::number(const char* name) {
  const Napi::Value value = object_.Get(name);
  if (!value.IsNumber()) fail(name, "a number", describe(value));
  return value.As<Napi::Number>().DoubleValue();
}

bool ParamsReader::flag(const char* name) {
  const Napi::Value value = object_.Get(name);
  if (!value.IsBoolean()) fail(name, "a boolean", describe(value));
  return value.As<Napi::Boolean>().Value();
}

std::array<int64_t, 3> ParamsReader::triple(const char* name, int64_t min, int64_t max) {
  const Napi::Value value = object_.Get(name);
  if (!value.IsArray() || value.As<Napi::Array>().Length() != 3) fail(name, "an array of 3 integers", describe(value));
  const auto array = value.As<Napi::Array>();
  std::array<int64_t, 3> result;
  for (uint32_t i = 0; i < 3; ++i) result[i] = to_integer(name, array.Get(i), min, max);
  return result;
}

void ParamsReader::operand(const char* name, const void* field, int64_t count, size_t element_bytes, Access access) {
  const Napi::Value value = object_.Get(name);
  BufferRef buffer = unwrap_buffer(value);
  if (buffer == nullptr) fail(name, "a live device buffer", describe(value));
  if (buffer->memory() != memory_) fail(name, "a buffer of the same device", "a buffer of another device");
  const uint64_t needed = static_cast<uint64_t>(count) * element_bytes;
  if (buffer->bytes() < needed) {
    fail(name, "a buffer of at least " + std::to_string(needed) + " bytes", std::to_string(buffer->bytes()));
  }
  const auto offset = static_cast<uint32_t>(static_cast<const std::byte*>(field) - params_);
  operands_.push_back({std::move(buffer), offset, access});
}

}  // namespace gmr
