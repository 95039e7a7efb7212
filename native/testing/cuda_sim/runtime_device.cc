// Devices, streams, events, errors.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <set>

#include "testing/cuda_sim/simulator.h"

using gmr::cuda_sim::api_call;
using gmr::cuda_sim::Simulator;
using Clock = std::chrono::steady_clock;

// All work is done when the call returns. What streams and events would order is known to `Simulator::stream_order`.
struct CUstream_st {
  unsigned flags = 0;
  int priority = 0;
};

struct CUevent_st {
  unsigned flags = 0;
  bool recorded = false;
  Clock::time_point time;
  gmr::cuda_sim::StreamClock order;
};

namespace {

thread_local int current_device = 0;

std::set<cudaStream_t>& streams() {
  static auto* const all = new std::set<cudaStream_t>;
  return *all;
}

std::set<cudaEvent_t>& events() {
  static auto* const all = new std::set<cudaEvent_t>;
  return *all;
}

bool is_stream(cudaStream_t stream) {
  return stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread || streams().contains(stream);
}

// The host waits for a stream, or learns that there is nothing to wait for.
cudaError_t wait_for_stream(const char* name, cudaStream_t stream) {
  return api_call(name, [&](Simulator& simulator) {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    simulator.stream_order.host_waits(simulator.stream_order.record(stream));
    return simulator.settle_transfers();
  });
}

cudaError_t create_stream(cudaStream_t* stream, unsigned flags, int priority) {
  return api_call("cudaStreamCreate", [&](Simulator& simulator) {
    *stream = new CUstream_st{flags, priority};
    streams().insert(*stream);
    simulator.stream_order.create(*stream, flags != cudaStreamNonBlocking);
    return cudaSuccess;
  });
}

cudaError_t create_event(cudaEvent_t* event, unsigned flags) {
  return api_call("cudaEventCreate", [&](Simulator&) {
    *event = new CUevent_st;
    (*event)->flags = flags;
    events().insert(*event);
    return cudaSuccess;
  });
}

template <class F>
cudaError_t with_event(const char* name, cudaEvent_t event, F f) {
  return api_call(name, [&](Simulator& simulator) {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    return f(simulator);
  });
}

cudaError_t wait_for_event(const char* name, cudaEvent_t event) {
  return with_event(name, event, [&](Simulator& simulator) {
    simulator.stream_order.host_waits(event->order);
    return simulator.settle_transfers();
  });
}

struct ErrorName {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorName error_names[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidSymbol, "cudaErrorInvalidSymbol", "invalid device symbol"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidPtx, "cudaErrorInvalidPtx", "a PTX JIT compilation failed"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorAssert, "cudaErrorAssert", "device-side assert triggered"},
    {cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
     "pointer does not correspond to a registered memory region"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorName& name_of(cudaError_t error) {
  for (const ErrorName& entry : error_names) {
    if (entry.error == error) return entry;
  }
  static constexpr ErrorName other{cudaErrorUnknown, "unrecognized error code", "unrecognized error code"};
  return other;
}

int attribute_of(int arch, cudaDeviceAttr attribute) {
  const auto limits = gmr::cuda_sim::limits_of(arch);
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return 1024;
    case cudaDevAttrMaxBlockDimZ:
      return 64;
    case cudaDevAttrMaxGridDimX:
      return INT32_MAX;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return 65535;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return limits.shared_default;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return limits.shared_opt_in;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return limits.shared_per_multiprocessor;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      return 1024;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return limits.threads_per_multiprocessor;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return limits.blocks_per_multiprocessor;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return 65536;
    case cudaDevAttrTotalConstantMemory:
      return 65536;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMultiProcessorCount:
      return 4;  // few, so that loops over the grid are taken in small tests
    case cudaDevAttrComputeCapabilityMajor:
      return arch / 10;
    case cudaDevAttrComputeCapabilityMinor:
      return arch % 10;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrAsyncEngineCount:
      return 1;
    case cudaDevAttrL2CacheSize:
      return 40 << 20;
    case cudaDevAttrClockRate:
      return 1000000;
    case cudaDevAttrMemoryClockRate:
      return 1000000;
    case cudaDevAttrGlobalMemoryBusWidth:
      return 5120;
    default:
      return -1;
  }
}

}  // namespace

std::string gmr::cuda_sim::leaked_streams_and_events() {
  std::string text;
  for (size_t i = 0; i < streams().size(); ++i) text += "a stream was never destroyed\n";
  for (size_t i = 0; i < events().size(); ++i) text += "an event was never destroyed\n";
  return text;
}

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  return api_call("cudaGetDeviceCount", [&](Simulator& simulator) {
    // Drivers serve all runtimes of their major version.
    if (simulator.settings.driver / 1000 < CUDART_VERSION / 1000) return cudaErrorInsufficientDriver;
    *count = simulator.settings.devices;
    return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
  });
}

cudaError_t cudaSetDevice(int device) {
  return api_call("cudaSetDevice", [&](Simulator& simulator) {
    if (device < 0 || device >= simulator.settings.devices) return cudaErrorInvalidDevice;
    current_device = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return api_call("cudaGetDevice", [&](Simulator&) {
    *device = current_device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api_call("cudaGetDeviceProperties", [&](Simulator& simulator) {
    if (device < 0 || device >= simulator.settings.devices) return cudaErrorInvalidDevice;
    const int arch = simulator.settings.arch;
    const auto value = [&](cudaDeviceAttr attribute) { return attribute_of(arch, attribute); };
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "CUDA simulator %d.%d", arch / 10, arch % 10);
    properties->major = arch / 10;
    properties->minor = arch % 10;
    properties->totalGlobalMem = simulator.memory.capacity();
    properties->totalConstMem = 65536;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    for (int i = 0; i < 3; ++i) {
      properties->maxThreadsDim[i] = i == 2 ? 64 : 1024;
      properties->maxGridSize[i] = i == 0 ? INT32_MAX : 65535;
    }
    properties->multiProcessorCount = value(cudaDevAttrMultiProcessorCount);
    properties->maxThreadsPerMultiProcessor = value(cudaDevAttrMaxThreadsPerMultiProcessor);
    properties->maxBlocksPerMultiProcessor = value(cudaDevAttrMaxBlocksPerMultiprocessor);
    properties->sharedMemPerBlock = static_cast<size_t>(value(cudaDevAttrMaxSharedMemoryPerBlock));
    properties->sharedMemPerBlockOptin = static_cast<size_t>(value(cudaDevAttrMaxSharedMemoryPerBlockOptin));
    properties->sharedMemPerMultiprocessor = static_cast<size_t>(value(cudaDevAttrMaxSharedMemoryPerMultiprocessor));
    properties->reservedSharedMemPerBlock = 1024;
    properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
    properties->l2CacheSize = value(cudaDevAttrL2CacheSize);
    properties->memoryBusWidth = value(cudaDevAttrGlobalMemoryBusWidth);
    properties->unifiedAddressing = properties->concurrentKernels = properties->canMapHostMemory = 1;
    properties->memoryPoolsSupported = properties->asyncEngineCount = 1;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api_call("cudaDeviceGetAttribute", [&](Simulator& simulator) {
    if (device < 0 || device >= simulator.settings.devices) return cudaErrorInvalidDevice;
    *value = attribute_of(simulator.settings.arch, attribute);
    if (*value >= 0) return cudaSuccess;
    simulator.add_report("cuda_sim: unknown device attribute " + std::to_string(attribute) + "\n");
    return cudaErrorInvalidValue;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
  std::snprintf(text, static_cast<size_t>(length), "0000:00:%02x.0", device);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  return api_call("cudaDeviceSynchronize", [](Simulator& simulator) {
    simulator.stream_order.host_waits_for_all();
    return simulator.settle_transfers();
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = Simulator::instance().settings.driver;
  return api_call("cudaDriverGetVersion", [](Simulator&) { return cudaSuccess; });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return create_stream(stream, 0, 0); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) { return create_stream(stream, flags, 0); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return create_stream(stream, flags, priority);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return api_call("cudaStreamDestroy", [&](Simulator& simulator) {
    if (streams().erase(stream) == 0) return cudaErrorInvalidResourceHandle;
    simulator.stream_order.destroy(stream);
    delete stream;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return wait_for_stream("cudaStreamSynchronize", stream); }

cudaError_t cudaStreamQuery(cudaStream_t stream) { return wait_for_stream("cudaStreamQuery", stream); }

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return with_event("cudaStreamWaitEvent", event, [&](Simulator& simulator) {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    simulator.stream_order.wait(stream, event->order);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return create_event(event, 0); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) { return create_event(event, flags); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return with_event("cudaEventDestroy", event, [&](Simulator&) {
    events().erase(event);
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return with_event("cudaEventRecord", event, [&](Simulator& simulator) {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    event->order = simulator.stream_order.record(stream);
    event->recorded = true;
    event->time = Clock::now();
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) { return wait_for_event("cudaEventQuery", event); }

cudaError_t cudaEventSynchronize(cudaEvent_t event) { return wait_for_event("cudaEventSynchronize", event); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return with_event("cudaEventElapsedTime", start, [&](Simulator&) {
    if (!events().contains(end) || !start->recorded || !end->recorded) return cudaErrorInvalidResourceHandle;
    if ((start->flags | end->flags) & cudaEventDisableTiming) return cudaErrorInvalidResourceHandle;
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaPeekAtLastError() {
  Simulator& simulator = Simulator::instance();
  const std::scoped_lock lock(simulator.mutex);
  return simulator.sticky != cudaSuccess ? simulator.sticky : gmr::cuda_sim::last_error();
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  gmr::cuda_sim::last_error() = cudaSuccess;
  return error;
}

const char* cudaGetErrorName(cudaError_t error) { return name_of(error).name; }

const char* cudaGetErrorString(cudaError_t error) { return name_of(error).text; }

}  // extern "C"
