#include "testing/cuda_sim/simulator.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/ptx_parser.h"
#include "testing/cuda_sim/translator.h"

namespace gmr::cuda_sim {

namespace {

constexpr int hangs = -1;  // no error of CUDA's
constexpr uint64_t default_memory = uint64_t{8} << 30;
constexpr uint32_t most_threads = 1024;
constexpr uint32_t most_threads_z = 64;
constexpr uint32_t most_blocks_yz = 65535;

// One number out of each of `most` equal parts of 0 .. count - 1, at a place of its own: what repeats along the grid is
// met in all its phases.
std::vector<uint64_t> sample_of(uint64_t count, uint64_t most) {
  std::mt19937_64 random(count);
  std::vector<uint64_t> sample;
  for (uint64_t i = 0; i < most; ++i) {
    const uint64_t first = count * i / most;
    sample.push_back(first + random() % (count * (i + 1) / most - first));
  }
  return sample;
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

}  // namespace

Limits limits_of(int arch) {
  Limits limits;
  const bool small = arch == 86 || arch == 89 || arch >= 120;
  limits.shared_opt_in = (arch < 80 ? 64 : small ? 99 : arch < 90 ? 163 : 227) * 1024;
  limits.shared_per_multiprocessor = (arch < 80 ? 64 : small ? 100 : arch < 90 ? 164 : 228) * 1024;
  limits.threads_per_multiprocessor = arch < 80 ? 1024 : small ? 1536 : 2048;
  limits.blocks_per_multiprocessor = arch < 80 || arch == 86 ? 16 : small ? 24 : 32;
  return limits;
}

cudaError_t& last_error() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}

// Never destroyed: libraries unregister their kernels when the process ends, in an order of their own.
Simulator& Simulator::instance() {
  static Simulator* const simulator = new Simulator;
  return *simulator;
}

Simulator::Simulator() : memory(from_environment("GMR_CUDA_SIM_MEMORY", default_memory)) {
  settings.schedule.seed = from_environment("GMR_CUDA_SIM_SEED", 0);
  settings.checks = from_environment("GMR_CUDA_SIM_CHECKS", 1) != 0;
  settings.quiet = from_environment("GMR_CUDA_SIM_QUIET", 0) != 0;
  settings.devices = static_cast<int>(from_environment("GMR_CUDA_SIM_DEVICES", 1));
  settings.arch = static_cast<int>(from_environment("GMR_CUDA_SIM_ARCH", 80));
  settings.driver = static_cast<int>(from_environment("GMR_CUDA_SIM_DRIVER", CUDART_VERSION));
  if (const char* const plan = std::getenv("GMR_CUDA_SIM_FAIL")) {
    const std::string text = plan;
    const size_t first = text.find(':');
    const size_t second = text.find(':', first + 1);
    if (second == std::string::npos) {
      add_report("GMR_CUDA_SIM_FAIL: expected function:nth:error, received " + text);
    } else {
      plan_failure(text.substr(0, first), std::atoi(text.c_str() + first + 1), std::atoi(text.c_str() + second + 1));
    }
  }
}

void Simulator::add_report(const std::string& text) {
  report += text;
  if (report.back() != '\n') report += '\n';
  if (!settings.quiet) std::fprintf(stderr, "%s%s", text.c_str(), text.ends_with('\n') ? "" : "\n");
}

void Simulator::reset() {
  report.clear();
  failures_.clear();
  failed_function_.clear();
  sticky = cudaSuccess;
  last_error() = cudaSuccess;
  stream_order.host_waits_for_all();
  transfers.settle(stream_order);
}

void Simulator::fail_order(const std::string& problem) {
  if (problem.empty()) return;
  add_report("cuda_sim: race between streams\n  " + problem + "\n");
  sticky = cudaErrorLaunchFailure;
}

void Simulator::touch(const void* address, uint64_t bytes, bool writes) {
  const uint64_t allocation = memory.base_of(address, bytes);
  if (!settings.checks || allocation == 0) return;
  const uint64_t begin = reinterpret_cast<uint64_t>(address) - allocation;
  fail_order(stream_order.touch(allocation, begin, begin + bytes, writes));
}

cudaError_t Simulator::settle_transfers() {
  fail_order(transfers.settle(stream_order));
  return sticky;
}

void Simulator::plan_failure(const std::string& function, int nth, int error) { failures_[function] = {nth, error}; }

std::optional<cudaError_t> Simulator::planned_result(const std::string& function) {
  for (const std::string& name : {function, std::string("*")}) {
    const auto found = failures_.find(name);
    if (found == failures_.end()) continue;
    const int error = found->second.error;
    if (found->second.nth > 0) {
      if (--found->second.nth > 0) continue;
      failures_.erase(found);
    } else if (found->second.nth < -1) {
      ++found->second.nth;
      continue;
    }
    failed_function_ = function;
    while (error == hangs) pause();
    return static_cast<cudaError_t>(error);
  }
  return std::nullopt;
}

const Module& Simulator::module_of(RegisteredBinary& binary) {
  if (binary.module) return *binary.module;
  if (!binary.problem.empty()) throw NoKernelImage("cuda_sim: " + binary.problem);
  const PtxImage* const image = choose_image(binary.images, settings.arch);
  if (image == nullptr) {
    throw NoKernelImage("cuda_sim: no PTX for compute capability " + std::to_string(settings.arch));
  }
  binary.module = std::make_shared<const Module>(parse_ptx(image->text));
  return *binary.module;
}

uint64_t Simulator::place_variable(RegisteredBinary& binary, const Variable& variable) {
  const auto known = binary.variables.find(variable.name);
  if (known != binary.variables.end()) return known->second;
  void* const address = memory.allocate(std::max<uint64_t>(variable.size, 1), variable.name);
  if (address == nullptr) throw std::bad_alloc();
  // Before its initial value is written: it may hold its own address.
  binary.variables[variable.name] = reinterpret_cast<uint64_t>(address);
  std::byte* at = memory.host_view(address, variable.size);
  std::memset(at, 0, variable.size);
  memory.mark_initialised(address, variable.size);
  for (const Initializer& initial : variable.initial) {
    const uint64_t value =
        initial.symbol.empty() ? initial.value : variable_address(binary, initial.symbol) + initial.value;
    std::memcpy(at, &value, variable.element_size);
    at += variable.element_size;
  }
  return reinterpret_cast<uint64_t>(address);
}

uint64_t Simulator::variable_address(RegisteredBinary& binary, const std::string& name) {
  const Module& module = module_of(binary);
  const auto found = module.variables.find(name);
  if (found == module.variables.end()) throw Unsupported("cuda_sim: the PTX has no variable " + name);
  return place_variable(binary, found->second);
}

const Program& Simulator::program_of(RegisteredKernel& kernel) {
  if (!kernel.program) {
    module_of(*kernel.binary);
    kernel.program =
        std::make_unique<Program>(translate(kernel.binary->module, kernel.name, [&](const Variable& variable) {
          return place_variable(*kernel.binary, variable);
        }));
  }
  return *kernel.program;
}

cudaError_t Simulator::refuse(const Program& program, const std::string& why, cudaError_t error) {
  add_report("cuda_sim: launch refused\n  kernel " + program.full_name + ": " + why + "\n");
  return error;
}

cudaError_t Simulator::check_launch(const RegisteredKernel& kernel, const Program& program, Dim3 grid, Dim3 block,
                                    size_t dynamic_shared) {
  const uint64_t threads = block.count();
  if (threads == 0 || threads > most_threads || block.x > most_threads || block.y > most_threads ||
      block.z > most_threads_z) {
    return refuse(program, std::to_string(threads) + " threads a block", cudaErrorInvalidConfiguration);
  }
  if (program.max_threads != 0 && threads > program.max_threads) {
    return refuse(
        program,
        std::to_string(threads) + " threads a block, the kernel is compiled for " + std::to_string(program.max_threads),
        cudaErrorLaunchOutOfResources);
  }
  if (grid.count() == 0 || grid.x > INT32_MAX || grid.y > most_blocks_yz || grid.z > most_blocks_yz) {
    return refuse(program,
                  "a grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                      std::to_string(grid.z) + " blocks",
                  cudaErrorInvalidConfiguration);
  }
  const int unraised = limits_of(settings.arch).shared_default - static_cast<int>(program.shared_bytes);
  const int allowed = std::max(unraised, kernel.max_dynamic_shared);
  if (allowed < 0 || dynamic_shared > static_cast<uint64_t>(allowed)) {
    return refuse(program,
                  std::to_string(dynamic_shared) + " bytes of dynamic shared memory beside " +
                      std::to_string(program.shared_bytes) + " of static, allowed are " +
                      std::to_string(std::max(allowed, 0)),
                  cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

LaunchCounts& Simulator::counts_of(const Program& program, Dim3 grid, Dim3 block, size_t dynamic_shared) {
  const auto found = std::ranges::find_if(counts, [&](const LaunchCounts& known) {
    return known.kernel == program.full_name && known.grid == grid && known.block == block &&
           known.dynamic_shared == dynamic_shared;
  });
  if (found != counts.end()) return *found;
  LaunchCounts fresh;
  fresh.kernel = program.full_name;
  fresh.ptx = program.module->target;
  fresh.grid = grid;
  fresh.block = block;
  fresh.dynamic_shared = dynamic_shared;
  return counts.emplace_back(std::move(fresh));
}

void Simulator::run(const Program& program, Dim3 grid, Dim3 block_size, void** arguments, size_t dynamic_shared,
                    const void* stream) {
  const bool sampled = settings.sampled_blocks != 0 && settings.sampled_blocks < grid.count();
  const bool checks = settings.checks && settings.sampled_blocks == 0;
  Block block(program, memory, grid, block_size, dynamic_shared, checks);
  block.params.resize(program.param_bytes);
  for (size_t i = 0; i < program.params.size(); ++i) {
    std::memcpy(&block.params[program.params[i].offset], arguments[i], program.params[i].size);
  }
  memory.start_launch(grid.count(), program.global_granule);
  const bool shuffled = settings.schedule.seed != 0;
  const std::vector<uint64_t> order = sampled    ? sample_of(grid.count(), settings.sampled_blocks)
                                      : shuffled ? schedule_order(grid.count(), settings.schedule.seed)
                                                 : std::vector<uint64_t>{};
  const uint64_t count = order.empty() ? grid.count() : order.size();
  std::optional<Counter> counter;
  if (settings.counting) {
    LaunchCounts& launch = counts_of(program, grid, block_size, dynamic_shared);
    ++launch.launches;
    launch.blocks += count;
    block.counter = &counter.emplace(program, launch);
  }
  try {
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t number = order.empty() ? i : order[i];
      memory.start_block(number);
      block.start({static_cast<uint32_t>(number % grid.x), static_cast<uint32_t>(number / grid.x % grid.y),
                   static_cast<uint32_t>(number / grid.x / grid.y)});
      run_block(block, settings.schedule, number);
    }
  } catch (const Fault& fault) {
    add_report(fault.what());
    const bool assertion = std::strstr(fault.what(), "cuda_sim: assertion failed") != nullptr;
    sticky = assertion ? cudaErrorAssert : cudaErrorLaunchFailure;
  }
  instructions += block.executed;
  stream_order.begin(stream, "kernel " + program.full_name);
  if (sticky != cudaSuccess || !checks) return;
  for (const auto& [allocation, begin, end, writes] : memory.touched()) {
    fail_order(stream_order.touch(allocation, begin, end, writes));
  }
}

// As on a device, what a kernel does wrong shows in a later call.
cudaError_t Simulator::launch(const void* function, Dim3 grid, Dim3 block, void** arguments, size_t dynamic_shared,
                              const void* stream) {
  const auto found = kernels.find(function);
  if (found == kernels.end()) return cudaErrorInvalidDeviceFunction;
  RegisteredKernel& kernel = found->second;
  const Program& program = program_of(kernel);
  const cudaError_t refused = check_launch(kernel, program, grid, block, dynamic_shared);
  if (refused != cudaSuccess) return refused;
  if (const auto capture = captures.find(stream); capture != captures.end()) {
    RecordedLaunch& recorded = capture->second.emplace_back(RecordedLaunch{function, grid, block, {}, dynamic_shared});
    for (size_t i = 0; i < program.params.size(); ++i) {
      const auto* const value = static_cast<const std::byte*>(arguments[i]);
      recorded.arguments.emplace_back(value, value + program.params[i].size);
    }
    return cudaSuccess;
  }
  ++kernel.launches;
  run(program, grid, block, arguments, dynamic_shared, stream);
  return cudaSuccess;
}

}  // namespace gmr::cuda_sim
