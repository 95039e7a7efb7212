#include "napi/environment.h"

#include <system_error>

#include "backend/loader.h"
#include "self_check.h"

namespace gmr {

Completions::Completions(Napi::Env env) {
  auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  function_ = Napi::ThreadSafeFunction::New(env, nothing, "gmr", 0, 1);
  function_.Unref(env);
}

void Completions::post(Task task) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  auto* carried = new Task(std::move(task));
  const napi_status status = function_.NonBlockingCall(carried, [](Napi::Env env, Napi::Function, Task* posted) {
    std::unique_ptr<Task> owned(posted);
    if (static_cast<napi_env>(env) == nullptr) return;  // the environment ends
    Napi::HandleScope scope(env);
    (*owned)(env);
  });
  if (status != napi_ok) delete carried;
}

void Completions::close() {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  function_.Abort();
}

void Completions::begin(Napi::Env env) {
  if (awaited_++ == 0) function_.Ref(env);
}

void Completions::end(Napi::Env env) {
  if (--awaited_ == 0) function_.Unref(env);
}

// Cleanup hooks run last in, first out: added after the thread-safe function was made, ours closes it before Node frees
// it.
Environment::Environment(Napi::Env env) : completions_(std::make_shared<Completions>(env)) {
  env.AddCleanupHook([this] { stop(); });
}

void Environment::stop() {
  completions_->close();
  for (std::thread& opener : openers_) opener.join();
  for (auto& [key, device] : devices_) device->stop();
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

std::shared_ptr<Device> Environment::open(const std::string& kind, int index, bool check) {
  const Backend& backend = load_backend(kind);
  const auto found = devices_.find({&backend, index});
  if (found != devices_.end()) return found->second;
  if (check) self_check(backend, index, load_cpu_backend());
  return keep(std::make_shared<Device>(backend, index), index);
}

void Environment::open_later(Napi::Env env, const std::string& kind, int index, bool check, Opened opened) {
  // Here, since it reads the environment's variables, which JavaScript may change.
  const Backend* reference = check ? &load_cpu_backend() : nullptr;
  const auto open = [completions = completions_, kind, index, reference, opened = std::move(opened)] {
    std::shared_ptr<Device> device;
    std::exception_ptr problem;
    try {
      const Backend& backend = load_backend(kind);
      if (reference != nullptr) self_check(backend, index, *reference);
      device = std::make_shared<Device>(backend, index);
    } catch (...) {
      problem = std::current_exception();
    }
    completions->post([completions, index, opened, device, problem](Napi::Env e) {
      completions->end(e);
      opened(e, device == nullptr ? nullptr : Environment::of(e).keep(device, index), problem);
    });
  };
  try {
    openers_.emplace_back(open);
  } catch (const std::system_error& error) {
    throw BackendError("device_unavailable", std::string("expected the system to start a thread: ") + error.what());
  }
  completions_->begin(env);
}

// The one that is there already, if there is one.
std::shared_ptr<Device> Environment::keep(std::shared_ptr<Device> device, int index) {
  return devices_.try_emplace(Key{&device->backend(), index}, device).first->second;
}

}  // namespace gmr
