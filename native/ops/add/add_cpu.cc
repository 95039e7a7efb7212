#include "backend/floats.h"
#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

void add_forward(const AddForward& p) {
  parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) floats(p.y)[i] = floats(p.a)[i] + floats(p.b)[i];
  });
}

}  // namespace gmr::cpu
