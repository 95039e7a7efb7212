// The backend table of a CPU library. Memory is the host's; a pass returns when its threads are done.
#include <cstdlib>
#include <cstring>
#include <string>

#include "backend/backend.h"
#include "cpu/denormals.h"
#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/ops.h"

namespace gmr {

struct BackendDevice {};

namespace {

const PassFunction passes[] = {
#define GMR_PASS(op, pass, Params)                         \
  [](BackendDevice&, const void* params) {                 \
    const cpu::FlushDenormals here;                        \
    cpu::op##_##pass(*static_cast<const Params*>(params)); \
  },
#include "ops/ops.def"
#undef GMR_PASS
};

constexpr size_t alignment = 64;

const Backend backend = {
    .abi = backend_abi,
    .pass_count = pass_count,
    .params_layout = params_layout(),
    .name = "cpu",
    .memory_is_host = true,
    .count =
        [] {
          return DeviceCount{1, ""};
        },
    .open = [](int index, std::function<void()>) -> BackendDevice* {
      if (index == 0) return new BackendDevice;
      throw BackendError("device_unavailable",
                         "expected the processor's index to be 0, received " + std::to_string(index));
    },
    .close = [](BackendDevice* device) { delete device; },
    .properties =
        [](BackendDevice&) {
          return DeviceProperties{"", GMR_CPU_LEVEL, cpu::thread_count(), 0};
        },
    .allocate = [](BackendDevice&, size_t bytes) -> void* {
      if (bytes > SIZE_MAX / 2) return nullptr;
      return std::aligned_alloc(alignment, (bytes + slack_bytes + alignment - 1) / alignment * alignment);
    },
    .release = [](BackendDevice&, void* data, size_t) { std::free(data); },
    .upload = [](BackendDevice&, void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); },
    // The host's bytes are where they are needed.
    .stage = [](BackendDevice&, const void*, size_t) -> StagedUpload* { return nullptr; },
    .upload_staged = [](BackendDevice&, void*, StagedUpload*) {},
    .drop_staged = [](BackendDevice&, StagedUpload*) {},
    .copy =
        [](BackendDevice&, void* to, const void* from, size_t bytes) {
          constexpr int64_t grain = cpu::elementwise_grain * int64_t{sizeof(float)};
          cpu::parallel_ranges(static_cast<int64_t>(bytes), grain, [&](int64_t begin, int64_t end) {
            std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                        static_cast<size_t>(end - begin));
          });
        },
    .download = [](BackendDevice&, void* to, const void* from, size_t bytes) -> PendingDownload* {
      std::memcpy(to, from, bytes);
      return nullptr;
    },
    .finish = [](BackendDevice&, PendingDownload*) {},
    .synchronise = [](BackendDevice&) {},
    .watch =
        [](BackendDevice&, const std::function<void()>& work) {
          work();
          return std::vector<KernelUse>{};
        },
    .capture = [](BackendDevice&, const std::function<void()>&) -> CapturedPasses* { return nullptr; },
    .replay = [](BackendDevice&, CapturedPasses*) {},
    .drop_captured = [](BackendDevice&, CapturedPasses*) {},
    .passes = passes,
};

}  // namespace
}  // namespace gmr

extern "C" __attribute__((visibility("default"))) const gmr::Backend* gmr_backend() { return &gmr::backend; }
