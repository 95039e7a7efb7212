#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gmr::cuda_sim {

// What ptxas gave a kernel for one target.
struct KernelResources {
  std::string name;      // mangled
  std::string target;    // "sm_90"
  std::string compiler;  // "13.0.88"
  int registers = 0;     // a thread
  int stack_bytes = 0;   // a thread, with what it calls; spills lie there
  int shared_bytes = 0;  // static
  int max_threads = 0;   // of __launch_bounds__, 0: none
};

// The kernels of an ELF file for a GPU, as it lies in a fat binary. Throws Unsupported where it cannot be read.
std::vector<KernelResources> read_cubin(const std::byte* elf);

// Blocks that a multiprocessor of this compute capability holds at a time, by NVIDIA's own formula.
int blocks_per_multiprocessor(int arch, int registers, int shared_bytes, int threads, size_t dynamic_shared);

}  // namespace gmr::cuda_sim
