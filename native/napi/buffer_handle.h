// A device buffer as JavaScript holds it: an external value whose finalizer gives the buffer up, unless `dispose` did
// before.
#pragma once

#include <napi.h>

#include <memory>

#include "backend/device.h"

namespace gmr {

// Tells V8 of the memory that handles hold, up and down, so that the collector knows what a forgotten tensor costs.
// Every report may start a collection; so ups and downs are first set off against each other.
class ExternalMemory {
 public:
  void add(Napi::Env env, int64_t bytes);

 private:
  int64_t unreported_bytes_ = 0;
};

Napi::Value wrap_buffer(Napi::Env env, BufferRef buffer, std::shared_ptr<ExternalMemory> account);
BufferRef unwrap_buffer(Napi::Value value);  // nullptr: not a buffer, or disposed of
bool dispose_buffer(Napi::Value value);      // false: not a buffer

}  // namespace gmr
