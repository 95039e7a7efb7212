// gmr_stress <backend's library> [rounds]: one line a test, "ok <name>" or "FAIL <name>: <why>", as cuda_sim_tests does.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/allocator.h"
#include "backend/backend_library.h"
#include "backend/device.h"
#include "ops/ops.h"

namespace gmr {
namespace {

constexpr int threads = 4;

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// Calls f(number) on several threads at once; what one throws is thrown here.
template <typename F>
void at_once(F&& f) {
  std::vector<std::future<void>> running;
  for (int i = 0; i < threads; ++i) running.push_back(std::async(std::launch::async, [&f, i] { f(i); }));
  for (auto& future : running) future.get();
}

BufferRef upload(Device& device, const std::vector<float>& values) {
  return device.upload(values.data(), values.size() * sizeof(float));
}

// The values, or what failed.
std::future<std::pair<std::vector<float>, FailureRef>> read(Device& device, const BufferRef& buffer) {
  auto promise = std::make_shared<std::promise<std::pair<std::vector<float>, FailureRef>>>();
  const size_t bytes = buffer->bytes();
  device.read(buffer, [promise, bytes](HostBytes data, FailureRef failure) {
    std::vector<float> values(failure == nullptr ? bytes / sizeof(float) : 0);
    if (!values.empty()) std::memcpy(values.data(), data.get(), bytes);
    promise->set_value({std::move(values), std::move(failure)});
  });
  return promise->get_future();
}

template <typename Params>
Job job(Pass pass, const char* op, const Params& params, std::vector<Operand> operands) {
  Job made{static_cast<uint16_t>(pass), 0, op, std::move(operands), std::vector<std::byte>(sizeof(Params))};
  std::memcpy(made.params.data(), &params, sizeof(Params));
  return made;
}

BufferRef add(Device& device, const BufferRef& a, const BufferRef& b) {
  auto y = device.create(a->bytes());
  AddForward params{};
  params.count = static_cast<int64_t>(a->bytes() / sizeof(float));
  device.run(job(Pass::add_forward, "add", params,
                 {{a, offsetof(AddForward, a), Access::read},
                  {b, offsetof(AddForward, b), Access::read},
                  {y, offsetof(AddForward, y), Access::write}}));
  return y;
}

// Fails on a thread of the pool where `target` is no class.
BufferRef cross_entropy(Device& device, const BufferRef& logits, int64_t rows, int32_t target) {
  const std::vector<int32_t> targets(static_cast<size_t>(rows), target);
  auto loss = device.create(sizeof(float));
  CrossEntropyForward params{};
  params.rows = params.divisor = rows;
  params.classes = static_cast<int64_t>(logits->bytes() / sizeof(float)) / rows;
  device.run(
      job(Pass::cross_entropy_forward, "cross_entropy", params,
          {{logits, offsetof(CrossEntropyForward, logits), Access::read},
           {device.upload(targets.data(), targets.size() * 4), offsetof(CrossEntropyForward, targets), Access::read},
           {loss, offsetof(CrossEntropyForward, loss), Access::write}}));
  return loss;
}

void allocator(const Backend&, int rounds) {
  const auto budget = std::make_shared<MemoryBudget>(MemoryBudget::Limit{uint64_t{1} << 40, "more than is asked for"});
  Allocator shared([](size_t bytes) { return std::malloc(bytes); }, [](void* data, size_t) { std::free(data); }, budget,
                   true);
  at_once([&](int thread) {
    std::minstd_rand random(static_cast<unsigned>(thread + 1));
    std::vector<std::pair<unsigned char*, size_t>> held;
    for (int round = 0; round < 100 * rounds; ++round) {
      if (held.size() < 8 && random() % 2 == 0) {
        const size_t bytes = 1 + random() % 5000;
        auto* const data = static_cast<unsigned char*>(shared.allocate(bytes));
        std::memset(data, thread, bytes);
        held.emplace_back(data, bytes);
      } else if (!held.empty()) {
        const auto [data, bytes] = held.back();
        held.pop_back();
        expect(std::count(data, data + bytes, static_cast<unsigned char>(thread)) == static_cast<int64_t>(bytes),
               "expected a block to belong to one thread");
        shared.release(data, bytes);
      }
      if (random() % 64 == 0) shared.empty_cache();
      const AllocatorStats stats = shared.stats();
      expect(stats.cached_bytes <= stats.reserved_bytes, "expected the cache to be part of what is reserved");
    }
    for (const auto& [data, bytes] : held) shared.release(data, bytes);
  });
  shared.empty_cache();
  expect(shared.stats().reserved_bytes == 0, "expected all memory to be given back");
}

// Streams of several threads share the pool, while what they queued is read, counted and timed.
void streams(const Backend& backend, int rounds) {
  at_once([&](int thread) {
    Device device(backend, 0);
    const std::vector<float> ones(40'000, 1), start(40'000, static_cast<float>(thread));
    const BufferRef one = upload(device, ones);
    BufferRef sum = upload(device, start);
    for (int round = 0; round < rounds; ++round) {
      device.profile(round % 2 == 0);
      for (int i = 0; i < 5; ++i) sum = add(device, sum, one);
      if (round % 3 == 0) device.empty_cache();
      device.reset_peak();
      device.profile_entries();
      expect(device.memory().buffers > 0, "expected buffers to be counted");
      if (round % 4 != 3) continue;
      const auto [values, failure] = read(device, sum).get();
      const float expected = static_cast<float>(thread + 5 * (round + 1));
      expect(failure == nullptr && std::count(values.begin(), values.end(), expected) == 40'000,
             "expected the sum " + std::to_string(expected));
    }
  });
}

void failures(const Backend& backend, int rounds) {
  at_once([&](int) {
    Device device(backend, 0);
    constexpr int64_t rows = 400;
    const BufferRef logits = upload(device, std::vector<float>(rows * 50, 0));
    for (int round = 0; round < rounds; ++round) {
      const BufferRef loss = cross_entropy(device, logits, rows, 50);
      const auto first = read(device, add(device, loss, loss)).get().second;
      expect(first != nullptr && first->code == "invalid_argument", "expected a class that is not there to be refused");
      const auto [lost, again] = read(device, loss).get();
      if (backend.memory_is_host) {
        expect(again == first, "expected what a failed pass would have written to keep its failure");
      } else {  // a kernel found it: reported once
        expect(again == nullptr && std::isnan(lost[0]), "expected NaN after its report");
      }
      const auto [values, failure] = read(device, cross_entropy(device, logits, rows, 7)).get();
      expect(failure == nullptr && values[0] > 3.9f && values[0] < 3.92f, "expected log(50) after a failure");
    }
  });
}

// Devices that end with work queued, at any moment, and buffers that outlive them.
void endings(const Backend& backend, int rounds) {
  at_once([&](int thread) {
    std::minstd_rand random(static_cast<unsigned>(thread + 1));
    for (int round = 0; round < rounds; ++round) {
      std::vector<BufferRef> survivors;
      {
        Device device(backend, 0);
        BufferRef sum = upload(device, std::vector<float>(20'000, 1));
        for (int i = 0; i < 20; ++i) {
          sum = add(device, sum, sum);
          if (i % 5 == 0) survivors.push_back(sum);
        }
        device.read(sum, [](HostBytes, FailureRef) {});
        if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      }
      expect(survivors.size() == 4, "expected the buffers to be there");
    }
  });
}

}  // namespace
}  // namespace gmr

int main(int argc, char** argv) {
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 100;
  std::string reason = "its path is missing";
  const gmr::Backend* backend = argc > 1 ? gmr::open_backend_library(argv[1], "gmr_stress", &reason) : nullptr;
  if (backend == nullptr || rounds < 1) {
    std::fprintf(stderr, "usage: gmr_stress <backend's library> [rounds]\n%s\n", reason.c_str());
    return 2;
  }
  const std::array<std::pair<const char*, void (*)(const gmr::Backend&, int)>, 4> tests = {
      {{"allocator", gmr::allocator},
       {"streams", gmr::streams},
       {"failures", gmr::failures},
       {"endings", gmr::endings}}};
  int failed = 0;
  for (const auto& [name, run] : tests) {
    try {
      run(*backend, rounds);
      std::printf("ok %s\n", name);
    } catch (const std::exception& problem) {
      ++failed;
      std::printf("FAIL %s: %s\n", name, problem.what());
    }
    std::fflush(stdout);
  }
  return failed == 0 ? 0 : 1;
}
