// Named ranges that Nsight Systems and Nsight Compute show above the kernels. NVTX is headers alone; without a tool
// that listens a range costs some nanoseconds.
#pragma once

#include <string>

namespace gmr::profile {

bool has_nvtx();  // whether this program was built with CUDA's headers

class NvtxRange {
 public:
  NvtxRange(bool on, const std::string& name);
  ~NvtxRange();
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;

 private:
  bool on_;
};

}  // namespace gmr::profile
