#pragma once

#include <cstdint>
#include <optional>
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
  std::vector<Arithmetic> arithmetics;
  std::string suite;
  int64_t batch = 8;
  int repeat = 20;
  std::optional<double> tolerance;
  std::string against, json, baseline;
};

extern const char* const help_text;

// Throws UsageError: what was expected, what was received.
Options parse_options(const std::vector<std::string>& arguments);

// The cases that --suite, --op, --pass and --shape name, in each arithmetic that --dtype and --precision do. What an op
// does not have is left out; one that has float32 alone is there once.
std::vector<Case> selected_cases(const Options& options);

}  // namespace gmr::profile
