#include "nvtx.h"

#ifdef GMR_PROFILE_CUDA
#include <nvtx3/nvToolsExt.h>
#endif

namespace gmr::profile {

#ifdef GMR_PROFILE_CUDA
bool has_nvtx() { return true; }

NvtxRange::NvtxRange(bool on, const std::string& name) : on_(on) {
  if (on_) nvtxRangePushA(name.c_str());
}

NvtxRange::~NvtxRange() {
  if (on_) nvtxRangePop();
}
#else
bool has_nvtx() { return false; }

NvtxRange::NvtxRange(bool, const std::string&) : on_(false) {}

NvtxRange::~NvtxRange() = default;
#endif

}  // namespace gmr::profile
