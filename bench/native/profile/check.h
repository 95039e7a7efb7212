// Values of one backend against another's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "json.h"
#include "library.h"

namespace gmr::profile {

struct CheckResult {
  const Case* c;
  double tolerance;
  double error = 0;          // the largest of its outputs: ||a - b|| / ||b||; share of integers that differ
  bool same_bits = true;     // of all outputs
  std::string failure = {};  // what is wrong; empty where nothing is
};

// `tolerance` is what was asked for, else each arithmetic has its own.
std::vector<CheckResult> check(Device& device, Device& against, const std::vector<Case>& cases,
                               const std::optional<double>& tolerance);

// A line a pass and arithmetic, then the failures.
std::string check_text(const std::vector<CheckResult>& results);
Json check_json(const std::vector<CheckResult>& results);

// Which kernels the checks have launched, empty where it is not known.
std::string launches_text(const std::vector<KernelLaunches>& kernels);
Json launches_json(const std::vector<KernelLaunches>& kernels);

}  // namespace gmr::profile
