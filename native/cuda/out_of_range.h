// A value in a tensor that lies outside its range, as a kernel found it. The device holds one such record; the first
// stays until it is read, and while it stands kernels leave alone what they would update in place (parameters, running
// statistics): they may depend on what could not be computed.
#pragma once

#include <cstdint>

namespace gmr::cuda {

enum class CheckedArgument : int32_t { none, cross_entropy_targets };

struct OutOfRange {
  CheckedArgument argument;
  int32_t received;
  int64_t index;
  int64_t limit;  // the range is [0, limit)
};

}  // namespace gmr::cuda
