#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

void add_forward(const AddForward& p) {
  parallel_ranges(p.count, elementwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.y[i] = p.a[i] + p.b[i];
  });
}

}  // namespace gmr::cpu
