// The state behind the CUDA runtime's functions: kernels, memory, settings, errors. One a process, behind one mutex.
#pragma once

#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "testing/cuda_sim/counters.h"
#include "testing/cuda_sim/device_memory.h"
#include "testing/cuda_sim/fat_binary.h"
#include "testing/cuda_sim/host_transfers.h"
#include "testing/cuda_sim/program.h"
#include "testing/cuda_sim/scheduler.h"
#include "testing/cuda_sim/stream_order.h"

namespace gmr::cuda_sim {

struct Settings {
  Schedule schedule;
  bool checks = true;
  bool quiet = false;
  bool counting = false;
  uint64_t sampled_blocks = 0;  // of a launch, 0: all
  int devices = 1;
  int arch = 80;
  int driver = CUDART_VERSION;  // 0: there is none
};

// One translation unit's device code.
struct RegisteredBinary {
  const void* wrapper = nullptr;  // what nvcc registered
  std::vector<PtxImage> images;
  std::string problem;                   // why there are none
  std::shared_ptr<const Module> module;  // parsed when its first kernel is needed
  std::map<std::string, uint64_t> variables;
};

struct RegisteredKernel {
  RegisteredBinary* binary = nullptr;
  std::string name;
  std::unique_ptr<Program> program;
  int max_dynamic_shared = 0;  // raised by cudaFuncSetAttribute
  uint64_t launches = 0;
};

struct RegisteredVariable {
  RegisteredBinary* binary = nullptr;
  std::string name;
  uint64_t bytes = 0;
};

// A launch in a graph.
struct RecordedLaunch {
  const void* function;
  Dim3 grid, block;
  std::vector<std::vector<std::byte>> arguments;
  size_t dynamic_shared;
};

// What a device of a compute capability allows.
struct Limits {
  int shared_default = 48 * 1024;
  int shared_opt_in = 0;  // a block
  int shared_per_multiprocessor = 0;
  int threads_per_multiprocessor = 0;
  int blocks_per_multiprocessor = 0;
};

Limits limits_of(int arch);

class Simulator {
 public:
  static Simulator& instance();

  std::mutex mutex;
  Settings settings;
  DeviceMemory memory;
  StreamOrder stream_order;
  std::map<const void*, std::vector<RecordedLaunch>> captures;  // by the stream that is captured
  HostTransfers transfers;
  std::map<const void*, RegisteredKernel> kernels;
  std::map<const void*, RegisteredVariable> variables;
  std::vector<std::unique_ptr<RegisteredBinary>> binaries;
  std::string report;
  cudaError_t sticky = cudaSuccess;
  uint64_t instructions = 0;
  std::vector<LaunchCounts> counts;  // while `counting` is on

  void add_report(const std::string& text);
  void reset();
  void plan_failure(const std::string& function, int nth, int error);
  // What a call of `function` must return by plan without doing anything: an error, or cudaSuccess.
  std::optional<cudaError_t> planned_result(const std::string& function);
  const std::string& failed_function() const { return failed_function_; }

  // nullptr: no such kernel. Throws Unsupported; `image_missing` tells that no image suits the device.
  const Program& program_of(RegisteredKernel& kernel);
  uint64_t variable_address(RegisteredBinary& binary, const std::string& name);
  cudaError_t launch(const void* function, Dim3 grid, Dim3 block, void** arguments, size_t dynamic_shared,
                     const void* stream);

  // The operation that `stream_order` began last touches memory. What is not ordered fails the device.
  void touch(const void* address, uint64_t bytes, bool writes);
  // After the host has waited, as `stream_order` knows. What went wrong until then fails the device.
  cudaError_t settle_transfers();

 private:
  struct Failure {
    int nth;
    int error;  // a cudaError_t, or -1
  };

  Simulator();
  const Module& module_of(RegisteredBinary& binary);
  uint64_t place_variable(RegisteredBinary& binary, const Variable& variable);
  cudaError_t refuse(const Program& program, const std::string& why, cudaError_t error);
  cudaError_t check_launch(const RegisteredKernel& kernel, const Program& program, Dim3 grid, Dim3 block,
                           size_t dynamic_shared);
  LaunchCounts& counts_of(const Program& program, Dim3 grid, Dim3 block, size_t dynamic_shared);
  void run(const Program& program, Dim3 grid, Dim3 block, void** arguments, size_t dynamic_shared, const void* stream);
  void fail_order(const std::string& problem);

  std::map<std::string, Failure> failures_;
  std::string failed_function_;
};

// Of streams and events, as of DeviceMemory.
std::string leaked_streams_and_events();

// No image for the device's compute capability.
struct NoKernelImage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The calling thread's last error, which cudaGetLastError returns and clears.
cudaError_t& last_error();

// The frame of every function of the CUDA runtime: planned failures, the sticky error, exceptions, the last error.
template <class F>
cudaError_t api_call(const char* function, F f) {
  Simulator& simulator = Simulator::instance();
  const std::scoped_lock lock(simulator.mutex);
  const std::optional<cudaError_t> planned = simulator.planned_result(function);
  if (planned == cudaSuccess) return cudaSuccess;
  cudaError_t error = planned.value_or(simulator.sticky);
  if (error == cudaSuccess) {
    try {
      error = f(simulator);
    } catch (const std::bad_alloc&) {
      error = cudaErrorMemoryAllocation;
    } catch (const NoKernelImage& problem) {
      simulator.add_report(problem.what());
      error = cudaErrorNoKernelImageForDevice;
    } catch (const std::exception& problem) {
      simulator.add_report(problem.what());
      error = cudaErrorInvalidPtx;
    }
  }
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error() = error;
  return error;
}

}  // namespace gmr::cuda_sim
