// Device memory, host memory that devices see, copies, and variables in device memory.
#include <cstdlib>
#include <cstring>
#include <map>

#include "testing/cuda_sim/simulator.h"

using gmr::cuda_sim::api_call;
using gmr::cuda_sim::Simulator;

namespace {

cudaError_t complain(Simulator& simulator, const std::string& what, cudaError_t error = cudaErrorInvalidValue) {
  simulator.add_report("cuda_sim: " + what + "\n");
  return error;
}

cudaError_t not_in_graphs(Simulator& simulator, const char* name) {
  return complain(simulator, std::string(name) + ": graphs are simulated of kernels alone", cudaErrorNotSupported);
}

void wait_for_device(Simulator& simulator) {
  simulator.stream_order.host_waits_for_all();
  simulator.settle_transfers();
}

cudaError_t allocate(const char* name, void** data, size_t bytes) {
  return api_call(name, [&](Simulator& simulator) {
    if (data == nullptr) return cudaErrorInvalidValue;
    *data = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (!simulator.captures.empty()) return cudaErrorStreamCaptureUnsupported;
    *data = simulator.memory.allocate(bytes);
    return *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}

// Waits for the device, as cudaFree does.
cudaError_t release(const char* name, void* data) {
  return api_call(name, [&](Simulator& simulator) {
    if (data == nullptr) return cudaSuccess;
    wait_for_device(simulator);
    simulator.stream_order.forget(reinterpret_cast<uint64_t>(data));
    if (simulator.memory.release(data)) return cudaSuccess;
    return complain(simulator, std::string(name) + " of what is not allocated (any more): " +
                                   simulator.memory.describe(reinterpret_cast<uint64_t>(data)));
  });
}

// Where the host finds `bytes` at an address of the host or of the device.
std::byte* place(Simulator& simulator, const void* address, size_t bytes) {
  if (!simulator.memory.is_device(address)) return static_cast<std::byte*>(const_cast<void*>(address));
  return simulator.memory.host_view(address, bytes);
}

// With a stream, the copy is asynchronous where the host's side of it is pinned; without one the host waits for it.
enum class Waits : bool { no, yes };

cudaError_t copy(const char* name, void* destination, const void* source, size_t bytes, cudaMemcpyKind kind,
                 cudaStream_t stream, Waits waits) {
  return api_call(name, [&](Simulator& simulator) {
    if (bytes == 0) return cudaSuccess;
    const bool to_device = simulator.memory.is_device(destination);
    const bool from_device = simulator.memory.is_device(source);
    const bool wants_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool wants_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (kind != cudaMemcpyDefault && (wants_to != to_device || wants_from != from_device)) {
      return complain(simulator, std::string(name) + ": the addresses do not suit the direction of the copy");
    }
    std::byte* const to = place(simulator, destination, bytes);
    const std::byte* const from = place(simulator, source, bytes);
    if (to == nullptr || from == nullptr) {
      const void* const wrong = to == nullptr ? destination : source;
      return complain(simulator, std::string(name) + " of " + std::to_string(bytes) + " bytes out of bounds: " +
                                     simulator.memory.describe(reinterpret_cast<uint64_t>(wrong)));
    }
    if (simulator.captures.contains(stream)) return not_in_graphs(simulator, name);
    const auto point = simulator.stream_order.begin(stream, name);
    simulator.touch(source, bytes, false);
    simulator.touch(destination, bytes, true);
    const auto is_pinned = [&](const void* address) { return simulator.memory.base_of(address, bytes) != 0; };
    const bool arrives_late = waits == Waits::no && from_device && !to_device && is_pinned(destination);
    if (!from_device) simulator.transfers.land(from, bytes);
    if (arrives_late) {
      simulator.transfers.arrive(point, to, from, bytes);
    } else {
      std::memmove(to, from, bytes);
    }
    if (waits == Waits::no && !from_device && is_pinned(source)) simulator.transfers.depart(point, from, bytes);
    if (to_device && from_device) {
      simulator.memory.copy_initialised(destination, source, bytes);
    } else if (to_device) {
      simulator.memory.mark_initialised(destination, bytes);
    }
    if (waits == Waits::yes || (!to_device && !arrives_late)) {
      simulator.stream_order.host_waits(simulator.stream_order.record(stream));
      return simulator.settle_transfers();
    }
    return cudaSuccess;
  });
}

cudaError_t fill(const char* name, void* data, int value, size_t bytes, cudaStream_t stream) {
  return api_call(name, [&](Simulator& simulator) {
    if (bytes == 0) return cudaSuccess;
    std::byte* const at = simulator.memory.host_view(data, bytes);
    if (at == nullptr) {
      return complain(simulator, std::string(name) + " of " + std::to_string(bytes) + " bytes out of bounds: " +
                                     simulator.memory.describe(reinterpret_cast<uint64_t>(data)));
    }
    if (simulator.captures.contains(stream)) return not_in_graphs(simulator, name);
    simulator.stream_order.begin(stream, name);
    simulator.touch(data, bytes, true);
    std::memset(at, value, bytes);
    simulator.memory.mark_initialised(data, bytes);
    return cudaSuccess;
  });
}

cudaError_t symbol_address(void** address, const void* symbol) {
  return api_call("cudaGetSymbolAddress", [&](Simulator& simulator) {
    const auto found = simulator.variables.find(symbol);
    if (found == simulator.variables.end()) return cudaErrorInvalidSymbol;
    *address = reinterpret_cast<void*>(simulator.variable_address(*found->second.binary, found->second.name));
    return cudaSuccess;
  });
}

cudaError_t host_allocate(const char* name, void** data, size_t bytes) {
  return api_call(name, [&](Simulator& simulator) {
    *data = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (posix_memalign(data, 4096, bytes) != 0) return cudaErrorMemoryAllocation;
    simulator.memory.add_host(*data, bytes);
    return cudaSuccess;
  });
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** data, size_t bytes) { return allocate("cudaMalloc", data, bytes); }

cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t) {
  return allocate("cudaMallocAsync", data, bytes);
}

cudaError_t cudaFree(void* data) { return release("cudaFree", data); }

cudaError_t cudaFreeAsync(void* data, cudaStream_t) { return release("cudaFreeAsync", data); }

cudaError_t cudaMallocHost(void** data, size_t bytes) { return host_allocate("cudaMallocHost", data, bytes); }

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) { return host_allocate("cudaHostAlloc", data, bytes); }

cudaError_t cudaFreeHost(void* data) {
  return api_call("cudaFreeHost", [&](Simulator& simulator) {
    if (data == nullptr) return cudaSuccess;
    wait_for_device(simulator);
    simulator.stream_order.forget(reinterpret_cast<uint64_t>(data));
    if (!simulator.memory.remove_host(data))
      return complain(simulator, "cudaFreeHost of what is not allocated (any more)");
    std::free(data);
    return cudaSuccess;
  });
}

cudaError_t cudaHostRegister(void* data, size_t bytes, unsigned) {
  return api_call("cudaHostRegister", [&](Simulator& simulator) {
    simulator.memory.add_host(data, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* data) {
  return api_call("cudaHostUnregister", [&](Simulator& simulator) {
    wait_for_device(simulator);
    simulator.stream_order.forget(reinterpret_cast<uint64_t>(data));
    return simulator.memory.remove_host(data) ? cudaSuccess : cudaErrorHostMemoryNotRegistered;
  });
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  *device = host;
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* destination, const void* source, size_t bytes, cudaMemcpyKind kind) {
  return copy("cudaMemcpy", destination, source, bytes, kind, nullptr, Waits::yes);
}

cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return copy("cudaMemcpyAsync", destination, source, bytes, kind, stream, Waits::no);
}

cudaError_t cudaMemset(void* data, int value, size_t bytes) { return fill("cudaMemset", data, value, bytes, nullptr); }

cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  return fill("cudaMemsetAsync", data, value, bytes, stream);
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  return api_call("cudaMemGetInfo", [&](Simulator& simulator) {
    *total = simulator.memory.capacity();
    *free_bytes = simulator.memory.capacity() - std::min(simulator.memory.used(), simulator.memory.capacity());
    return cudaSuccess;
  });
}

cudaError_t cudaGetSymbolAddress(void** address, const void* symbol) { return symbol_address(address, symbol); }

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* source, size_t bytes, size_t offset,
                               cudaMemcpyKind kind) {
  void* address = nullptr;
  const cudaError_t error = symbol_address(&address, symbol);
  if (error != cudaSuccess) return error;
  return copy("cudaMemcpyToSymbol", static_cast<std::byte*>(address) + offset, source, bytes, kind, nullptr,
              Waits::yes);
}

cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* source, size_t bytes, size_t offset,
                                    cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpyToSymbol(symbol, source, bytes, offset, kind);
}

cudaError_t cudaMemcpyFromSymbol(void* destination, const void* symbol, size_t bytes, size_t offset,
                                 cudaMemcpyKind kind) {
  void* address = nullptr;
  const cudaError_t error = symbol_address(&address, symbol);
  if (error != cudaSuccess) return error;
  return copy("cudaMemcpyFromSymbol", destination, static_cast<std::byte*>(address) + offset, bytes, kind, nullptr,
              Waits::yes);
}

}  // extern "C"
