#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case.h"
#include "library.h"

namespace gmr::profile {

struct Options {
  bool help = false, list = false, cold = false, once = false, check = false, ncu = false, graph = false, nvtx = false;
  std::string device = "cpu";
  std::vector<std::string> ops;  // empty: all
  std::string pass;              // empty: all
  std::vector<int64_t> shape;    // empty: the usual one
  std::string suite;
  int64_t batch = 8;
  int repeat = 20;
  double tolerance = 1e-5;
  std::string against, json, baseline;
};

extern const char* const help_text;

// Throws UsageError: what was expected, what was received.
Options parse_options(const std::vector<std::string>& arguments);

// The cases that --suite, --op, --pass and --shape name.
std::vector<Case> selected_cases(const Options& options);

}  // namespace gmr::profile
