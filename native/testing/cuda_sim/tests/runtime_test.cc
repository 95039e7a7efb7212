// The stand-in runtime: what it refuses, what it keeps account of, how errors show.
#include <cuda_runtime_api.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <thread>
#include <utility>

#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/tests/faults.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

void expect_error(cudaError_t received, cudaError_t wanted, const std::string& what) {
  expect(received == wanted,
         what + ": expected " + cudaGetErrorName(wanted) + ", received " + cudaGetErrorName(received));
}

void fresh() {
  gmr_cuda_sim_reset();
  gmr_cuda_sim_set_quiet(1);
}

void* device_memory(size_t bytes) {
  void* data = nullptr;
  expect_error(cudaMalloc(&data, bytes), cudaSuccess, "cudaMalloc");
  return data;
}

GMR_SIM_TEST(runtime_features) {
  fresh();
  constexpr int count = 300;
  std::vector<float> in(count), out(count);
  for (int i = 0; i < count; ++i) in[static_cast<size_t>(i)] = static_cast<float>(i % 9) / 8;
  auto* const from = static_cast<float*>(device_memory(count * sizeof(float)));
  auto* const to = static_cast<float*>(device_memory(count * sizeof(float)));
  cudaMemcpy(from, in.data(), count * sizeof(float), cudaMemcpyHostToDevice);
  launch_features(to, from, count);
  expect_error(cudaMemcpy(out.data(), to, count * sizeof(float), cudaMemcpyDeviceToHost), cudaSuccess,
               gmr_cuda_sim_report());
  for (size_t i = 0; i < count; ++i) {
    const float x = in[i];
    const float square = x * x + x;  // exact in 8 digits up to rounding of the sum
    expect(std::fabs(out[i] - (1 + x * (2 + x * (3 + x * 4)) + square)) <= square / 256 + 1e-5f,
           "element " + std::to_string(i) + " is " + std::to_string(out[i]));
  }
  cudaFree(from);
  cudaFree(to);
  expect_contains(gmr_cuda_sim_kernels(), "features");
  expect(std::string(gmr_cuda_sim_unsupported()).empty(), gmr_cuda_sim_unsupported());
}

GMR_SIM_TEST(runtime_launch_limits) {
  const auto check = [](int threads, size_t shared, cudaError_t wanted, const std::string& part) {
    fresh();
    launch_too_large(threads, shared);
    expect_error(cudaGetLastError(), wanted, part);
    expect_error(cudaDeviceSynchronize(), cudaSuccess, "a refused launch leaves the device as it was");
    expect_contains(gmr_cuda_sim_report(), part);
  };
  check(2048, 0, cudaErrorInvalidConfiguration, "2048 threads a block");
  check(0, 0, cudaErrorInvalidConfiguration, "0 threads a block");
  check(512, 0, cudaErrorLaunchOutOfResources, "512 threads a block, the kernel is compiled for 256");
  check(32, 50000, cudaErrorInvalidValue, "50000 bytes of dynamic shared memory");
  fresh();
  launch_too_large(32, 48 * 1024);
  expect_error(cudaGetLastError(), cudaSuccess, "48 KiB are allowed");
}

// What a block can have at most, static and dynamic, by the table of compute capabilities in NVIDIA's guide.
GMR_SIM_TEST(runtime_shared_memory_opt_in) {
  fresh();
  auto* const data = static_cast<float*>(device_memory(sizeof(float)));
  const std::pair<int, int> most_kibibytes[] = {{75, 64},  {80, 163},  {86, 99}, {89, 99},
                                                {90, 227}, {100, 227}, {120, 99}};
  for (const auto& [arch, kibibytes] : most_kibibytes) {
    fresh();
    gmr_cuda_sim_set_arch(arch);
    const std::string what = "on " + std::to_string(arch);
    const int most = kibibytes * 1024 - static_shared_bytes;
    cudaMemset(data, 0, sizeof(float));
    expect_error(launch_with_shared(data, most), cudaSuccess, what);
    float value = 0;
    cudaMemcpy(&value, data, sizeof value, cudaMemcpyDeviceToHost);
    expect(value == 5, what + ": the kernel has run");
    expect(std::string(gmr_cuda_sim_report()).empty(), gmr_cuda_sim_report());
    expect_error(launch_with_shared(data, most + 4), cudaErrorInvalidValue, what);
    expect_contains(gmr_cuda_sim_report(),
                    "no block can have " + std::to_string(most + 4) + " bytes of dynamic shared memory on this device");
    expect_error(cudaDeviceSynchronize(), cudaSuccess, "a refusal leaves the device as it was");
  }
  gmr_cuda_sim_set_arch(80);
  cudaFree(data);
}

GMR_SIM_TEST(runtime_memory_account) {
  fresh();
  size_t before = 0, during = 0, total = 0;
  cudaMemGetInfo(&before, &total);
  void* const data = device_memory(1000);
  cudaMemGetInfo(&during, &total);
  expect(before - during == 1000, "1000 bytes are taken");
  expect_contains(gmr_cuda_sim_leaks(), "of 1000 bytes was never freed");
  expect_error(cudaFree(data), cudaSuccess, "cudaFree");
  expect(std::string(gmr_cuda_sim_leaks()).empty(), "nothing is left");
  void* pinned = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  cudaMallocHost(&pinned, 300);
  cudaStreamCreate(&stream);
  cudaEventCreate(&event);
  const std::string leaks = gmr_cuda_sim_leaks();
  expect_contains(leaks, "pinned allocation ");
  expect_contains(leaks, "of 300 bytes was never freed");
  expect_contains(leaks, "a stream was never destroyed");
  expect_contains(leaks, "an event was never destroyed");
  cudaFreeHost(pinned);
  cudaStreamDestroy(stream);
  cudaEventDestroy(event);
  expect(std::string(gmr_cuda_sim_leaks()).empty(), "nothing is left");
  expect_error(cudaFree(data), cudaErrorInvalidValue, "freed twice");
  expect_contains(gmr_cuda_sim_report(), "cudaFree of what is not allocated (any more)");
  expect_error(cudaFree(nullptr), cudaSuccess, "cudaFree of nothing");
  void* none = nullptr;
  expect_error(cudaMalloc(&none, size_t{1} << 42), cudaErrorMemoryAllocation, "more than there is");
  gmr_cuda_sim_set_memory(2000);
  expect_error(cudaMalloc(&none, 3000), cudaErrorMemoryAllocation, "a small device");
  gmr_cuda_sim_set_memory(uint64_t{8} << 30);
}

GMR_SIM_TEST(runtime_copies) {
  fresh();
  void* const data = device_memory(64);
  char host[64] = "text";
  expect_error(cudaMemcpy(data, host, 65, cudaMemcpyHostToDevice), cudaErrorInvalidValue, "one byte too many");
  expect_contains(gmr_cuda_sim_report(), "out of bounds");
  expect_error(cudaMemcpy(data, host, 64, cudaMemcpyDeviceToHost), cudaErrorInvalidValue, "the wrong direction");
  expect_error(cudaMemcpy(data, host, 64, cudaMemcpyDefault), cudaSuccess, "a direction from the addresses");
  char back[64] = {};
  expect_error(cudaMemcpyAsync(back, data, 64, cudaMemcpyDeviceToHost, nullptr), cudaSuccess, "back");
  expect(std::string(back) == "text", "what was copied");
  expect_error(cudaMemset(static_cast<char*>(data) + 60, 1, 8), cudaErrorInvalidValue, "cudaMemset too long");
  cudaFree(data);
}

GMR_SIM_TEST(runtime_host_reads_device_memory) {
  fresh();
  volatile char* const data = static_cast<char*>(device_memory(16));
  int ends[2];
  expect(pipe(ends) == 0, "pipe");
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    _exit(*data == 0 ? 1 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  close(ends[1]);
  char text[200] = {};
  const ssize_t length = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  expect(length > 0 && WIFSIGNALED(status), "the process ends by a signal");
  expect_contains(text, "host access to device memory");
  cudaFree(const_cast<char*>(data));
}

GMR_SIM_TEST(runtime_planned_failures) {
  fresh();
  void* data = nullptr;
  gmr_cuda_sim_fail("cudaMalloc", 2, cudaErrorMemoryAllocation);
  expect_error(cudaMalloc(&data, 16), cudaSuccess, "the first call");
  cudaFree(data);
  expect_error(cudaMalloc(&data, 16), cudaErrorMemoryAllocation, "the second call");
  expect_error(cudaMalloc(&data, 16), cudaSuccess, "the third call");
  cudaFree(data);
  int count = 0;
  gmr_cuda_sim_fail("*", 2, cudaErrorUnknown);
  expect_error(cudaFree(nullptr), cudaSuccess, "the call before the planned failure of any function");
  expect(std::string(gmr_cuda_sim_failed()) == "cudaMalloc", "the last function that failed has a name");
  expect_error(cudaDeviceSynchronize(), cudaErrorUnknown, "a planned failure of any function");
  expect(std::string(gmr_cuda_sim_failed()) == "cudaDeviceSynchronize", "the function that was not named has one");
  gmr_cuda_sim_fail("cudaGetDeviceCount", 0, cudaErrorInsufficientDriver);
  for (int i = 0; i < 3; ++i) expect_error(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver, "no driver");
  gmr_cuda_sim_fail("*", -3, cudaErrorUnknown);
  for (int i = 0; i < 2; ++i) expect_error(cudaFree(nullptr), cudaSuccess, "a call before the device is lost");
  for (int i = 0; i < 3; ++i) expect_error(cudaDeviceSynchronize(), cudaErrorUnknown, "a call of a lost device");
  gmr_cuda_sim_reset();
  expect_error(cudaDeviceSynchronize(), cudaSuccess, "a call after the reset");
  gmr_cuda_sim_fail("cudaLaunchKernel", 1, cudaErrorNoKernelImageForDevice);
  cudaGetLastError();
  launch_too_large(32, 0);
  expect_error(cudaGetLastError(), cudaErrorNoKernelImageForDevice, "no kernel image");
  launch_too_large(32, 0);
  expect_error(cudaGetLastError(), cudaSuccess, "the next launch");
}

GMR_SIM_TEST(runtime_sticky_error) {
  fresh();
  size_t count = 0;
  float* const data = static_cast<float*>(device_memory(16));
  planted_faults(count)[0].launch(false, data, nullptr);
  expect_error(cudaGetLastError(), cudaErrorLaunchFailure, "after the launch");
  expect_error(cudaDeviceSynchronize(), cudaErrorLaunchFailure, "the device is lost");
  expect_error(cudaGetLastError(), cudaErrorLaunchFailure, "it cannot be cleared");
  void* more = nullptr;
  expect_error(cudaMalloc(&more, 16), cudaErrorLaunchFailure, "for every call");
  fresh();
  expect_error(cudaDeviceSynchronize(), cudaSuccess, "after the reset");
  cudaFree(data);
}

GMR_SIM_TEST(runtime_devices) {
  fresh();
  gmr_cuda_sim_set_devices(3);
  int count = 0, device = -1;
  cudaGetDeviceCount(&count);
  expect(count == 3, "three devices");
  expect_error(cudaSetDevice(2), cudaSuccess, "the last one");
  cudaGetDevice(&device);
  expect(device == 2, "the current one");
  expect_error(cudaSetDevice(3), cudaErrorInvalidDevice, "one too many");
  gmr_cuda_sim_set_devices(0);
  expect_error(cudaGetDeviceCount(&count), cudaErrorNoDevice, "none");
  gmr_cuda_sim_set_devices(1);
  expect_error(cudaSetDevice(0), cudaSuccess, "back");
  for (const int driver : {0, 12090}) {
    gmr_cuda_sim_set_driver(driver);
    int version = -1;
    cudaDriverGetVersion(&version);
    expect(version == driver, "the driver's version");
    expect_error(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver, "a driver of " + std::to_string(driver));
  }
  gmr_cuda_sim_set_driver(CUDART_VERSION);
  expect_error(cudaGetDeviceCount(&count), cudaSuccess, "a driver that serves");
  cudaDeviceProp properties;
  gmr_cuda_sim_set_arch(90);
  cudaGetDeviceProperties(&properties, 0);
  int opt_in = 0;
  cudaDeviceGetAttribute(&opt_in, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0);
  gmr_cuda_sim_set_arch(80);
  expect(properties.major == 9 && opt_in == 227 * 1024 && properties.warpSize == 32, "properties of 9.0");
}

GMR_SIM_TEST(runtime_streams_and_events) {
  fresh();
  cudaStream_t stream = nullptr;
  cudaEvent_t first = nullptr, second = nullptr, untimed = nullptr;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&first, cudaEventDefault);
  cudaEventCreate(&second);
  cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming);
  float milliseconds = -1;
  expect_error(cudaEventElapsedTime(&milliseconds, first, second), cudaErrorInvalidResourceHandle, "not recorded");
  cudaEventRecord(first, stream);
  expect_error(cudaStreamWaitEvent(stream, first, 0), cudaSuccess, "wait");
  cudaEventRecord(second, stream);
  cudaEventRecord(untimed, stream);
  expect_error(cudaEventElapsedTime(&milliseconds, first, second), cudaSuccess, "elapsed");
  expect(milliseconds >= 0, "time goes on");
  expect_error(cudaEventElapsedTime(&milliseconds, first, untimed), cudaErrorInvalidResourceHandle, "without timing");
  std::thread other([&] { cudaEventQuery(second); });
  other.join();
  expect_error(cudaStreamQuery(stream), cudaSuccess, "all is done");
  for (const cudaEvent_t event : {first, second, untimed})
    expect_error(cudaEventDestroy(event), cudaSuccess, "destroy");
  expect_error(cudaEventQuery(first), cudaErrorInvalidResourceHandle, "a destroyed event");
  expect_error(cudaStreamDestroy(stream), cudaSuccess, "destroy");
  expect_error(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle, "a destroyed stream");
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
