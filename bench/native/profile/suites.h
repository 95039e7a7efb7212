// Which cases there are: the suites that are timed, the small ones that are checked, and what --op and --shape make.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case.h"

namespace gmr::profile {

struct Suite {
  const char* name;
  const char* description;
  std::vector<Case> (*cases)(int64_t batch);
};

const std::vector<Suite>& suites();

// Small cases of every pass: extents of 1, odd and prime, strides, dilations, groups, more than a tile.
std::vector<Case> check_cases();

// An op at a shape that the command line gives.
struct ShapedOp {
  const char* op;
  const char* letters;  // what its numbers are: "n,c,o,h,w,k"
  std::vector<int64_t> usual;
  std::vector<int64_t> least;  // at least as many numbers as there are letters
  std::vector<Case> (*cases)(const std::vector<int64_t>& shape);
};

const std::vector<ShapedOp>& shaped_ops();

}  // namespace gmr::profile
