// Preloaded by test/life/allocations.test.ts: the nth `operator new` that our libraries call throws std::bad_alloc.
// GMR_FAIL_NEW names a file that holds an int64: how many calls are let through before that one, or -1 for all. A test
// writes it, here it is mapped and counted down.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>

namespace {

std::atomic<int64_t>* map_counter() {
  const char* path = std::getenv("GMR_FAIL_NEW");
  const int file = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* data = mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return data == MAP_FAILED ? nullptr : static_cast<std::atomic<int64_t>*>(data);
}

std::atomic<int64_t>* const counter = map_counter();

// The addon and the processor's backend; not the interpreter, whose own memory is no part of what it stands for.
bool is_ours(void* caller) {
  // dladdr goes through all symbols of Node, which calls from few places: those that were found not to be ours.
  static std::atomic<void*> others[1 << 14];
  std::atomic<void*>& known = others[reinterpret_cast<uintptr_t>(caller) % std::size(others)];
  if (known.load() == caller) return false;
  Dl_info info;
  if (dladdr(caller, &info) == 0 || info.dli_fname == nullptr) return false;
  const bool ours =
      std::strstr(info.dli_fname, "/gmr.node") != nullptr || std::strstr(info.dli_fname, "/libgmr_cpu") != nullptr;
  if (!ours) known = caller;
  return ours;
}

void* allocate(size_t bytes, void* caller) {
  static thread_local bool is_asking = false;
  if (counter != nullptr && counter->load() >= 0 && !is_asking) {
    is_asking = true;
    const bool fails = is_ours(caller) && counter->fetch_sub(1) == 0;
    is_asking = false;
    if (fails) throw std::bad_alloc();
  }
  void* data = std::malloc(bytes > 0 ? bytes : 1);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, __builtin_return_address(0)); }
void* operator new[](size_t bytes) { return allocate(bytes, __builtin_return_address(0)); }
void operator delete(void* data) noexcept { std::free(data); }
void operator delete[](void* data) noexcept { std::free(data); }
void operator delete(void* data, size_t) noexcept { std::free(data); }
void operator delete[](void* data, size_t) noexcept { std::free(data); }
