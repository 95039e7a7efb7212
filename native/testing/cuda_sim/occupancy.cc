// NVIDIA's occupancy formula, which needs no GPU.
#include <cuda_occupancy.h>

#include <climits>

#include "testing/cuda_sim/cubin.h"
#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/simulator.h"

namespace gmr::cuda_sim {

int blocks_per_multiprocessor(int arch, int registers, int shared_bytes, int threads, size_t dynamic_shared) {
  const Limits limits = limits_of(arch);
  cudaOccDeviceProp device;
  device.computeMajor = arch / 10;
  device.computeMinor = arch % 10;
  device.maxThreadsPerBlock = 1024;
  device.maxThreadsPerMultiprocessor = limits.threads_per_multiprocessor;
  device.regsPerBlock = device.regsPerMultiprocessor = 64 * 1024;
  device.warpSize = warp_size;
  device.sharedMemPerBlock = static_cast<size_t>(limits.shared_default);
  device.sharedMemPerMultiprocessor = static_cast<size_t>(limits.shared_per_multiprocessor);
  device.sharedMemPerBlockOptin = static_cast<size_t>(limits.shared_opt_in);
  device.reservedSharedMemPerBlock = arch < 80 ? 0 : 1024;
  device.numSms = 1;
  cudaOccFuncAttributes kernel;
  kernel.maxThreadsPerBlock = INT_MAX;
  kernel.numRegs = registers;
  kernel.sharedSizeBytes = static_cast<size_t>(shared_bytes);
  kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
  kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  kernel.maxDynamicSharedSizeBytes = device.sharedMemPerBlockOptin - kernel.sharedSizeBytes;
  kernel.numBlockBarriers = 1;
  const cudaOccDeviceState state;
  cudaOccResult result;
  if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads, dynamic_shared) !=
      CUDA_OCC_SUCCESS) {
    throw Unsupported("cuda_sim: no occupancy for compute capability " + std::to_string(arch));
  }
  return result.activeBlocksPerMultiprocessor;
}

}  // namespace gmr::cuda_sim
