// The backend table of the CUDA library. Passes and copies are queued on the device's stream.
#include "backend/backend.h"
#include "cuda/kernels.h"
#include "ops/ops.h"

namespace gmr {
namespace {

const PassFunction passes[] = {
#define GMR_PASS(op, pass, Params)                                  \
  [](BackendDevice& device, const void* params) {                   \
    device.enter();                                                 \
    cuda::op##_##pass(device, *static_cast<const Params*>(params)); \
  },
#include "ops/ops.def"
#undef GMR_PASS
};

const Backend backend = {
    .abi = backend_abi,
    .pass_count = pass_count,
    .params_layout = params_layout(),
    .name = GMR_CUDA_BACKEND,
    .memory_is_host = false,
    .count = [] { return BackendDevice::count(); },
    .open = [](int index,
               std::function<void()> free_memory) { return new BackendDevice(index, std::move(free_memory)); },
    .close = [](BackendDevice* device) { delete device; },
    .properties = [](BackendDevice& device) { return device.properties(); },
    .allocate =
        [](BackendDevice& device, size_t bytes) {
          device.enter();
          return device.allocate(bytes);
        },
    .release = [](BackendDevice& device, void* data, size_t) { device.release(data); },
    .upload =
        [](BackendDevice& device, void* to, const void* from, size_t bytes) {
          device.enter();
          device.upload(to, from, bytes);
        },
    .stage = [](BackendDevice& device, const void* from, size_t bytes) { return device.stage(from, bytes); },
    .upload_staged =
        [](BackendDevice& device, void* to, StagedUpload* staged) {
          device.enter();
          device.upload(to, staged);
        },
    .drop_staged = [](BackendDevice& device, StagedUpload* staged) { device.drop(staged); },
    .copy =
        [](BackendDevice& device, void* to, const void* from, size_t bytes) {
          device.enter();
          device.copy(to, from, bytes);
        },
    .download =
        [](BackendDevice& device, void* to, const void* from, size_t bytes) {
          device.enter();
          return device.download(to, from, bytes);
        },
    .finish = [](BackendDevice& device, PendingDownload* download) { device.finish(download); },
    .synchronise =
        [](BackendDevice& device) {
          device.enter();
          device.synchronise();
        },
    .watch =
        [](BackendDevice& device, const std::function<void()>& work) {
          device.enter();
          return device.watch(work);
        },
    .capture =
        [](BackendDevice& device, const std::function<void()>& work) {
          device.enter();
          return device.capture(work);
        },
    .replay =
        [](BackendDevice& device, CapturedPasses* captured) {
          device.enter();
          device.replay(captured);
        },
    .drop_captured = [](BackendDevice& device, CapturedPasses* captured) { device.drop(captured); },
    .passes = passes,
};

}  // namespace
}  // namespace gmr

extern "C" __attribute__((visibility("default"))) const gmr::Backend* gmr_backend() { return &gmr::backend; }
