// The ceilings of a GPU, by kernels of this program, in a stream of their own and timed by events.
#pragma once

#include "ceilings.h"

namespace gmr::profile {

Ceilings measure_cuda(int device);  // throws std::runtime_error

}  // namespace gmr::profile
