// The functions of cuda_sim.h.
#include <set>

#include "testing/cuda_sim/cubin.h"
#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/ptx_parser.h"
#include "testing/cuda_sim/simulator.h"
#include "testing/cuda_sim/translator.h"

using gmr::cuda_sim::Simulator;

namespace {

template <class F>
auto locked(F f) {
  Simulator& simulator = Simulator::instance();
  const std::scoped_lock lock(simulator.mutex);
  return f(simulator);
}

// The caller gets a copy that stays as it is until its next call.
template <class F>
const char* locked_text(std::string& kept, F f) {
  kept = locked(f);
  return kept.c_str();
}

}  // namespace

extern "C" {

const char* gmr_cuda_sim_report() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) { return simulator.report; });
}

void gmr_cuda_sim_reset() {
  locked([](Simulator& simulator) { simulator.reset(); });
}

const char* gmr_cuda_sim_kernels() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) {
    std::string text;
    for (const auto& [function, kernel] : simulator.kernels) {
      text += std::to_string(kernel.launches) + " " + kernel.name + "\n";
    }
    return text;
  });
}

const char* gmr_cuda_sim_leaks() {
  thread_local std::string kept;
  return locked_text(
      kept, [](Simulator& simulator) { return simulator.memory.leaks() + gmr::cuda_sim::leaked_streams_and_events(); });
}

const char* gmr_cuda_sim_unsupported() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) {
    std::string text;
    for (auto& [function, kernel] : simulator.kernels) {
      try {
        simulator.program_of(kernel);
      } catch (const std::exception& problem) {
        text += kernel.name + ": " + problem.what() + "\n";
      }
    }
    return text;
  });
}

const char* gmr_cuda_sim_opcodes() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) {
    std::set<std::string> opcodes;
    for (const auto& binary : simulator.binaries) {
      for (const auto& image : binary->images) {
        for (const auto& [name, function] : gmr::cuda_sim::parse_ptx(image.text).functions) {
          for (const auto& statement : function.body) opcodes.insert(statement.opcode);
        }
      }
    }
    std::string text;
    for (const std::string& opcode : opcodes) text += opcode + '\n';
    return text;
  });
}

const char* gmr_cuda_sim_resources() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) {
    std::string text;
    for (const auto& binary : simulator.binaries) {
      for (const std::byte* const cubin : gmr::cuda_sim::read_registered_cubins(binary->wrapper)) {
        for (const auto& kernel : gmr::cuda_sim::read_cubin(cubin)) {
          text += kernel.target + ' ' + std::to_string(kernel.registers) + ' ' + std::to_string(kernel.stack_bytes) +
                  ' ' + std::to_string(kernel.shared_bytes) + ' ' + std::to_string(kernel.max_threads) + ' ' +
                  kernel.compiler + ' ' + gmr::cuda_sim::demangle(kernel.name) + '\n';
        }
      }
    }
    return text;
  });
}

int gmr_cuda_sim_blocks_per_multiprocessor(int arch, int registers, int static_shared, int threads,
                                           int dynamic_shared) {
  return gmr::cuda_sim::blocks_per_multiprocessor(arch, registers, static_shared, threads,
                                                  static_cast<size_t>(dynamic_shared));
}

uint64_t gmr_cuda_sim_instructions() {
  return locked([](Simulator& simulator) { return simulator.instructions; });
}

void gmr_cuda_sim_set_counting(int on) {
  locked([&](Simulator& simulator) {
    simulator.settings.counting = on != 0;
    if (on != 0) simulator.counts.clear();
  });
}

const char* gmr_cuda_sim_counters() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) {
    std::string text;
    for (const auto& counts : simulator.counts) text += counts.json() + '\n';
    return text;
  });
}

void gmr_cuda_sim_sample_blocks(uint64_t most) {
  locked([&](Simulator& simulator) { simulator.settings.sampled_blocks = most; });
}

void gmr_cuda_sim_forget(const void* data, size_t bytes) {
  locked([&](Simulator& simulator) { simulator.memory.mark_initialised(data, bytes, false); });
}

void gmr_cuda_sim_set_seed(uint64_t seed) {
  locked([&](Simulator& simulator) { simulator.settings.schedule.seed = seed; });
}

void gmr_cuda_sim_set_checks(int on) {
  locked([&](Simulator& simulator) { simulator.settings.checks = on != 0; });
}

void gmr_cuda_sim_set_quiet(int on) {
  locked([&](Simulator& simulator) { simulator.settings.quiet = on != 0; });
}

void gmr_cuda_sim_set_devices(int count) {
  locked([&](Simulator& simulator) { simulator.settings.devices = count; });
}

void gmr_cuda_sim_set_memory(uint64_t bytes) {
  locked([&](Simulator& simulator) { simulator.memory.set_capacity(bytes); });
}

void gmr_cuda_sim_set_arch(int arch) {
  locked([&](Simulator& simulator) { simulator.settings.arch = arch; });
}

void gmr_cuda_sim_set_driver(int version) {
  locked([&](Simulator& simulator) { simulator.settings.driver = version; });
}

void gmr_cuda_sim_fail(const char* function, int nth, int error) {
  locked([&](Simulator& simulator) { simulator.plan_failure(function, nth, error); });
}

const char* gmr_cuda_sim_failed() {
  thread_local std::string kept;
  return locked_text(kept, [](Simulator& simulator) { return simulator.failed_function(); });
}

}  // extern "C"
