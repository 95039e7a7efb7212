// The kernels of the GPU's ceilings on the interpreter: their values, and that the compiler left out no multiply-add.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cuda_ceiling_kernels.cuh"
#include "testing/cuda_sim/cuda_sim.h"

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "FAIL %s\n%s", what, gmr_cuda_sim_report());
  std::exit(1);
}

template <typename T>
T* on_device(const std::vector<T>& values) {
  void* data = nullptr;
  expect(cudaMalloc(&data, values.size() * sizeof(T)) == cudaSuccess, "cudaMalloc");
  expect(cudaMemcpy(data, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess, "upload");
  return static_cast<T*>(data);
}

template <typename T>
std::vector<T> on_host(const T* data, size_t count) {
  std::vector<T> values(count);
  expect(cudaMemcpy(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess, "download");
  return values;
}

}  // namespace

int main() {
  using namespace gmr::profile;
  constexpr int blocks = 2, turns = 3;
  constexpr size_t threads = size_t{blocks} * fma_threads;
  float* results = on_device(std::vector<float>(threads));
  const uint64_t before = gmr_cuda_sim_instructions();
  fma_ceiling_kernel<<<blocks, fma_threads>>>(results, 1.0f, 0.5f, turns);
  const uint64_t instructions = gmr_cuda_sim_instructions() - before;
  // Chain i goes from i up by a half a step: exact.
  const float expected = fma_chains * (fma_chains - 1) / 2 + 0.5f * fma_chains * fma_steps * turns;
  for (const float value : on_host(results, threads)) expect(value == expected, "values of the multiply-adds");
  const double multiply_adds = fma_flops_a_thread(turns) / 2 * (threads / 32);
  expect(instructions >= multiply_adds, "an instruction for each multiply-add");
  expect(instructions < 1.5 * multiply_adds, "little beside the multiply-adds");

  const auto expect_mma = [&](auto kernel, MmaType type) {
    const uint64_t start = gmr_cuda_sim_instructions();
    kernel<<<blocks, fma_threads>>>(results, turns);
    const double products = static_cast<double>(mma_chains) * mma_steps * turns;
    // Four results of each chain, each the sum of as many ones as the products are deep.
    const float sum = static_cast<float>(4 * mma_depth(type) * products);
    for (const float value : on_host(results, threads)) expect(value == sum, "values of the tensor cores");
    const double warps = threads / 32;
    const auto spent = static_cast<double>(gmr_cuda_sim_instructions() - start);
    expect(spent >= products * warps && spent < 1.5 * products * warps, "a product an instruction");
    expect(mma_flops_a_warp(type, turns) == 2 * 16 * 8 * mma_depth(type) * products, "flops of the tensor cores");
  };
  expect_mma(mma_ceiling_kernel<MmaType::tf32>, MmaType::tf32);
  expect_mma(mma_ceiling_kernel<MmaType::bf16>, MmaType::bf16);

  std::vector<float> numbers(4 * 1031);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  float* from = on_device(numbers);
  float* to = on_device(std::vector<float>(numbers.size(), -1));
  copy_ceiling_kernel<<<3, 64>>>(reinterpret_cast<float4*>(to), reinterpret_cast<const float4*>(from), 1031);
  expect(on_host(to, numbers.size()) == numbers, "the copy");
  expect(gmr_cuda_sim_report()[0] == '\0', "no faults");
  std::printf("ok\n");
}
