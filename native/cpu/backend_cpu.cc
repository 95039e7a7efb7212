// The backend table of a CPU library. Memory is the host's; a pass returns when its threads are done.
#include <cstdlib>
#include <cstring>

#include "backend/backend.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/ops.h"

namespace gmr {

struct BackendDevice {};

namespace {

const PassFunction passes[] = {
#define GMR_PASS(op, pass, Params) \
  [](BackendDevice&, const void* params) { cpu::op##_##pass(*static_cast<const Params*>(params)); },
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
    .open = [](int) { return new BackendDevice; },
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
    .download = [](BackendDevice&, void* to, const void* from, size_t bytes) -> PendingDownload* {
      std::memcpy(to, from, bytes);
      return nullptr;
    },
    .finish = [](BackendDevice&, PendingDownload*) {},
    .synchronise = [](BackendDevice&) {},
    .passes = passes,
};

}  // namespace
}  // namespace gmr

extern "C" __attribute__((visibility("default"))) const gmr::Backend* gmr_backend() { return &gmr::backend; }
