// One pass of one op at one shape, with all that is needed to run it on any backend: the params struct, its tensors,
// and the work that the formulas ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "ops/ops.h"
#include "random.h"

namespace gmr::profile {

// What a call has to do, counted from the formulas, whatever the kernels really do.
struct Work {
  double flops = 0;      // of the product, 2 a multiply-add; the operations of an elementwise op
  double additions = 0;  // beside the product: ring sums
  double bytes = 0;      // that have to be read and written once each
};

enum class Access { read, write, update };
enum class ElementType { float32, int32 };

// Writes `count` elements of 4 bytes.
using Fill = std::function<void(Random& random, void* data, int64_t count)>;

struct Operand {
  const char* name;
  size_t params_offset;  // of its address in the params struct
  int64_t count;         // elements of 4 bytes
  Access access;
  ElementType type;
  Fill fill;  // empty where the pass only writes

  size_t bytes() const { return static_cast<size_t>(count) * 4; }
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

  size_t bytes() const {
    size_t total = 0;
    for (const Operand& operand : operands) total += operand.bytes();
    return total;
  }
};

const char* op_name(Pass pass);
const char* pass_name(Pass pass);

Fill uniform(float low, float high);
Fill integers_below(int32_t limit);

// Makes a case from the params struct of its pass: geometry is set in `params`, then each tensor is declared with the
// field that holds its address. A field that is not declared stays nullptr.
template <typename Params>
class CaseBuilder {
  static_assert(std::is_trivially_copyable_v<Params>);

 public:
  CaseBuilder(Pass pass, std::string name) : case_{op_name(pass), pass_name(pass), pass, std::move(name), {}, {}, {}} {}

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

  // Bytes are counted from the operands: each read or written once, updated ones twice.
  Case finish(double flops, double additions = 0) {
    case_.work = {flops, additions, 0};
    for (const Operand& operand : case_.operands) {
      case_.work.bytes += static_cast<double>(operand.bytes()) * (operand.access == Access::update ? 2 : 1);
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(&params);
    case_.params.assign(bytes, bytes + sizeof(params));
    return std::move(case_);
  }

 private:
  template <typename T>
  void add(const char* name, const void* field, int64_t count, Access access, Fill fill) {
    static_assert(std::is_void_v<T> || std::is_same_v<T, float> || std::is_same_v<T, int32_t>);
    const auto offset = static_cast<size_t>(static_cast<const char*>(field) - reinterpret_cast<const char*>(&params));
    const ElementType type = std::is_same_v<T, int32_t> ? ElementType::int32 : ElementType::float32;
    case_.operands.push_back({name, offset, count, access, type, std::move(fill)});
  }

  Case case_;
};

}  // namespace gmr::profile
