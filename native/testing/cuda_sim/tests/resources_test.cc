// What is read out of machine code, and occupancy.
#include <sstream>

#include "testing/cuda_sim/cubin.h"
#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

struct Line {
  std::string target, compiler, name;
  int registers = 0, stack = 0, shared = 0, threads = 0;
};

// Of the kernel whose name has this part.
Line resources_of(const std::string& part) {
  std::istringstream lines(gmr_cuda_sim_resources());
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) == std::string::npos) continue;
    Line result;
    std::istringstream fields(line);
    fields >> result.target >> result.registers >> result.stack >> result.shared >> result.threads >> result.compiler;
    std::getline(fields >> std::ws, result.name);
    return result;
  }
  throw std::runtime_error("no line for " + part);
}

GMR_SIM_TEST(resources_of_kernels) {
  const Line shared = resources_of("known_shared");
  expect(shared.target == "sm_90" && shared.compiler.find('.') != std::string::npos, "target and compiler");
  expect(shared.shared == 96 * sizeof(float),
         "96 floats, without what the system takes: " + std::to_string(shared.shared));
  expect(shared.stack == 0 && shared.threads == 96, "no stack, and launch bounds");
  expect(shared.registers >= 4 && shared.registers <= 255, "registers: " + std::to_string(shared.registers));
  expect_contains(shared.name, "known_shared(float*)");
  const Line stack = resources_of("known_stack");
  expect(stack.stack == 16 * sizeof(int), "an array of 16 numbers: " + std::to_string(stack.stack));
  expect(stack.shared == 0 && stack.threads == 0, "neither shared memory nor launch bounds");
}

GMR_SIM_TEST(resources_occupancy) {
  // 95 registers: 3072 a warp, 5 warps of the 16384 of each quarter, 20 in all.
  expect(blocks_per_multiprocessor(90, 95, 0, 256, 0) == 2, "registers are the limit");
  expect(blocks_per_multiprocessor(90, 32, 0, 256, 0) == 8, "2048 threads are the limit");
  expect(blocks_per_multiprocessor(75, 32, 0, 256, 0) == 4, "1024 threads are the limit");
  expect(blocks_per_multiprocessor(90, 32, 0, 32, 0) == 32, "32 blocks are the limit");
  // 228 KiB, of which each block takes one more.
  expect(blocks_per_multiprocessor(90, 32, 1024, 256, 47 * 1024) == 4, "shared memory is the limit");
  expect(blocks_per_multiprocessor(80, 32, 0, 256, 40 * 1024) == 4, "164 KiB");
  expect(blocks_per_multiprocessor(120, 32, 0, 256, 48 * 1024) == 2, "100 KiB");
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
