// Work of several streams that touches the same memory must be ordered; what the host does beside copies, too.
#include <cuda_runtime_api.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/tests/faults.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

constexpr int count = 64;
constexpr size_t bytes = count * sizeof(float);

// Two streams that wait for nobody, an event, and memory on both sides.
struct Setting {
  explicit Setting(unsigned flags = cudaStreamNonBlocking) {
    gmr_cuda_sim_reset();
    gmr_cuda_sim_set_quiet(1);
    cudaStreamCreateWithFlags(&copies, flags);
    cudaStreamCreateWithFlags(&kernels, flags);
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    void* memory = nullptr;
    cudaMalloc(&memory, bytes);
    device = static_cast<float*>(memory);
    cudaMallocHost(&memory, bytes);
    pinned = static_cast<float*>(memory);
    std::memset(pinned, 0, bytes);
  }
  ~Setting() {
    gmr_cuda_sim_reset();
    cudaFree(device);
    cudaFreeHost(pinned);
    cudaEventDestroy(event);
    cudaStreamDestroy(copies);
    cudaStreamDestroy(kernels);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

  void upload() { cudaMemcpyAsync(device, pinned, bytes, cudaMemcpyHostToDevice, copies); }
  void download() { cudaMemcpyAsync(pinned, device, bytes, cudaMemcpyDeviceToHost, copies); }
  void launch() { launch_grid(device, count, kernels); }
  void order(cudaStream_t first, cudaStream_t second) {
    cudaEventRecord(event, first);
    cudaStreamWaitEvent(second, event, 0);
  }

  cudaStream_t copies = nullptr, kernels = nullptr;
  cudaEvent_t event = nullptr;
  float* device = nullptr;
  float* pinned = nullptr;
};

void expect_clean(const std::string& what, const std::function<void(Setting&)>& work,
                  unsigned flags = cudaStreamNonBlocking) {
  Setting setting(flags);
  work(setting);
  cudaDeviceSynchronize();
  expect(std::string(gmr_cuda_sim_report()).empty(), what + ": " + gmr_cuda_sim_report());
}

void expect_race(const std::string& part, const std::function<void(Setting&)>& work) {
  Setting setting;
  work(setting);
  expect(cudaDeviceSynchronize() == cudaErrorLaunchFailure, "a race fails the device: " + part);
  expect_contains(gmr_cuda_sim_report(), "race between streams");
  expect_contains(gmr_cuda_sim_report(), part);
}

GMR_SIM_TEST(streams_kernel_behind_copy) {
  expect_race("each_once", [](Setting& s) {
    s.upload();
    s.launch();
  });
  expect_race("write of bytes 0 to 256, not ordered with the write of bytes 0 to 256 by cudaMemcpyAsync on stream",
              [](Setting& s) {
                s.upload();
                s.launch();
              });
  expect_clean("an event", [](Setting& s) {
    s.upload();
    s.order(s.copies, s.kernels);
    s.launch();
  });
  expect_clean("the host", [](Setting& s) {
    s.upload();
    cudaStreamSynchronize(s.copies);
    s.launch();
  });
  expect_clean(
      "the legacy stream",
      [](Setting& s) {
        s.upload();
        cudaMemset(s.device, 0, bytes);
        s.launch();
      },
      cudaStreamDefault);
}

GMR_SIM_TEST(streams_copy_behind_kernel) {
  expect_race("cudaMemcpyAsync on stream", [](Setting& s) {
    s.launch();
    s.upload();
  });
  expect_race("read of bytes 0 to 256, not ordered with the write", [](Setting& s) {
    s.launch();
    s.download();
  });
  expect_clean("an event", [](Setting& s) {
    s.launch();
    s.order(s.kernels, s.copies);
    s.upload();
  });
}

GMR_SIM_TEST(streams_events_order_what_was_before_them) {
  expect_race("cudaMemcpyAsync", [](Setting& s) {
    s.order(s.copies, s.kernels);
    s.upload();
    s.launch();
  });
  expect_race("cudaMemcpyAsync", [](Setting& s) {
    s.upload();
    cudaEventRecord(s.event, s.copies);
    s.launch();
    cudaStreamWaitEvent(s.kernels, s.event, 0);
  });
  expect_clean("over a third stream", [](Setting& s) {
    cudaStream_t third = nullptr;
    cudaStreamCreateWithFlags(&third, cudaStreamNonBlocking);
    s.upload();
    s.order(s.copies, third);
    s.order(third, s.kernels);
    s.launch();
    cudaStreamDestroy(third);
  });
}

GMR_SIM_TEST(streams_may_share_what_they_do_not_write) {
  expect_clean("two reads", [](Setting& s) {
    cudaMemset(s.device, 0, bytes);
    cudaDeviceSynchronize();
    s.download();
    float pageable[count];
    cudaMemcpyAsync(pageable, s.device, bytes, cudaMemcpyDeviceToHost, s.kernels);
  });
  expect_clean("different bytes", [](Setting& s) {
    cudaMemsetAsync(s.device, 0, bytes / 2, s.copies);
    cudaMemsetAsync(s.device + count / 2, 0, bytes / 2, s.kernels);
  });
  expect_race("cudaMemsetAsync", [](Setting& s) {
    cudaMemsetAsync(s.device, 0, bytes / 2 + 1, s.copies);
    cudaMemsetAsync(s.device + count / 2, 0, bytes / 2, s.kernels);
  });
}

GMR_SIM_TEST(streams_host_overwrites_what_is_copied) {
  expect_race("the host changed the source of a copy of 256 bytes", [](Setting& s) {
    s.upload();
    s.pinned[3] = 1;
  });
  expect_clean("after it has waited", [](Setting& s) {
    s.upload();
    cudaStreamSynchronize(s.copies);
    s.pinned[3] = 1;
    s.upload();
  });
  expect_clean("memory that is not pinned", [](Setting& s) {
    float pageable[count] = {};
    cudaMemcpyAsync(s.device, pageable, bytes, cudaMemcpyHostToDevice, s.copies);
    pageable[3] = 1;
  });
}

GMR_SIM_TEST(streams_host_reads_what_has_not_arrived) {
  Setting s;
  cudaMemset(s.device, 0, bytes);
  cudaDeviceSynchronize();
  s.pinned[3] = 5;
  s.download();
  cudaEventRecord(s.event, s.copies);
  expect(std::isnan(s.pinned[3]), "before the host waits there is a NaN");
  cudaEventSynchronize(s.event);
  expect(s.pinned[3] == 0, "after that, the value");
  expect(std::string(gmr_cuda_sim_report()).empty(), gmr_cuda_sim_report());
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
