#pragma once

#include <cstdint>

namespace gmr::cpu {

// How many parts of `part` cover `whole`.
constexpr int64_t divide_up(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

}  // namespace gmr::cpu
