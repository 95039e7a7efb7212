#include "cpu_peak_loops.h"

#include "../peak_loops.h"

namespace gmr::profile {

extern const CpuPeakLoops GMR_PEAK_LOOPS = {
    GMR_CPU_LEVEL, 2 * bench::operations_a_turn, bench::operations_a_turn, bench::multiply_adds, bench::additions,
    bench::copy,
};

}  // namespace gmr::profile
