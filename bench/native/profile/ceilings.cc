#include "ceilings.h"

#include "cpu_burst.h"
#ifdef GMR_PROFILE_CUDA
#include "cuda_ceilings.h"
#endif

namespace gmr::profile {

CeilingMeter::CeilingMeter(const Device& device) {
  if (device.is_cpu()) {
    burst_ = std::make_unique<CpuBurst>(device.properties().level, static_cast<int>(device.properties().threads));
    ceilings_ = burst_->measure();
    return;
  }
#ifdef GMR_PROFILE_CUDA
  if (!device.is_interpreter()) ceilings_ = measure_cuda(device.index());
#endif
}

CeilingMeter::~CeilingMeter() = default;

double CeilingMeter::fma_now() { return burst_ == nullptr ? ceilings_.fma_gflops : burst_->fma_gflops(); }

}  // namespace gmr::profile
