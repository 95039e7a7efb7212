// Tests of the simulator: PTX text in, values out, compared with arithmetic of the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "testing/cuda_sim/counters.h"
#include "testing/cuda_sim/device_memory.h"
#include "testing/cuda_sim/machine.h"
#include "testing/cuda_sim/scheduler.h"

namespace gmr::cuda_sim::tests {

struct PlantedFault;

struct Test {
  const char* name;
  void (*run)();
  bool last = false;  // needs what the others leave behind
  const PlantedFault* fault = nullptr;
  void (*run_fault)(const PlantedFault& fault) = nullptr;  // instead of `run`
};

std::vector<Test>& all_tests();

struct Registration {
  Registration(const char* name, void (*run)(), bool last = false) {
    all_tests().push_back({name, run, last, nullptr, nullptr});
  }
};

#define GMR_SIM_TEST(name)                                    \
  void test_##name();                                         \
  const Registration registration_##name(#name, test_##name); \
  void test_##name()

// Throw with what was expected.
void expect(bool holds, const std::string& what);
void expect_contains(const std::string& text, const std::string& part);

// Opcodes in the PTX of all tests so far.
std::set<std::string>& tested_opcodes();

// A device without a runtime around it.
class Device {
 public:
  Device();

  template <class T>
  T* upload(const std::vector<T>& values) {
    void* const data = allocate(std::max<size_t>(values.size(), 1) * sizeof(T));
    write(data, values.data(), values.size() * sizeof(T));
    return static_cast<T*>(data);
  }
  template <class T>
  std::vector<T> download(const T* data, size_t count) {
    std::vector<T> values(count);
    read(values.data(), data, count * sizeof(T));
    return values;
  }
  void* allocate(size_t bytes) { return memory.allocate(bytes); }
  void write(void* device, const void* host, size_t bytes);
  void read(void* host, const void* device, size_t bytes);

  // Runs the only kernel of `ptx`; throws Fault and Unsupported.
  template <class... Arguments>
  void launch(const std::string& ptx, Dim3 grid, Dim3 block, Arguments... arguments) {
    void* const pointers[] = {&arguments..., nullptr};
    launch_with(ptx, grid, block, pointers, sizeof...(arguments));
  }

  DeviceMemory memory;
  Schedule schedule;
  uint64_t dynamic_shared = 0;
  uint64_t executed = 0;
  LaunchCounts* counts = nullptr;  // where launches are to be counted

 private:
  void launch_with(const std::string& ptx, Dim3 grid, Dim3 block, void* const* arguments, size_t count);
};

// `body` in a kernel `name` with these parameters, with registers to work with:
//   %r0..31 %rd0..31 %f0..31 %h0..31 %p0..7, %tid = %tid.x
std::string kernel_text(const std::string& parameters, const std::string& body, const std::string& before = "");

struct Column {
  const void* data;
  size_t element_bytes;
};

// For each element: loads %a, %b, %c, %e from the columns, runs `body`, stores %d. The predicate %q holds for odd
// elements.
std::vector<std::byte> evaluate_columns(const std::string& body, size_t result_bytes,
                                        const std::vector<Column>& columns, size_t count);

template <class D, class... S>
std::vector<D> evaluate(const std::string& body, const std::vector<S>&... sources) {
  const size_t count = std::min({sources.size()...});
  const std::vector<std::byte> raw = evaluate_columns(body, sizeof(D), {Column{sources.data(), sizeof(S)}...}, count);
  std::vector<D> values(count);
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

// Values at which arithmetic goes wrong, and random ones.
template <class T>
std::vector<T> values_of(size_t random_count = 6) {
  std::mt19937_64 random(sizeof(T) + random_count);
  std::vector<T> values;
  if constexpr (std::is_floating_point_v<T>) {
    using Limits = std::numeric_limits<T>;
    values = {0,
              T(-0.0),
              1,
              -1,
              T(0.5),
              T(-1.5),
              2,
              3,
              T(1e10),
              T(-1e-10),
              Limits::max(),
              Limits::lowest(),
              Limits::min(),
              Limits::denorm_min(),
              Limits::infinity(),
              -Limits::infinity(),
              Limits::quiet_NaN()};
    std::uniform_real_distribution<double> uniform(-100, 100);
    for (size_t i = 0; i < random_count; ++i) values.push_back(static_cast<T>(uniform(random)));
  } else {
    values = {0,
              1,
              2,
              7,
              static_cast<T>(-1),
              static_cast<T>(-2),
              std::numeric_limits<T>::max(),
              std::numeric_limits<T>::min(),
              static_cast<T>(std::numeric_limits<T>::max() / 2 + 1)};
    for (size_t i = 0; i < random_count; ++i) values.push_back(static_cast<T>(random()));
  }
  return values;
}

std::string text_of(double value);
inline std::string text_of(int64_t value) { return std::to_string(value); }

template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a && b != b) return true;
  }
  return std::memcmp(&a, &b, sizeof a) == 0;
}

template <class T>
std::string shown(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return text_of(static_cast<double>(value));
  } else {
    return text_of(static_cast<int64_t>(value));
  }
}

// %d must be f(%a), f(%a, %b) or f(%a, %b, %c) for all combinations of the values.
template <class D, class A, class F>
void expect_unary(const std::string& body, F f, std::vector<A> a = values_of<A>(50)) {
  const std::vector<D> d = evaluate<D>(body, a);
  for (size_t i = 0; i < d.size(); ++i) {
    const D wanted = f(a[i]);
    expect(same(d[i], wanted),
           body + " of " + shown(a[i]) + ": expected " + shown(wanted) + ", received " + shown(d[i]));
  }
}

template <class D, class A, class B, class F>
void expect_binary(const std::string& body, F f, const std::vector<A>& as = values_of<A>(),
                   const std::vector<B>& bs = values_of<B>(5)) {
  std::vector<A> a;
  std::vector<B> b;
  for (const A x : as) {
    for (const B y : bs) a.push_back(x), b.push_back(y);
  }
  const std::vector<D> d = evaluate<D>(body, a, b);
  for (size_t i = 0; i < d.size(); ++i) {
    const D wanted = f(a[i], b[i]);
    expect(same(d[i], wanted), body + " of " + shown(a[i]) + ", " + shown(b[i]) + ": expected " + shown(wanted) +
                                   ", received " + shown(d[i]));
  }
}

template <class D, class A, class B, class C, class F>
void expect_ternary(const std::string& body, F f, const std::vector<A>& as = values_of<A>(2),
                    const std::vector<B>& bs = values_of<B>(1), const std::vector<C>& cs = values_of<C>(1)) {
  std::vector<A> a;
  std::vector<B> b;
  std::vector<C> c;
  for (const A x : as) {
    for (const B y : bs) {
      for (const C z : cs) a.push_back(x), b.push_back(y), c.push_back(z);
    }
  }
  const std::vector<D> d = evaluate<D>(body, a, b, c);
  for (size_t i = 0; i < d.size(); ++i) {
    const D wanted = f(a[i], b[i], c[i]);
    expect(same(d[i], wanted), body + " of " + shown(a[i]) + ", " + shown(b[i]) + ", " + shown(c[i]) + ": expected " +
                                   shown(wanted) + ", received " + shown(d[i]));
  }
}

// Runs `f` and returns the text of the fault that it must end with.
std::string fault_of(void (*f)());

}  // namespace gmr::cuda_sim::tests
