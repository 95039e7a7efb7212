// Kernels: what nvcc's host stubs call to register them, and how they are launched.
#include <algorithm>
#include <cstring>

#include "testing/cuda_sim/cubin.h"
#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/simulator.h"

using gmr::cuda_sim::api_call;
using gmr::cuda_sim::Dim3;
using gmr::cuda_sim::RegisteredBinary;
using gmr::cuda_sim::RegisteredKernel;
using gmr::cuda_sim::Simulator;

namespace {

struct CallConfiguration {
  dim3 grid;
  dim3 block;
  size_t shared = 0;
  void* stream = nullptr;
};

// Between <<<>>> and the host stub, which the same thread calls next.
thread_local CallConfiguration call_configuration;

Dim3 dimensions(dim3 value) { return {value.x, value.y, value.z}; }

cudaError_t launch(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  return api_call("cudaLaunchKernel", [&](Simulator& simulator) {
    return simulator.launch(function, dimensions(grid), dimensions(block), arguments, shared, stream);
  });
}

// Of the machine code for the device, where there is some; 0: PTX does not tell.
int registers_of(const Simulator& simulator, const RegisteredKernel& kernel) {
  const std::string target = "sm_" + std::to_string(simulator.settings.arch);
  for (const std::byte* const cubin : gmr::cuda_sim::read_registered_cubins(kernel.binary->wrapper)) {
    for (const auto& resources : gmr::cuda_sim::read_cubin(cubin)) {
      if (resources.target == target && resources.name == kernel.name) return resources.registers;
    }
  }
  return 0;
}

template <class F>
cudaError_t with_kernel(const char* name, const void* function, F f) {
  return api_call(name, [&](Simulator& simulator) {
    const auto found = simulator.kernels.find(function);
    if (found == simulator.kernels.end()) return cudaErrorInvalidDeviceFunction;
    return f(simulator, found->second);
  });
}

}  // namespace

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  Simulator& simulator = Simulator::instance();
  const std::scoped_lock lock(simulator.mutex);
  auto binary = std::make_unique<RegisteredBinary>();
  binary->wrapper = wrapper;
  try {
    binary->images = gmr::cuda_sim::read_registered_fat_binary(wrapper);
  } catch (const gmr::cuda_sim::Unsupported& problem) {
    binary->problem = problem.what();  // told when a kernel is needed
  }
  simulator.binaries.push_back(std::move(binary));
  return reinterpret_cast<void**>(simulator.binaries.back().get());
}

void __cudaRegisterFatBinaryEnd(void**) {}

// Statics of other libraries may launch kernels after this; what is registered stays.
void __cudaUnregisterFatBinary(void**) {}

char __cudaInitModule(void**) { return 1; }

void __cudaRegisterFunction(void** handle, const char* host_function, char*, const char* name, int, uint3*, uint3*,
                            dim3*, dim3*, int*) {
  Simulator& simulator = Simulator::instance();
  const std::scoped_lock lock(simulator.mutex);
  RegisteredKernel& kernel = simulator.kernels[host_function];
  kernel.binary = reinterpret_cast<RegisteredBinary*>(handle);
  kernel.name = name;
}

void __cudaRegisterVar(void** handle, char* host_variable, char*, const char* name, int, size_t bytes, int, int) {
  Simulator& simulator = Simulator::instance();
  const std::scoped_lock lock(simulator.mutex);
  simulator.variables[host_variable] = {reinterpret_cast<RegisteredBinary*>(handle), name, bytes};
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void* stream) {
  call_configuration = {grid, block, shared, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  *grid = call_configuration.grid;
  *block = call_configuration.block;
  *shared = call_configuration.shared;
  std::memcpy(stream, &call_configuration.stream, sizeof(void*));
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                               cudaStream_t stream) {
  return launch(kernel, grid, block, arguments, shared, stream);
}

cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                                    cudaStream_t stream) {
  return launch(kernel, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared,
                             cudaStream_t stream) {
  return launch(function, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void** arguments) {
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const cudaLaunchAttribute& attribute = config->attrs[i];
    const bool cluster = attribute.id == cudaLaunchAttributeClusterDimension;
    const auto& size = attribute.val.clusterDim;
    if (attribute.id == cudaLaunchAttributeCooperative || (cluster && size.x * size.y * size.z != 1)) {
      return api_call("cudaLaunchKernel", [](Simulator& simulator) {
        simulator.add_report("cuda_sim: clusters and cooperative launches are not simulated\n");
        return cudaErrorNotSupported;
      });
    }
  }
  return launch(function, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes, config->stream);
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  return with_kernel("cudaFuncSetAttribute", function, [&](Simulator& simulator, RegisteredKernel& kernel) {
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorInvalidValue;
    const int fixed = static_cast<int>(simulator.program_of(kernel).shared_bytes);
    if (value < 0 || value > gmr::cuda_sim::limits_of(simulator.settings.arch).shared_opt_in - fixed) {
      simulator.add_report("cuda_sim: launch refused\n  kernel " + kernel.program->full_name + ": no block can have " +
                           std::to_string(value) + " bytes of dynamic shared memory on this device\n");
      return cudaErrorInvalidValue;
    }
    kernel.max_dynamic_shared = value;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  return with_kernel("cudaFuncGetAttributes", function, [&](Simulator& simulator, RegisteredKernel& kernel) {
    const auto& program = simulator.program_of(kernel);
    *attributes = {};
    attributes->sharedSizeBytes = program.shared_bytes;
    attributes->localSizeBytes = program.local_bytes;
    attributes->maxThreadsPerBlock = program.max_threads == 0 ? 1024 : static_cast<int>(program.max_threads);
    attributes->numRegs = registers_of(simulator, kernel);
    attributes->ptxVersion = attributes->binaryVersion = program.module->target;
    attributes->maxDynamicSharedSizeBytes =
        std::max(48 * 1024 - static_cast<int>(program.shared_bytes), kernel.max_dynamic_shared);
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function, int threads,
                                                                   size_t shared, unsigned) {
  const char* const name = "cudaOccupancyMaxActiveBlocksPerMultiprocessor";
  return with_kernel(name, function, [&](Simulator& simulator, RegisteredKernel& kernel) {
    if (threads <= 0 || threads > 1024) return cudaErrorInvalidValue;
    const int fixed = static_cast<int>(simulator.program_of(kernel).shared_bytes);
    *blocks = gmr::cuda_sim::blocks_per_multiprocessor(simulator.settings.arch, registers_of(simulator, kernel), fixed,
                                                       threads, shared);
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int threads,
                                                          size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared, 0);
}

}  // extern "C"
