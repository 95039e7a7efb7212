// What one JavaScript environment (main thread, worker thread) owns. Nothing here is static: environments come and go.
#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "backend/device.h"
#include "napi/buffer_handle.h"

namespace gmr {

// Carries results from native threads to the environment's thread. A thread may post at any time, also after the
// environment is gone: then the task is dropped (a thread-safe function must not be called any more by then).
class Completions {
 public:
  // Made before what it completes is begun: posting needs no memory then, so that nobody waits for ever where there is
  // none.
  using Task = std::unique_ptr<std::function<void(Napi::Env env)>>;

  explicit Completions(Napi::Env env);

  void post(Task task) noexcept;  // from any thread
  void close();                   // the environment's thread, when it ends

  // While something is awaited the event loop must stay alive; otherwise it must be free to end. Environment's thread
  // only.
  void begin(Napi::Env env);
  void end(Napi::Env env);

 private:
  std::mutex mutex_;
  bool closed_ = false;
  using Posted = Task::element_type;
  static void call(Napi::Env env, Napi::Function, void*, Posted* posted);
  Napi::TypedThreadSafeFunction<void, Posted, call> function_;
  size_t awaited_ = 0;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env);

  // With `check`, a device that is opened for the first time has to pass its self-check.
  std::shared_ptr<Device> open(const std::string& kind, int index, bool check);

  // The same on a thread of its own, since the driver may take a second to start. `opened` gets the device or what
  // stood against it.
  using Opened = std::function<void(Napi::Env env, std::shared_ptr<Device> device, std::exception_ptr problem)>;
  void open_later(Napi::Env env, const std::string& kind, int index, bool check, Opened opened);
  const std::shared_ptr<Completions>& completions() const { return completions_; }
  Napi::Value wrap(Napi::Env env, BufferRef buffer) const {
    return wrap_buffer(env, std::move(buffer), external_memory_);
  }

 private:
  using Key = std::pair<const Backend*, int>;

  void stop();
  std::shared_ptr<Device> keep(std::shared_ptr<Device> device, int index);

  std::shared_ptr<Completions> completions_;
  std::shared_ptr<ExternalMemory> external_memory_ = std::make_shared<ExternalMemory>();
  std::map<Key, std::shared_ptr<Device>> devices_;  // tests switch CPU levels within one process

  struct Opener {
    std::thread thread;
    std::future<void> ended;
  };
  std::list<Opener> openers_;  // that have not completed
};

}  // namespace gmr
