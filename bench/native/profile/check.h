// Values of one backend against another's.
#pragma once

#include <string>
#include <vector>

#include "json.h"
#include "library.h"

namespace gmr::profile {

struct CheckResult {
  const Case* c;
  double error = 0;          // the largest of its outputs: ||a - b|| / ||b||; share of integers that differ
  bool same_bits = true;     // of all outputs
  std::string failure = {};  // what is wrong; empty where nothing is
};

std::vector<CheckResult> check(Device& device, Device& against, const std::vector<Case>& cases, double tolerance);

// A line a pass, then the failures.
std::string check_text(const std::vector<CheckResult>& results, double tolerance);
Json check_json(const std::vector<CheckResult>& results);

}  // namespace gmr::profile
