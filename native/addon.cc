// The Node-API module: a handful of functions for devices and buffers, and one a pass, made from ops.def.
// binding.d.ts is the typed description of what is exported here.
#include <napi.h>

#include <cmath>
#include <cstring>
#include <new>
#include <string>

#include "backend/loader.h"
#include "build_info.h"
#include "napi/environment.h"
#include "napi/params_reader.h"
#include "ops/bindings.h"
#include "ops/ops.h"
#include "system/cgroup.h"

namespace gmr {
namespace {

constexpr napi_type_tag device_tag = {0x2b7ce1f04a5d4e92ull, 0xb1f09d2c83aa4d17ull};

// What JavaScript throws for the C++ exception in flight.
Napi::Error error_in_flight(Napi::Env env) {
  const auto with_code = [&](Napi::Error error, const char* code) {
    error.Set("code", Napi::String::New(env, code));
    return error;
  };
  try {
    throw;
  } catch (const Napi::Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return with_code(Napi::Error::New(env, "expected enough memory for the request, but there is none left"),
                     "out_of_memory");
  } catch (const BackendError& exception) {
    const std::string op = exception.op() == nullptr ? "" : "[" + std::string(exception.op()) + "] ";
    return with_code(Napi::Error::New(env, op + exception.what()), exception.code());
  } catch (const std::invalid_argument& exception) {
    return with_code(Napi::TypeError::New(env, exception.what()), "invalid_argument");
  } catch (const std::exception& exception) {
    return with_code(Napi::Error::New(env, exception.what()), "device_failure");
  }
}

// The one place where C++ exceptions become JavaScript errors.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (...) {
    throw error_in_flight(info.Env());
  }
}

[[noreturn]] void refuse(const char* argument, const std::string& expected, Napi::Value received) {
  throw std::invalid_argument("[gmr.node] expected " + std::string(argument) + " to be " + expected + ", received " +
                              describe(received));
}

Device& device_argument(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<std::shared_ptr<Device>>>().CheckTypeTag(&device_tag)) {
    refuse("device", "a device handle", value);
  }
  return **value.As<Napi::External<std::shared_ptr<Device>>>().Data();
}

std::string kind_argument(const Napi::Value& value) {
  const std::string kind = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (kind != "cpu" && kind != "cuda" && kind != "cuda_sim") refuse("kind", "a kind of device", value);
  return kind;
}

uint16_t label_argument(const Napi::Value& value) {
  return value.IsNumber() ? static_cast<uint16_t>(value.As<Napi::Number>().Uint32Value()) : uint16_t{0};
}

// How many devices of a kind there are, and why none.
Napi::Value device_count(const Napi::CallbackInfo& info) {
  const DeviceCount found = load_backend(kind_argument(info[0])).count();
  auto result = Napi::Object::New(info.Env());
  result["count"] = found.count;
  result["problem"] = found.problem;
  return result;
}

Napi::Object opened_device(Napi::Env env, std::shared_ptr<Device> device) {
  const Backend& backend = device->backend();
  const DeviceProperties properties = device->properties();
  auto held = std::make_unique<std::shared_ptr<Device>>(std::move(device));
  auto external = Napi::External<std::shared_ptr<Device>>::New(
      env, held.get(), [](Napi::Env, std::shared_ptr<Device>* ended) { delete ended; });
  static_cast<void>(held.release());
  external.TypeTag(&device_tag);
  auto result = Napi::Object::New(env);
  result["handle"] = external;
  result["kind"] = backend.name;
  result["level"] = properties.level;
  result["threads"] = static_cast<double>(properties.threads);
  result["name"] = properties.name;
  result["memoryBytes"] = static_cast<double>(properties.memory_bytes);
  result["passedOver"] = backend.memory_is_host ? broken_cpu_libraries() : "";
  return result;
}

struct OpenArguments {
  explicit OpenArguments(const Napi::CallbackInfo& info) {
    kind = kind_argument(info[0]);
    const double number = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= INT32_MAX) || number != std::floor(number))
      refuse("index", "an integer >= 0", info[1]);
    if (!info[2].IsBoolean()) refuse("check", "a boolean", info[2]);
    index = static_cast<int>(number);
    check = info[2].As<Napi::Boolean>();
  }

  std::string kind;
  int index;
  bool check;
};

Napi::Value open_device_sync(const Napi::CallbackInfo& info) {
  const OpenArguments given(info);
  return opened_device(info.Env(), Environment::of(info.Env()).open(given.kind, given.index, given.check));
}

Napi::Value open_device(const Napi::CallbackInfo& info) {
  const OpenArguments given(info);
  const auto deferred = std::make_shared<Napi::Promise::Deferred>(info.Env());
  Environment::of(info.Env())
      .open_later(info.Env(), given.kind, given.index, given.check,
                  [deferred](Napi::Env env, std::shared_ptr<Device> device, std::exception_ptr problem) {
                    try {
                      if (problem != nullptr) std::rethrow_exception(problem);
                      deferred->Resolve(opened_device(env, std::move(device)));
                    } catch (...) {
                      deferred->Reject(error_in_flight(env).Value());
                    }
                  });
  return deferred->Promise();
}

Napi::Value cpu_levels(const Napi::CallbackInfo& info) {
  auto result = Napi::Array::New(info.Env());
  uint32_t i = 0;
  for (const CpuLibrary& library : cpu_libraries()) {
    auto entry = Napi::Object::New(info.Env());
    entry["name"] = library.level;
    entry["library"] = library.file;
    result[i++] = entry;
  }
  return result;
}

// Loads the library of a CPU level: what stands against it.
Napi::Value try_cpu_level(const Napi::CallbackInfo& info) {
  const std::string name = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  for (const CpuLibrary& library : cpu_libraries()) {
    if (name != library.level) continue;
    const LibraryState state = try_cpu_library(library);
    auto result = Napi::Object::New(info.Env());
    result["code"] = state.code;
    result["problem"] = state.problem;
    result["build"] = state.build;
    return result;
  }
  refuse("level", "one of cpuLevels()", info[0]);
}

// What gmr.node says of its making, or the library of a kind of GPU.
Napi::Value build(const Napi::CallbackInfo& info) {
  if (info[0].IsUndefined()) return Napi::String::New(info.Env(), gmr_build);
  const std::string kind = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  if (kind != "cuda" && kind != "cuda_sim") refuse("kind", "a kind of GPU, \"cuda\"", info[0]);
  return Napi::String::New(info.Env(), build_of_gpu_backend(kind));
}

// What the control groups leave to this process: null where they limit nothing.
Napi::Value cgroup_limits(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) refuse("root", "a string", info[0]);
  const CgroupLimits limits = read_cgroup_limits(info[0].As<Napi::String>());
  auto result = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, double value, bool is_limited) {
    result[name] = is_limited ? Napi::Number::New(info.Env(), value) : info.Env().Null();
  };
  set("memoryBytes", static_cast<double>(limits.memory_bytes), limits.memory_bytes != UINT64_MAX);
  set("cpus", limits.cpus, std::isfinite(limits.cpus));
  return result;
}

Napi::Value create_buffer(const Napi::CallbackInfo& info) {
  constexpr double limit = 1ull << 52;
  const double bytes = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
  if (!(bytes >= 0 && bytes <= limit) || bytes != std::floor(bytes)) {
    refuse("bytes", "an integer in [0, 2^52]", info[1]);
  }
  return Environment::of(info.Env()).wrap(info.Env(), device_argument(info[0]).create(static_cast<size_t>(bytes)));
}

Napi::Value upload(const Napi::CallbackInfo& info) {
  Device& device = device_argument(info[0]);
  if (!info[1].IsTypedArray()) refuse("data", "a typed array", info[1]);
  // Through the array's own data pointer: it may lie over a SharedArrayBuffer, whose buffer cannot be asked for.
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  const auto status = napi_get_typedarray_info(info.Env(), info[1], &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok) throw Napi::Error::New(info.Env());
  if (type != napi_float32_array && type != napi_int32_array && type != napi_uint16_array) {
    refuse("data", "a Float32Array, an Int32Array or a Uint16Array", info[1]);
  }
  return Environment::of(info.Env())
      .wrap(info.Env(), device.upload(data, length * (type == napi_uint16_array ? 2 : 4)));
}

Napi::Value copy(const Napi::CallbackInfo& info) {
  Device& device = device_argument(info[0]);
  const auto buffer_argument = [&](const char* name, const Napi::Value& value) {
    BufferRef buffer = unwrap_buffer(value);
    if (buffer == nullptr || buffer->memory() != device.shared_memory().get()) {
      refuse(name, "a live buffer of this device", value);
    }
    return buffer;
  };
  BufferRef source = buffer_argument("source", info[1]);
  BufferRef destination = buffer_argument("destination", info[2]);
  if (source->bytes() != destination->bytes()) {
    refuse("destination", "a buffer of " + std::to_string(source->bytes()) + " bytes",
           Napi::Number::New(info.Env(), static_cast<double>(destination->bytes())));
  }
  device.copy(std::move(source), std::move(destination), label_argument(info[3]));
  return info.Env().Undefined();
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  if (!dispose_buffer(info[0])) refuse("buffer", "a buffer handle", info[0]);
  return info.Env().Undefined();
}

Napi::Value failure_error(Napi::Env env, const Failure& failure) {
  auto error = Napi::Error::New(env, "[" + failure.op + "] " + failure.message);
  error.Set("code", Napi::String::New(env, failure.code));
  error.Set("op", Napi::String::New(env, failure.op));
  return error.Value();
}

// Resolves to an ArrayBuffer of the buffer's bytes once everything queued before has run.
Napi::Value read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Device& device = device_argument(info[0]);
  BufferRef buffer = unwrap_buffer(info[1]);
  if (buffer == nullptr || buffer->memory() != device.shared_memory().get()) {
    refuse("buffer", "a live buffer of this device", info[1]);
  }
  struct Result {
    HostBytes bytes;
    FailureRef failure;
  };
  const auto result = std::make_shared<Result>();
  const auto completions = Environment::of(env).completions();
  const Napi::Promise::Deferred deferred(env);
  const auto completion = std::make_shared<Completions::Task>(std::make_unique<Completions::Task::element_type>(
      [completions, deferred, result, size = buffer->bytes()](Napi::Env e) {
        completions->end(e);
        try {
          if (result->failure != nullptr) {
            deferred.Reject(failure_error(e, *result->failure));
            return;
          }
          const auto array = Napi::ArrayBuffer::New(
              e, result->bytes.get(), size, [](Napi::Env, void* bytes) { delete[] static_cast<std::byte*>(bytes); });
          static_cast<void>(result->bytes.release());  // now, since an environment that ends makes no array
          deferred.Resolve(array);
        } catch (...) {
          deferred.Reject(error_in_flight(e).Value());
        }
      }));
  device.read(std::move(buffer), [completions, completion, result](HostBytes bytes, FailureRef failure) {
    result->bytes = std::move(bytes);
    result->failure = std::move(failure);
    completions->post(std::move(*completion));
  });
  completions->begin(env);
  return deferred.Promise();
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const auto stats = device_argument(info[0]).memory();
  auto result = Napi::Object::New(info.Env());
  result["buffers"] = static_cast<double>(stats.buffers);
  result["bytes"] = static_cast<double>(stats.bytes);
  result["peakBytes"] = static_cast<double>(stats.peak_bytes);
  result["reservedBytes"] = static_cast<double>(stats.reserved_bytes);
  result["cachedBytes"] = static_cast<double>(stats.cached_bytes);
  result["limitBytes"] = static_cast<double>(stats.limit_bytes);
  return result;
}

Napi::Value empty_cache(const Napi::CallbackInfo& info) {
  device_argument(info[0]).empty_cache();
  return info.Env().Undefined();
}

Napi::Value reset_peak(const Napi::CallbackInfo& info) {
  device_argument(info[0]).reset_peak();
  return info.Env().Undefined();
}

struct PassInfo {
  const char* op;
  const char* name;
  size_t params_bytes;
  void (*read)(ParamsReader& reader, std::byte* storage);
};

const PassInfo passes[] = {
#define GMR_PASS(op, pass, Params)                                                    \
  {#op, #op "_" #pass, sizeof(Params), [](ParamsReader& reader, std::byte* storage) { \
     static_assert(std::is_trivially_copyable_v<Params>, "params are plain structs"); \
     op##_##pass##_read(reader, *new (storage) Params{});                             \
   }},
#include "ops/ops.def"
#undef GMR_PASS
};

Napi::Value profile_start(const Napi::CallbackInfo& info) {
  device_argument(info[0]).profile(true);
  return info.Env().Undefined();
}

Napi::Value profile_stop(const Napi::CallbackInfo& info) {
  Device& device = device_argument(info[0]);
  device.profile(false);
  auto result = Napi::Array::New(info.Env());
  uint32_t i = 0;
  for (const auto& entry : device.profile_entries()) {
    auto row = Napi::Object::New(info.Env());
    row["label"] = entry.label;
    row["pass"] = entry.pass == copy_pass ? "copy" : passes[entry.pass].name;
    row["count"] = static_cast<double>(entry.count);
    row["ms"] = static_cast<double>(entry.nanoseconds) / 1e6;
    result[i++] = row;
  }
  return result;
}

// <op>_<pass>(device, params, label): checks the params and queues the pass.
Napi::Value run_pass(const Napi::CallbackInfo& info) {
  const auto& pass = *static_cast<const PassInfo*>(info.Data());
  Device& device = device_argument(info[0]);
  if (!info[1].IsObject()) refuse("params", "an object", info[1]);
  Job job;
  job.pass = static_cast<uint16_t>(&pass - passes);
  job.label = label_argument(info[2]);
  job.op = pass.op;
  job.params.resize(pass.params_bytes);
  ParamsReader reader(info[1].As<Napi::Object>(), pass.name, device.shared_memory().get(), job.params.data());
  pass.read(reader, job.params.data());
  job.operands = reader.take_operands();
  device.run(std::move(job));
  return info.Env().Undefined();
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void add(Napi::Object exports, const char* name, void* data = nullptr) {
  exports.Set(name, Napi::Function::New<guarded<function>>(exports.Env(), name, data));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  add<device_count>(exports, "deviceCount");
  add<open_device>(exports, "openDevice");
  add<open_device_sync>(exports, "openDeviceSync");
  add<cpu_levels>(exports, "cpuLevels");
  add<try_cpu_level>(exports, "tryCpuLevel");
  add<build>(exports, "build");
  add<cgroup_limits>(exports, "cgroupLimits");
  add<create_buffer>(exports, "createBuffer");
  add<upload>(exports, "upload");
  add<copy>(exports, "copy");
  add<dispose>(exports, "dispose");
  add<read>(exports, "read");
  add<memory>(exports, "memory");
  add<empty_cache>(exports, "emptyCache");
  add<reset_peak>(exports, "resetPeak");
  add<profile_start>(exports, "profileStart");
  add<profile_stop>(exports, "profileStop");
  for (const auto& pass : passes) add<run_pass>(exports, pass.name, const_cast<PassInfo*>(&pass));
  return exports;
}

}  // namespace
}  // namespace gmr

static Napi::Object init_module(Napi::Env env, Napi::Object exports) { return gmr::init(env, exports); }
NODE_API_MODULE(gmr, init_module)
