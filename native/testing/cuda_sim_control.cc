// A Node-API module for tests alone: the functions of cuda_sim/cuda_sim.h in the libgmr_cuda_sim.so that gmr.node has
// loaded, or will. open(path) finds them; the others then call them.
#include <dlfcn.h>
#include <napi.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "testing/cuda_sim/cuda_sim.h"

namespace gmr {
namespace {

// A function of the library that test/support/cuda_sim.ts calls by `name`.
struct Control {
  const char* name;
  const char* symbol;
  Napi::Value (*call)(Napi::Env env, const Napi::CallbackInfo& info, void* function);
  void* function = nullptr;
};

Napi::Value text(Napi::Env env, const Napi::CallbackInfo&, void* function) {
  return Napi::String::New(env, reinterpret_cast<decltype(&gmr_cuda_sim_report)>(function)());
}

Napi::Value command(Napi::Env env, const Napi::CallbackInfo&, void* function) {
  reinterpret_cast<decltype(&gmr_cuda_sim_reset)>(function)();
  return env.Undefined();
}

Napi::Value set_count(Napi::Env env, const Napi::CallbackInfo& info, void* function) {
  reinterpret_cast<decltype(&gmr_cuda_sim_set_seed)>(function)(info[0].As<Napi::Number>().Uint32Value());
  return env.Undefined();
}

Napi::Value set_switch(Napi::Env env, const Napi::CallbackInfo& info, void* function) {
  reinterpret_cast<decltype(&gmr_cuda_sim_set_counting)>(function)(info[0].As<Napi::Boolean>().Value() ? 1 : 0);
  return env.Undefined();
}

Napi::Value blocks_per_multiprocessor(Napi::Env env, const Napi::CallbackInfo& info, void* function) {
  const auto argument = [&](size_t i) { return info[i].As<Napi::Number>().Int32Value(); };
  return Napi::Number::New(env, reinterpret_cast<decltype(&gmr_cuda_sim_blocks_per_multiprocessor)>(function)(
                                    argument(0), argument(1), argument(2), argument(3), argument(4)));
}

Napi::Value plan_failure(Napi::Env env, const Napi::CallbackInfo& info, void* function) {
  const std::string name = info[0].As<Napi::String>();
  reinterpret_cast<decltype(&gmr_cuda_sim_fail)>(function)(name.c_str(), info[1].As<Napi::Number>().Int32Value(),
                                                           info[2].As<Napi::Number>().Int32Value());
  return env.Undefined();
}

Control controls[] = {
    {"report", "gmr_cuda_sim_report", text},
    {"kernels", "gmr_cuda_sim_kernels", text},
    {"leaks", "gmr_cuda_sim_leaks", text},
    {"unsupported", "gmr_cuda_sim_unsupported", text},
    {"reset", "gmr_cuda_sim_reset", command},
    {"failed", "gmr_cuda_sim_failed", text},
    {"setSeed", "gmr_cuda_sim_set_seed", set_count},
    {"fail", "gmr_cuda_sim_fail", plan_failure},
    {"resources", "gmr_cuda_sim_resources", text},
    {"setCounting", "gmr_cuda_sim_set_counting", set_switch},
    {"counters", "gmr_cuda_sim_counters", text},
    {"sampleBlocks", "gmr_cuda_sim_sample_blocks", set_count},
    {"blocksPerMultiprocessor", "gmr_cuda_sim_blocks_per_multiprocessor", blocks_per_multiprocessor},
};

Napi::Value call(const Napi::CallbackInfo& info) {
  const auto& control = *static_cast<const Control*>(info.Data());
  if (control.function == nullptr) throw std::logic_error("open() comes first");
  return control.call(info.Env(), info, control.function);
}

Napi::Value open(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  for (Control& control : controls) {
    control.function = dlsym(library, control.symbol);
    if (control.function == nullptr) throw std::runtime_error(dlerror());
  }
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New(env, open));
  for (Control& control : controls) {
    exports.Set(control.name, Napi::Function::New(env, call, control.name, &control));
  }
  return exports;
}

}  // namespace
}  // namespace gmr

static Napi::Object init_module(Napi::Env env, Napi::Object exports) { return gmr::init(env, exports); }
NODE_API_MODULE(gmr_cuda_sim_control, init_module)
