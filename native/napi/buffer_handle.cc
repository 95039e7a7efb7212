#include "napi/buffer_handle.h"

#include <cstdlib>
#include <memory>

namespace gmr {
namespace {

constexpr napi_type_tag buffer_tag = {0x8f1c2a7d5be34c01ull, 0x9d3e6f70a1b24c55ull};

// Far below what makes a process run out of memory, far above what a training step's tensors come to between two
// disposals.
constexpr int64_t report_threshold_bytes = int64_t{64} << 20;

struct Handle {
  BufferRef buffer;
  std::shared_ptr<ExternalMemory> account;

  void release(Napi::Env env) {
    if (buffer == nullptr) return;
    account->add(env, -static_cast<int64_t>(buffer->bytes()));
    buffer.reset();
  }
};

Handle* handle_of(Napi::Value value) {
  if (!value.IsExternal()) return nullptr;
  auto external = value.As<Napi::External<Handle>>();
  return external.CheckTypeTag(&buffer_tag) ? external.Data() : nullptr;
}

}  // namespace

void ExternalMemory::add(Napi::Env env, int64_t bytes) {
  unreported_bytes_ += bytes;
  if (std::abs(unreported_bytes_) < report_threshold_bytes) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, unreported_bytes_);
  unreported_bytes_ = 0;
}

Napi::Value wrap_buffer(Napi::Env env, BufferRef buffer, std::shared_ptr<ExternalMemory> account) {
  std::unique_ptr<Handle> held(new Handle{std::move(buffer), std::move(account)});
  auto external = Napi::External<Handle>::New(env, held.get(), [](Napi::Env e, Handle* handle) {
    handle->release(e);
    delete handle;
  });
  const Handle& handle = *held.release();
  handle.account->add(env, static_cast<int64_t>(handle.buffer->bytes()));
  external.TypeTag(&buffer_tag);
  return external;
}

BufferRef unwrap_buffer(Napi::Value value) {
  const Handle* handle = handle_of(value);
  return handle == nullptr ? nullptr : handle->buffer;
}

bool dispose_buffer(Napi::Value value) {
  Handle* handle = handle_of(value);
  if (handle != nullptr) handle->release(value.Env());
  return handle != nullptr;
}

}  // namespace gmr
