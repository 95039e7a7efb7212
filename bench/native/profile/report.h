// What was timed, as a roofline table, as JSON, and against an earlier report.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ceilings.h"
#include "json.h"
#include "timing.h"

namespace gmr::profile {

enum class Bound { none, fma, mma, memory, caches };
const char* bound_name(Bound bound);

// What an earlier report says about a case.
struct Comparison {
  double ms;           // the earlier median
  std::string change;  // "slower", "faster", or empty: within the noise
};

struct Result {
  const Case* c;
  Timing timing;
  Bound bound = Bound::none;
  double fraction = 0;  // of the bound, 0 where there is none
  std::optional<Comparison> baseline = {};
};

Result make_result(const Case& c, Timing timing, const CeilingMeter& meter, bool cold);

// The cases of an earlier report.
class Baseline {
 public:
  // Throws UsageError where it cannot be compared with: other device, other caches, no case in common.
  Baseline(const std::string& path, const Device& device, bool cold, const std::vector<Case>& cases);

  void compare(Result& result, const CeilingMeter& meter) const;

 private:
  struct Entry {
    double ms, low, high, fma_gflops;
  };

  std::map<std::string, Entry> entries_;
};
bool any_slower(const std::vector<Result>& results);

std::string ceilings_text(const Device& device, const CeilingMeter& meter);
std::string results_text(const std::vector<Result>& results);
// The kernels of each case and what they take of a multiprocessor; empty where the backend has none.
std::string kernels_text(const std::vector<Result>& results);
Json results_json(const std::vector<Result>& results);

Json device_json(const Device& device);
Json ceilings_json(const Ceilings& ceilings);

}  // namespace gmr::profile
