// Each planted fault must be reported with its kind, kernel, thread and line, and the kernel without it must run clean.
#include "testing/cuda_sim/tests/faults.h"

#include <cuda_runtime_api.h>

#include <fstream>

#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

// "faults.cu:<line>" of the line with this mark; empty where there is none.
std::string marked_line(const std::string& mark) {
  std::ifstream source(GMR_CUDA_SIM_FAULTS);
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    if (line.ends_with("// " + mark)) return "faults.cu:" + std::to_string(number);
  }
  return {};
}

std::string report_of(const PlantedFault& fault, bool right, uint64_t seed) {
  gmr_cuda_sim_reset();
  gmr_cuda_sim_set_quiet(1);
  gmr_cuda_sim_set_seed(seed);
  void* data = nullptr;
  void* raw = nullptr;
  cudaMalloc(&data, fault_floats * sizeof(float));
  cudaMalloc(&raw, fault_floats * sizeof(float));
  cudaMemset(data, 0, fault_floats * sizeof(float));
  fault.launch(right, static_cast<float*>(data), static_cast<float*>(raw));
  const cudaError_t error = cudaDeviceSynchronize();
  const std::string report = gmr_cuda_sim_report();
  expect((error == cudaSuccess) == report.empty(), "an error comes with a report: " + report);
  gmr_cuda_sim_reset();
  gmr_cuda_sim_set_seed(0);
  cudaFree(data);
  cudaFree(raw);
  return report;
}

void expect_fault(const PlantedFault& fault) {
  for (const uint64_t seed : {0, 1, 2, 3}) {
    const std::string right = report_of(fault, true, seed);
    expect(right.empty(), std::string(fault.name) + " without its fault: " + right);
    const std::string report = report_of(fault, false, seed);
    const std::string fault_line = marked_line(std::string("fault: ") + fault.name);
    const std::string other_line = marked_line(std::string("other: ") + fault.name);
    expect_contains(report, std::string("cuda_sim: ") + fault.kind + "\n");
    expect_contains(report, fault.name);
    // Another schedule may come across the fault in another thread, or from its other side.
    if (seed != 0) continue;
    if (fault.thread != nullptr) expect_contains(report, fault.thread);
    expect_contains(report, fault_line);
    expect_contains(report, other_line);
  }
}

struct RegisterFaults {
  RegisterFaults() {
    size_t count = 0;
    const PlantedFault* const faults = planted_faults(count);
    for (size_t i = 0; i < count; ++i)
      all_tests().push_back({faults[i].name, nullptr, false, &faults[i], expect_fault});
  }
};

const RegisterFaults register_faults;

}  // namespace

}  // namespace gmr::cuda_sim::tests
