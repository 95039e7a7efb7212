#include "library.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <sstream>

#include "backend/backend_library.h"
#include "testing/cuda_sim/cuda_sim.h"

namespace gmr::profile {
namespace {

namespace fs = std::filesystem;

// A library's code may not be loaded where the processor lacks its instructions.
bool is_supported(const std::string& file_name) {
  for (const CpuLibrary& library : cpu_libraries()) {
    if (file_name == library.file) return library.is_supported();
  }
  return true;
}

fs::path own_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::current_path() : program.parent_path();
}

std::string best_cpu_library() {
  const std::string forced = forced_cpu_level();
  for (const CpuLibrary& library : cpu_libraries()) {
    if (!forced.empty() && forced != library.level) continue;
    if (library.is_supported() && fs::exists(own_folder() / library.file)) return library.file;
  }
  throw UsageError("expected a CPU library beside gmr_profile that this processor can run, found none" +
                   (forced.empty() ? "" : " for GMR_CPU_LEVEL=" + forced));
}

// The library, or the reason why it cannot be had.
const Backend* load(const fs::path& path, std::string* reason) {
  if (!fs::exists(path)) {
    *reason = "there is no such file";
    return nullptr;
  }
  if (!is_supported(path.filename())) {
    *reason = "this processor lacks its instructions";
    return nullptr;
  }
  return open_backend_library(path, "gmr_profile", reason);
}

}  // namespace

DeviceName parse_device(const std::string& text) {
  const std::string expected =
      "expected a device to be cpu, cuda, cuda:<index>, cuda_sim or a library, received '" + text + "'";
  if (text == "cpu") return {best_cpu_library()};
  if (text == "cuda_sim") return {"libgmr_cuda_sim.so"};
  if (text == "cuda") return {"libgmr_cuda.so"};
  if (text.starts_with("cuda:")) {
    int index = 0;
    const auto [end, error] = std::from_chars(text.data() + 5, text.data() + text.size(), index);
    if (error != std::errc{} || end != text.data() + text.size() || index < 0) throw UsageError(expected);
    return {"libgmr_cuda.so", index};
  }
  if (!text.ends_with(".so")) throw UsageError(expected);
  return {text};
}

Library open_library(const std::string& path_or_name) {
  const bool is_path = path_or_name.find('/') != std::string::npos;
  const fs::path path = is_path ? fs::absolute(path_or_name) : own_folder() / path_or_name;
  std::string reason;
  const Backend* backend = load(path, &reason);
  if (backend == nullptr) throw UsageError("expected a usable library " + path.string() + ": " + reason);
  return {path.string(), backend};
}

std::vector<Library> libraries_here() {
  std::vector<Library> found;
  const auto look_for = [&](const char* name) {
    const fs::path path = own_folder() / name;
    std::string reason;
    if (const Backend* backend = load(path, &reason); backend != nullptr) found.push_back({path.string(), backend});
  };
  for (const CpuLibrary& library : cpu_libraries()) look_for(library.file);
  for (const char* name : {"libgmr_cuda.so", "libgmr_cuda_sim.so"}) look_for(name);
  return found;
}

Device::Device(Library library, int index)
    : library_(std::move(library)), index_(index), handle_(library_.backend->open(index, [] {})) {
  properties_ = backend().properties(*handle_);
}

Device::~Device() { backend().close(handle_); }

std::string Device::description() const {
  std::string text = backend().name;
  if (!is_cpu()) text += ":" + std::to_string(index_);
  if (!properties_.name.empty()) text += ", " + properties_.name;
  return text + ", " + properties_.level + ", " + std::to_string(properties_.threads) + " threads";
}

DeviceMemory Device::allocate(size_t bytes) { return DeviceMemory(*this, bytes); }

void Device::upload(void* to, const void* from, size_t bytes) {
  if (bytes > 0) backend().upload(*handle_, to, from, bytes);
}

void Device::download(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  PendingDownload* pending = backend().download(*handle_, to, from, bytes);
  if (pending != nullptr) backend().finish(*handle_, pending);
}

std::vector<KernelLaunches> Device::launches() const {
  std::vector<KernelLaunches> all;
  if (!is_interpreter()) return all;
  void* const symbol = dlsym(dlopen(library_.path.c_str(), RTLD_NOW | RTLD_NOLOAD), "gmr_cuda_sim_kernels");
  std::istringstream lines(reinterpret_cast<decltype(&gmr_cuda_sim_kernels)>(symbol)());
  KernelLaunches each;
  while (lines >> each.launches >> each.kernel) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(each.kernel.c_str(), nullptr, nullptr, &status), std::free);
    if (name) each.kernel = name.get();
    all.push_back(each);
  }
  return all;
}

DeviceMemory::DeviceMemory(Device& device, size_t bytes) : device_(&device), bytes_(bytes) {
  // Exactly as many bytes as the tensor has, so that a tool that watches allocations sees the first byte beyond.
  data_ = device.backend().allocate(*device.handle_, std::max<size_t>(bytes, 1));
  if (data_ == nullptr) throw std::bad_alloc();
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) device_->backend().release(*device_->handle_, data_, std::max<size_t>(bytes_, 1));
}

Graph::Graph(Device& device, const std::function<void()>& work)
    : device_(device), captured_(device.backend().capture(*device.handle_, work)) {
  if (captured_ == nullptr) throw UsageError("expected --graph to go with a GPU, received " + device.description());
}

Graph::~Graph() { device_.backend().drop_captured(*device_.handle_, captured_); }

HostValues values_of(const Case& c) {
  constexpr uint32_t unwritten = 0x7fc0dead;  // a NaN; as an integer a number that no index reaches
  HostValues values;
  Random random(12345);
  for (const Operand& operand : c.operands) {
    std::vector<uint32_t>& data = values.emplace_back(static_cast<size_t>(operand.count), unwritten);
    if (operand.fill) operand.fill(random, data.data(), operand.count);
  }
  return values;
}

PlacedCase::PlacedCase(Device& device, const Case& c, const HostValues& values)
    : device_(&device), case_(&c), params_(c.params) {
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const Operand& operand = c.operands[i];
    memory_.push_back(device.allocate(operand.bytes()));
    void* data = memory_.back().data();
    if (operand.type == OperandType::bfloat16) {
      std::vector<bfloat16> rounded;
      for (const uint32_t word : values[i]) rounded.push_back(to_element<bfloat16>(std::bit_cast<float>(word)));
      device.upload(data, rounded.data(), operand.bytes());
    } else {
      device.upload(data, values[i].data(), operand.bytes());
    }
    std::memcpy(params_.data() + operand.params_offset, &data, sizeof(data));
  }
}

std::vector<uint32_t> PlacedCase::download(size_t operand) {
  const Operand& of = case_->operands[operand];
  std::vector<uint32_t> values(static_cast<size_t>(of.count));
  if (of.type == OperandType::bfloat16) {
    std::vector<bfloat16> elements(values.size());
    device_->download(elements.data(), memory_[operand].data(), of.bytes());
    for (size_t i = 0; i < values.size(); ++i) values[i] = std::bit_cast<uint32_t>(to_float(elements[i]));
  } else {
    device_->download(values.data(), memory_[operand].data(), of.bytes());
  }
  return values;
}

}  // namespace gmr::profile
