// One pass of one op at one shape, with all that is needed to run it on any backend: the params struct, its tensors,
// and the work that the formulas ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/element_type.h"
#include "ops/conv/float32_precision.h"
#include "ops/ops.h"
#include "random.h"

namespace gmr::profile {

// What a call has to do, counted from the formulas, whatever the kernels really do.
struct Work {
  double flops = 0;      // of the product, 2 a multiply-add; the operations of an elementwise op
  double additions = 0;  // beside the product: ring sums
  double bytes = 0;      // that have to be read and written once each
};

// What an op computes in: the elements of activations and, where these are float32, how exact products are.
enum class Arithmetic { float32, high, bf16 };
const char* arithmetic_name(Arithmetic arithmetic);

enum class Access { read, write, update };
enum class OperandType { float32, bfloat16, int32 };

// Writes `count` elements of 4 bytes.
using Fill = std::function<void(Random& random, void* data, int64_t count)>;

struct Operand {
  const char* name;
  size_t params_offset;  // of its address in the params struct
  int64_t count;
  Access access;
  OperandType type;
  bool is_activation;  // of the type that the params struct names
  Fill fill;           // of float32 or int32; empty where the pass only writes

  size_t bytes() const { return static_cast<size_t>(count) * (type == OperandType::bfloat16 ? 2 : 4); }
};

struct Case {
  const char* op;
  const char* pass_name;
  Pass pass;
  std::string name;
  std::vector<std::byte> params;  // without addresses
  std::vector<Operand> operands;
  Work work;
  int64_t uses = 1;  // how often the suite's network runs it
  Arithmetic arithmetic = Arithmetic::float32;
  bool is_product = false;                      // flops are those of a matrix product
  std::vector<size_t> type_offsets = {};        // of the element types in the params struct; none: float32 alone
  std::optional<size_t> precision_offset = {};  // of the precision in it
  std::vector<Arithmetic> only = {};            // what --check runs it in; empty: all that it has

  size_t bytes() const {
    size_t total = 0;
    for (const Operand& operand : operands) total += operand.bytes();
    return total;
  }
};

const char* op_name(Pass pass);
const char* pass_name(Pass pass);

// `op pass, case`, and the arithmetic where it is not float32.
std::string title_of(const Case& c);

// The same case in another arithmetic; none where the pass does not have it.
std::optional<Case> in_arithmetic(const Case& c, Arithmetic arithmetic);

// Each operand is read or written once, updated ones are both.
double bytes_moved(const std::vector<Operand>& operands);

Fill uniform(float low, float high);
Fill integers_below(int32_t limit);

// Makes a case from the params struct of its pass: geometry is set in `params`, then each tensor is declared with the
// field that holds its address. A field that is not declared stays nullptr.
template <typename Params>
class CaseBuilder {
  static_assert(std::is_trivially_copyable_v<Params>);

 public:
  CaseBuilder(Pass pass, std::string name) : case_{op_name(pass), pass_name(pass), pass, std::move(name), {}, {}, {}} {
    if constexpr (requires { params.precision; }) case_.precision_offset = offset_of(&params.precision);
    if constexpr (requires { params.type; }) case_.type_offsets = {offset_of(&params.type)};
    if constexpr (requires { params.affine.type; }) case_.type_offsets = {offset_of(&params.affine.type)};
    if constexpr (requires { params.x_type; })
      case_.type_offsets = {offset_of(&params.x_type), offset_of(&params.y_type)};
  }

  Params params{};

  template <typename T>
  void read(const char* name, const T*& field, int64_t count, Fill fill = uniform(-1, 1)) {
    add<T>(name, &field, count, Access::read, std::move(fill));
  }
  template <typename T>
  void write(const char* name, T*& field, int64_t count) {
    add<T>(name, &field, count, Access::write, {});
  }
  template <typename T>
  void update(const char* name, T*& field, int64_t count, Fill fill = uniform(-1, 1)) {
    add<T>(name, &field, count, Access::update, std::move(fill));
  }

  Case finish(double flops, double additions = 0) {
    case_.work = {flops, additions, bytes_moved(case_.operands)};
    const auto* bytes = reinterpret_cast<const std::byte*>(&params);
    case_.params.assign(bytes, bytes + sizeof(params));
    return std::move(case_);
  }

 private:
  template <typename T>
  void add(const char* name, const void* field, int64_t count, Access access, Fill fill) {
    static_assert(std::is_void_v<T> || std::is_same_v<T, float> || std::is_same_v<T, int32_t>);
    const OperandType type = std::is_same_v<T, int32_t> ? OperandType::int32 : OperandType::float32;
    case_.operands.push_back({name, offset_of(field), count, access, type, std::is_void_v<T>, std::move(fill)});
  }

  size_t offset_of(const void* field) const {
    return static_cast<size_t>(static_cast<const char*>(field) - reinterpret_cast<const char*>(&params));
  }

  Case case_;
};

}  // namespace gmr::profile
