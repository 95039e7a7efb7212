#include "check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <exception>
#include <map>

#include "text.h"

namespace gmr::profile {
namespace {

using Words = std::vector<uint32_t>;

// All that the pass writes.
std::vector<Words> outputs_of(Device& device, const Case& c, const HostValues& values) {
  PlacedCase placed(device, c, values);
  placed.run();
  std::vector<Words> outputs;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    if (c.operands[i].access != Access::read) outputs.push_back(placed.download(i));
  }
  return outputs;
}

std::string element_text(const Operand& operand, size_t index) {
  return std::string(operand.name) + "[" + std::to_string(index) + "]";
}

void compare_integers(const Operand& operand, const Words& a, const Words& b, CheckResult& result) {
  size_t different = 0, first = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (different++ == 0) first = i;
  }
  if (different == 0) return;
  result.error = std::max(result.error, static_cast<double>(different) / static_cast<double>(a.size()));
  result.failure = element_text(operand, first) + " is " + std::to_string(static_cast<int32_t>(a[first])) +
                   ", the other's is " + std::to_string(static_cast<int32_t>(b[first]));
}

void compare_floats(const Operand& operand, const Words& a, const Words& b, CheckResult& result) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = std::bit_cast<float>(a[i]), y = std::bit_cast<float>(b[i]);
    if (!std::isfinite(x) || !std::isfinite(y)) {  // inputs are finite and small: an element was not written
      result.failure = element_text(operand, i) + " is " + number_text(x) + ", the other's is " + number_text(y);
      result.error = INFINITY;
      return;
    }
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  if (difference == 0) return;
  const double error = std::sqrt(difference) / std::sqrt(norm);  // infinite where all should be 0
  result.error = std::max(result.error, error);
  if (error > result.tolerance) {
    result.failure = std::string(operand.name) + " is off by " + number_text(error) + ", relative";
  }
}

// Of float32 and precision high what the tests hold kernels to. Of bfloat16 the most that rounding changes a number by,
// half of the last of its 8 digits: operands of a product may have been rounded too, and each backend rounds its results.
double usual_tolerance(Arithmetic arithmetic) { return arithmetic == Arithmetic::bf16 ? 0x1p-8 : 1e-5; }

CheckResult check_case(Device& device, Device& against, const Case& c, double tolerance) {
  CheckResult result{&c, tolerance};
  const HostValues values = values_of(c);
  const char* who = device.backend().name;
  try {
    const std::vector<Words> a = outputs_of(device, c, values);
    who = against.backend().name;
    const std::vector<Words> b = outputs_of(against, c, values);
    size_t output = 0;
    for (const Operand& operand : c.operands) {
      if (operand.access == Access::read) continue;
      result.same_bits = result.same_bits && a[output] == b[output];
      if (operand.type == OperandType::int32) {
        compare_integers(operand, a[output], b[output], result);
      } else {
        compare_floats(operand, a[output], b[output], result);
      }
      ++output;
    }
  } catch (const std::exception& error) {
    result.same_bits = false;
    result.error = INFINITY;
    result.failure = std::string(who) + ": " + error.what();
  }
  return result;
}

struct Summary {
  const Case* c;
  int cases = 0, same_bits = 0, failures = 0;
  const CheckResult* worst = nullptr;
};

}  // namespace

std::vector<CheckResult> check(Device& device, Device& against, const std::vector<Case>& cases,
                               const std::optional<double>& tolerance) {
  std::vector<CheckResult> results;
  for (const Case& c : cases) {
    results.push_back(check_case(device, against, c, tolerance.value_or(usual_tolerance(c.arithmetic))));
  }
  return results;
}

std::string check_text(const std::vector<CheckResult>& results) {
  std::vector<Summary> summaries;
  for (const CheckResult& result : results) {
    auto found = std::find_if(summaries.begin(), summaries.end(), [&](const Summary& summary) {
      return summary.c->pass == result.c->pass && summary.c->arithmetic == result.c->arithmetic;
    });
    if (found == summaries.end()) found = summaries.insert(summaries.end(), Summary{result.c});
    found->cases += 1;
    found->same_bits += result.same_bits ? 1 : 0;
    found->failures += result.failure.empty() ? 0 : 1;
    if (found->worst == nullptr || result.error > found->worst->error) found->worst = &result;
  }
  Table table({"op", "pass", "type", "cases", "same bits", "largest error", "in", ""}, "lllrrrll");
  size_t failures = 0;
  for (const Summary& s : summaries) {
    table.add({s.c->op, s.c->pass_name, arithmetic_name(s.c->arithmetic), std::to_string(s.cases),
               std::to_string(s.same_bits), number_text(s.worst->error), s.worst->error > 0 ? s.worst->c->name : "",
               s.failures == 0 ? "" : std::to_string(s.failures) + " FAILED"});
    failures += static_cast<size_t>(s.failures);
  }
  std::string text = table.text();
  for (const CheckResult& result : results) {
    if (result.failure.empty()) continue;
    text += "FAILED  " + title_of(*result.c) + ": " + result.failure + "\n";
  }
  std::map<Arithmetic, std::string> limits;
  for (const CheckResult& result : results) {
    limits[result.c->arithmetic] = number_text(result.tolerance) + " in " + arithmetic_name(result.c->arithmetic);
  }
  std::vector<std::string> parts;
  for (const auto& [arithmetic, limit] : limits) parts.push_back(limit);
  return text + "\n" + std::to_string(results.size() - failures) + " of " + std::to_string(results.size()) +
         " cases agree, within " + joined(parts, ", ") + " (relative, of norms; integers exactly)\n";
}

Json check_json(const std::vector<CheckResult>& results) {
  Json::Array list;
  for (const CheckResult& result : results) {
    list.push_back(Json::Object{{"op", result.c->op},
                                {"pass", result.c->pass_name},
                                {"case", result.c->name},
                                {"dtype", arithmetic_name(result.c->arithmetic)},
                                {"tolerance", result.tolerance},
                                {"error", result.error},
                                {"sameBits", result.same_bits},
                                {"failure", result.failure}});
  }
  return list;
}

std::string launches_text(const std::vector<KernelLaunches>& kernels) {
  if (kernels.empty()) return "";
  const auto launched =
      std::count_if(kernels.begin(), kernels.end(), [](const KernelLaunches& each) { return each.launches > 0; });
  return std::to_string(launched) + " of " + std::to_string(kernels.size()) + " kernels were launched\n";
}

Json launches_json(const std::vector<KernelLaunches>& kernels) {
  Json::Array list;
  for (const KernelLaunches& each : kernels) {
    list.push_back(Json::Object{{"kernel", each.kernel}, {"launches", static_cast<double>(each.launches)}});
  }
  return list;
}

}  // namespace gmr::profile
