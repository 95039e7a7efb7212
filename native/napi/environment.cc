#include "napi/environment.h"

#include "backend/loader.h"

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
  for (auto& [key, device] : devices_) device->stop();
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

std::shared_ptr<Device> Environment::open(const std::string& kind, int index) {
  const Backend& backend = load_backend(kind);
  const std::pair key{&backend, index};  // tests switch CPU levels within one process
  if (const auto found = devices_.find(key); found != devices_.end()) return found->second;
  return devices_.emplace(key, std::make_shared<Device>(backend, index)).first->second;
}

}  // namespace gmr
