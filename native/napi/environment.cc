#include "napi/environment.h"

#include <chrono>
#include <system_error>

#include "backend/loader.h"
#include "self_check.h"

namespace gmr {
namespace {

// How long the end of an environment waits for a device that is being opened. A driver takes a second or two; one that
// has hung would keep a worker from ever ending.
constexpr std::chrono::seconds opener_patience{5};

}  // namespace

Completions::Completions(Napi::Env env) : function_(decltype(function_)::New(env, "gmr", 0, 1)) {
  function_.Unref(env);
}

void Completions::post(Task task) noexcept {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  if (function_.NonBlockingCall(task.get()) == napi_ok) static_cast<void>(task.release());  // it is of the queue now
}

void Completions::call(Napi::Env env, Napi::Function, void*, Posted* posted) {
  const Task owned(posted);
  if (static_cast<napi_env>(env) == nullptr) return;  // the environment has ended
  try {
    const Napi::HandleScope scope(env);
    (*owned)(env);
  } catch (const Napi::Error&) {
    // The environment ends, and makes no more values: nobody waits for them either.
  }
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
  for (Opener& opener : openers_) {
    if (opener.ended.wait_for(opener_patience) == std::future_status::ready) {
      opener.thread.join();
    } else {
      opener.thread.detach();  // it owns all that it uses, and its code stays (-z nodelete)
    }
  }
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
  struct Opening {
    std::shared_ptr<Device> device;
    std::exception_ptr problem;
    std::promise<void> ended;
  };
  const auto opening = std::make_shared<Opening>();
  const auto opener = openers_.emplace(openers_.end());
  try {
    opener->ended = opening->ended.get_future();
    auto completion = std::make_unique<Completions::Task::element_type>(
        [completions = completions_, opening, opener, index, opened = std::move(opened)](Napi::Env e) {
          completions->end(e);
          Environment& environment = Environment::of(e);
          opener->thread.join();
          environment.openers_.erase(opener);
          opened(e, opening->device == nullptr ? nullptr : environment.keep(opening->device, index), opening->problem);
        });
    opener->thread = std::thread(
        [completions = completions_, kind, index, reference, opening, completion = std::move(completion)]() mutable {
          try {
            const Backend& backend = load_backend(kind);
            if (reference != nullptr) self_check(backend, index, *reference);
            opening->device = std::make_shared<Device>(backend, index);
          } catch (...) {
            opening->problem = std::current_exception();
          }
          completions->post(std::move(completion));
          opening->ended.set_value();
        });
  } catch (const std::system_error& error) {
    openers_.erase(opener);
    throw BackendError("device_unavailable", std::string("expected the system to start a thread: ") + error.what());
  } catch (...) {
    openers_.erase(opener);
    throw;
  }
  completions_->begin(env);
}

// The one that is there already, if there is one.
std::shared_ptr<Device> Environment::keep(std::shared_ptr<Device> device, int index) {
  return devices_.try_emplace(Key{&device->backend(), index}, device).first->second;
}

}  // namespace gmr
