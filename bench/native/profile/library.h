// A backend library, loaded through its one C symbol, and a device of it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "case.h"

namespace gmr::profile {

// The caller asked for something that is not there: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Library {
  std::string path;
  const Backend* backend;
};

// What `--device` and `--against` take: "cpu" is the best level that the processor supports (GMR_CPU_LEVEL forces one),
// "cuda", "cuda:1", "cuda_sim"; or the path or file name of a library. Names are looked for beside this program.
struct DeviceName {
  std::string library;
  int index = 0;
};
DeviceName parse_device(const std::string& text);
Library open_library(const std::string& path_or_name);

// The backend libraries beside this program that can be loaded here.
std::vector<Library> libraries_here();

// Memory of a device, given back at the end.
class DeviceMemory;

struct KernelLaunches {
  std::string kernel;
  int64_t launches;
};

class Device {
 public:
  Device(Library library, int index);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Library& library() const { return library_; }
  const Backend& backend() const { return *library_.backend; }
  const DeviceProperties& properties() const { return properties_; }
  int index() const { return index_; }

  bool is_cpu() const { return backend().memory_is_host; }
  bool is_interpreter() const { return std::string(backend().name) == "cuda_sim"; }

  // `cpu, x86-64-v4, 2 threads`
  std::string description() const;

  DeviceMemory allocate(size_t bytes);
  void upload(void* to, const void* from, size_t bytes);
  void download(void* to, const void* from, size_t bytes);
  void run(Pass pass, const void* params) { backend().passes[static_cast<size_t>(pass)](*handle_, params); }
  void synchronise() { backend().synchronise(*handle_); }
  std::vector<KernelUse> watch(const std::function<void()>& work) { return backend().watch(*handle_, work); }

  // Of each kernel that the interpreter has, how often it has run; of other backends nothing.
  std::vector<KernelLaunches> launches() const;

 private:
  friend class DeviceMemory;
  friend class Graph;

  Library library_;
  int index_;
  BackendDevice* handle_;
  DeviceProperties properties_;
};

// Passes that are queued again by one call. They must have run before, and no other may run meanwhile.
class Graph {
 public:
  // Throws UsageError where the backend has no such thing.
  Graph(Device& device, const std::function<void()>& work);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void run() { device_.backend().replay(*device_.handle_, captured_); }

 private:
  Device& device_;
  CapturedPasses* captured_;
};

class DeviceMemory {
 public:
  DeviceMemory(Device& device, size_t bytes);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept : device_(other.device_), data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
  }
  DeviceMemory& operator=(DeviceMemory&&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Device* device_;
  void* data_;
  size_t bytes_;
};

// Values of a case's operands, the same for each backend; what a pass only writes is filled with NaNs, so that an
// element that it leaves out is seen. A word an element: bfloat16 as the float32 that it is rounded from.
using HostValues = std::vector<std::vector<uint32_t>>;
HostValues values_of(const Case& c);

// A case with its tensors on a device.
class PlacedCase {
 public:
  PlacedCase(Device& device, const Case& c, const HostValues& values);

  void run() { device_->run(case_->pass, params_.data()); }
  std::vector<uint32_t> download(size_t operand);  // a word an element, bfloat16 as float32
  const std::vector<DeviceMemory>& memory() const { return memory_; }

 private:
  Device* device_;
  const Case* case_;
  std::vector<DeviceMemory> memory_;
  std::vector<std::byte> params_;
};

}  // namespace gmr::profile
