#include <array>
#include <tuple>
#include <utility>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

const std::string in_out = ".param .u64 in, .param .u64 out";
const std::string pointers = "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\n";

// Element `tid` through a load and a store of one type, by way of registers of `width` bits.
template <class T>
void expect_copy(const std::string& load, const std::string& store, const std::string& type, int width) {
  std::vector<T> values;
  for (int i = 0; i < 64; ++i) values.push_back(static_cast<T>(i * 37 - 1000));
  Device device;
  T* const in = device.upload(values);
  T* const out = device.upload(std::vector<T>(64));
  const std::string size = std::to_string(sizeof(T));
  const std::string value = width == 16 ? "%h1" : width == 32 ? "%r1" : "%rd5";
  device.launch(kernel_text(in_out, pointers + "mad.wide.u32 %rd3, %tid, " + size +
                                        ", %rd1;\nmad.wide.u32 %rd4, %tid, " + size + ", %rd2;\n" + load + "." + type +
                                        " " + value + ", [%rd3];\n" + store + "." + type + " [%rd4], " + value + ";"),
                {1}, {64}, in, out);
  expect(device.download(out, 64) == values, load + " and " + store + " of " + type);
}

GMR_SIM_TEST(memory_types) {
  for (const char* load : {"ld.global", "ld", "ld.global.nc", "ld.volatile.global", "ld.relaxed.gpu.global",
                           "ld.acquire.gpu.global", "ld.global.ca.L2::128B", "ld.global.nc.L1::no_allocate.L2::256B",
                           "ld.global.cs", "ld.weak.global", "ldu.global", "ld.volatile", "ld.relaxed.sys"}) {
    for (const char* store :
         {"st.global", "st", "st.volatile.global", "st.relaxed.gpu.global", "st.release.gpu.global", "st.global.wt",
          "st.global.cs", "st.release.cta.global", "st.volatile", "st.relaxed.cta", "st.release.sys"}) {
      expect_copy<uint8_t>(load, store, "u8", 32);
      expect_copy<uint8_t>(load, store, "b8", 16);
      expect_copy<int8_t>(load, store, "s8", 32);
      expect_copy<uint16_t>(load, store, "u16", 16);
      expect_copy<uint16_t>(load, store, "b16", 32);
      expect_copy<int16_t>(load, store, "s16", 32);
      expect_copy<uint32_t>(load, store, "u32", 32);
      expect_copy<uint32_t>(load, store, "b32", 64);
      expect_copy<int32_t>(load, store, "s32", 64);
      expect_copy<uint64_t>(load, store, "u64", 64);
    }
  }
}

// The narrow types into wide registers: zeros for unsigned, the sign for signed ones.
GMR_SIM_TEST(memory_extension) {
  const auto check = [](const std::string& type, auto narrow) {
    using T = decltype(narrow);
    Device device;
    T* const in =
        device.upload(std::vector<T>{T(-3), T(100), std::numeric_limits<T>::max(), std::numeric_limits<T>::min()});
    int64_t* const out = device.upload(std::vector<int64_t>(4));
    const std::string size = std::to_string(sizeof(T));
    device.launch(kernel_text(in_out, pointers + "mad.wide.u32 %rd3, %tid, " + size +
                                          ", %rd1;\nmad.wide.u32 %rd4, %tid, 8, %rd2;\nld.global." + type +
                                          " %rd5, [%rd3];\nst.global.u64 [%rd4], %rd5;"),
                  {1}, {4}, in, out);
    const std::vector<int64_t> wanted = {int64_t{T(-3)}, int64_t{T(100)}, int64_t{std::numeric_limits<T>::max()},
                                         int64_t{std::numeric_limits<T>::min()}};
    expect(device.download(out, 4) == wanted, type);
  };
  check("u8", uint8_t{});
  check("s8", int8_t{});
  check("u16", uint16_t{});
  check("s16", int16_t{});
  check("u32", uint32_t{});
  check("s32", int32_t{});
}

// All types of memory, with registers that hold them.
template <class F>
void for_memory_types(F f) {
  for (const char* type : {"b8", "u8"}) f(type, "%h", uint8_t{});
  f("s8", "%r", int8_t{});
  for (const char* type : {"b16", "u16"}) f(type, "%h", uint16_t{});
  f("s16", "%r", int16_t{});
  for (const char* type : {"b32", "u32", "s32"}) f(type, "%r", uint32_t{});
  f("f32", "%f", uint32_t{});
  for (const char* type : {"b64", "u64", "s64", "f64"}) f(type, "%rd", uint64_t{});
}

// The elements of a vector in reverse, through memory of all kinds.
GMR_SIM_TEST(memory_vectors) {
  const auto check = [](const std::string& space, const std::string& type, const std::string& reg, auto element,
                        int count) {
    using T = decltype(element);
    std::vector<T> values(static_cast<size_t>(8 * count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i * 11 + 1);
    Device device;
    T* const in = device.upload(values);
    T* const out = device.upload(std::vector<T>(values.size()));
    const std::string size = std::to_string(sizeof(T) * static_cast<size_t>(count));
    std::string forward, backward;
    for (int i = 0; i < count; ++i) {
      forward += (i ? ", " : "") + reg + std::to_string(10 + i);
      backward = reg + std::to_string(10 + i) + (i ? ", " : "") + backward;
    }
    const std::string vector = (count == 1 ? "." : ".v" + std::to_string(count) + ".") + type;
    const std::string global = space == "generic" ? "" : ".global";
    if (count > 1) forward = "{" + forward + "}", backward = "{" + backward + "}";
    std::string body = pointers + "mad.wide.u32 %rd3, %tid, " + size + ", %rd1;\nmad.wide.u32 %rd4, %tid, " + size +
                       ", %rd2;\nld" + global + vector + " " + forward + ", [%rd3];\n";
    if (space == "shared") {
      body = ".shared .align 32 .b8 buffer[512];\n" + body + "mov.u32 %r5, buffer;\nmad.lo.u32 %r5, %tid, " + size +
             ", %r5;\nst.shared" + vector + " [%r5], " + forward + ";\nld.shared" + vector + " " + forward +
             ", [%r5];\n";
    } else if (space == "local") {
      body = ".local .align 32 .b8 depot[64];\n" + body + "mov.u64 %rd6, depot;\nst.local" + vector + " [%rd6+32], " +
             forward + ";\ncvta.local.u64 %rd7, %rd6;\nld" + vector + " " + forward + ", [%rd7+32];\nst" + vector +
             " [%rd7], " + forward + ";\nld.local" + vector + " " + forward + ", [%rd6];\n";
    }
    body += "st" + global + vector + " [%rd4], " + backward + ";";
    device.launch(kernel_text(in_out, body), {1}, {8}, in, out);
    const std::vector<T> d = device.download(out, values.size());
    for (size_t i = 0; i < d.size(); ++i) {
      const size_t c = static_cast<size_t>(count);
      expect(d[i] == values[i / c * c + (c - 1 - i % c)], space + vector);
    }
  };
  for (const char* space : {"global", "generic", "shared", "local"}) {
    for_memory_types([&]<class T>(const char* type, const char* reg, T element) {
      for (const int count : {1, 2, 4}) check(space, type, reg, element, count);
    });
    for (const char* type : {"b32", "u32", "f32", "s32"}) check(space, type, "%r", uint32_t{}, 8);
  }
}

// From parameters and constants of 64 bytes, each its own number.
GMR_SIM_TEST(memory_read_only) {
  std::array<uint8_t, 64> bytes;
  std::string numbers;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(3 * i + 1);
    numbers += (i == 0 ? "" : ", ") + std::to_string(bytes[i]);
  }
  for_memory_types([&]<class T>(const char* type, const char* reg, T) {
    for (const size_t count : {1, 2, 4}) {
      std::string values;
      for (size_t i = 0; i < count; ++i) values += (i ? ", " : "") + std::string(reg) + std::to_string(10 + i);
      if (count > 1) values = "{" + values + "}";
      const std::string vector = (count == 1 ? "." : ".v" + std::to_string(count) + ".") + type + " ";
      const size_t size = count * sizeof(T);
      for (const std::string space : {"param", "const"}) {
        const std::string from = space == "param" ? "in" : "table";
        Device device;
        auto* const out = device.upload(std::vector<uint8_t>(size));
        device.launch(kernel_text(".param .align 32 .b8 in[64], .param .u64 out",
                                  "ld.param.u64 %rd1, [out];\nld." + space + vector + values + ", [" + from + "+" +
                                      std::to_string(size) + "];\nst.global" + vector + "[%rd1], " + values + ";",
                                  ".const .align 32 .b8 table[64] = {" + numbers + "};"),
                      {1}, {1}, bytes, out);
        expect(
            device.download(out, size) == std::vector<uint8_t>(bytes.begin() + static_cast<std::ptrdiff_t>(size),
                                                               bytes.begin() + static_cast<std::ptrdiff_t>(2 * size)),
            "ld." + space + vector);
      }
    }
  });
}

void expect_misaligned(const std::string& body, const std::string& instruction) {
  std::string report = "none";
  try {
    Device device;
    uint64_t* const in = device.upload(std::vector<uint64_t>(8));
    device.launch(kernel_text(".param .align 16 .b8 in[32]", body), {1}, {1}, std::array<uint64_t*, 4>{in});
  } catch (const Fault& fault) {
    report = fault.what();
  }
  if (instruction.empty()) {
    expect(report == "none", body + ": " + report);
  } else {
    expect_contains(report, "cuda_sim: misaligned access");
    expect_contains(report, ": " + instruction);
  }
}

// A write and a read of the same place; of the two, one half of an access off.
GMR_SIM_TEST(memory_misaligned) {
  const std::string spaces =
      ".shared .align 16 .b8 buffer[64];\n.local .align 16 .b8 depot[64];\nld.param.u64 %rd1, [in];\nmov.u32 %r9, "
      "buffer;\ncvt.u64.u32 %rd2, %r9;\ncvta.shared.u64 %rd3, %rd2;\nmov.u64 %rd4, depot;\ncvta.local.u64 %rd5, "
      "%rd4;\n";
  const std::pair<const char*, const char*> places[] = {{".global", "%rd1"}, {".shared", "%rd2"}, {".local", "%rd4"},
                                                        {"", "%rd1"},        {"", "%rd3"},        {"", "%rd5"}};
  const std::tuple<const char*, const char*, int> types[] = {
      {".u16", "%h1", 2},  {".u32", "%r1", 4},           {".f32", "%f1", 4},
      {".u64", "%rd6", 8}, {".v2.f32", "{%f1, %f2}", 8}, {".v4.f32", "{%f1, %f2, %f3, %f4}", 16}};
  for (const auto& [space, address] : places) {
    for (const auto& [type, value, size] : types) {
      const std::string load = "ld" + std::string(space) + type + " ";
      const std::string store = "st" + std::string(space) + type + " ";
      const auto body = [&](int write_at, int read_at) {
        const auto at = [&](int offset) { return "[" + std::string(address) + "+" + std::to_string(offset) + "]"; };
        return spaces + store + at(write_at) + ", " + value + ";\n" + load + value + ", " + at(read_at) + ";";
      };
      expect_misaligned(body(size, size), "");
      expect_misaligned(body(size, size / 2), load);
      expect_misaligned(body(size / 2, size), store);
    }
  }
  expect_misaligned("ld.param.u32 %r1, [in+4];", "");
  expect_misaligned("ld.param.u32 %r1, [in+2];", "ld.param.u32 ");
  expect_misaligned("ld.param.v2.u32 {%r1, %r2}, [in+4];", "ld.param.v2.u32 ");
}

// Four warps read what the fifth writes again: it must be ordered behind each of them.
GMR_SIM_TEST(shared_memory_remembers_all_readers) {
  const auto report = [](int forgotten, uint64_t seed) -> std::string {
    const std::string threads = forgotten < 4 ? "128" : "160";
    try {
      Device device;
      device.schedule.seed = seed;
      device.launch(
          kernel_text("",
                      ".shared .align 4 .b32 tile[32];\nshr.u32 %r1, %tid, 5;\nand.b32 %r2, %tid, 31;\nshl.b32 %r3, "
                      "%r2, 2;\nmov.u32 %r4, tile;\nadd.u32 %r4, %r4, %r3;\nsetp.eq.u32 %p1, %r1, 4;\n@%p1 "
                      "st.shared.u32 [%r4], %r2;\nbar.sync 0;\n@!%p1 ld.shared.u32 %r5, [%r4];\nsetp.eq.u32 %p2, "
                      "%r1, " +
                          std::to_string(forgotten) + ";\n@%p2 bra on;\nbar.sync 1, " + threads +
                          ";\non:\n@%p1 st.shared.u32 [%r4], %r1;"),
          {1}, {160});
    } catch (const Fault& fault) {
      return fault.what();
    }
    return "none";
  };
  for (const uint64_t seed : {0, 1, 2, 3}) {
    for (int warp = 0; warp < 4; ++warp) {
      const std::string text = report(warp, seed);
      expect_contains(text, "cuda_sim: shared memory race");
      // In order of the warps the read comes first; else the forgotten warp may come after the write.
      if (seed == 0) expect_contains(text, "not ordered with a read by thread (" + std::to_string(32 * warp) + ",0,0)");
      expect_contains(text, "(warp " + std::to_string(warp) + " lane ");
    }
    expect(report(5, seed) == "none", "with all of them at the barrier there is no race");
  }
}

GMR_SIM_TEST(memory_generic_addresses) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(32));
  device.launch(kernel_text(".param .u64 out",
                            ".shared .align 4 .u32 word[32];\n.local .align 4 .b32 own;\nld.param.u64 %rd2, "
                            "[out];\nmov.u32 %r1, word;\nshl.b32 %r2, %tid, 2;\n"
                            "add.u32 %r3, %r1, %r2;\nst.shared.u32 [%r3], %tid;\ncvt.u64.u32 %rd3, "
                            "%r3;\ncvta.shared.u64 %rd4, %rd3;\nld.u32 %r4, [%rd4];\n"
                            "cvta.to.shared.u64 %rd5, %rd4;\nld.shared.u32 %r5, [%rd5];\nst.local.u32 [own], "
                            "%r5;\nmov.u64 %rd6, own;\ncvta.local.u64 %rd7, %rd6;\n"
                            "cvta.to.local.u64 %rd8, %rd7;\nld.local.u32 %r6, [%rd8];\nadd.u32 %r7, %r4, %r6;\n"
                            "isspacep.shared %p1, %rd4;\n@!%p1 trap;\nisspacep.global %p1, %rd4;\n@%p1 "
                            "trap;\nisspacep.local %p1, %rd7;\n@!%p1 trap;\n"
                            "isspacep.global %p1, %rd2;\n@!%p1 trap;\ncvta.to.global.u64 %rd9, %rd2;\ncvta.global.u64 "
                            "%rd9, %rd9;\nmad.wide.u32 %rd9, %tid, 4, %rd9;\nst.u32 [%rd9], %r7;"),
                {1}, {32}, out);
  const std::vector<uint32_t> d = device.download(out, 32);
  for (uint32_t i = 0; i < 32; ++i) expect(d[i] == 2 * i, "sum of two copies");
}

GMR_SIM_TEST(memory_module_variables) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(4));
  device.launch(kernel_text(".param .u64 out",
                            "ld.param.u64 %rd2, [out];\nmad.wide.u32 %rd2, %tid, 4, %rd2;\nmov.u64 %rd3, "
                            "table;\nmad.wide.u32 %rd3, %tid, 4, %rd3;\n"
                            "ld.const.u32 %r1, [%rd3];\nld.global.u32 %r2, [counter];\nadd.u32 %r1, %r1, "
                            "%r2;\nst.global.u32 [%rd2], %r1;",
                            ".const .align 4 .b32 table[4] = {10, 20, 30, -1};\n.global .align 4 .u32 counter = 5;"),
                {1}, {4}, out);
  expect(device.download(out, 4) == std::vector<uint32_t>{15, 25, 35, 4}, "values of the module's variables");
}

// By generic addresses.
GMR_SIM_TEST(memory_addresses_of_parameters_and_constants) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(4));
  const std::array<uint64_t, 2> params{reinterpret_cast<uint64_t>(out), 0x0000000700000005};
  for (const char* const constant :
       {"cvta.const.u64 %rd4, %rd3;", "cvta.const.u64 %rd4, %rd3;\ncvta.to.const.u64 %rd4, %rd4;"}) {
    for (const char* const param :
         {"cvta.param.u64 %rd6, %rd5;", "cvta.param.u64 %rd6, %rd5;\ncvta.to.param.u64 %rd6, %rd6;"}) {
      device.launch(kernel_text(".param .align 8 .b8 params[16]",
                                "ld.param.u64 %rd2, [params];\nmov.u64 %rd3, table;\n" + std::string(constant) +
                                    "\nld.u32 %r1, [%rd4+4];\nmov.b64 %rd5, params;\n" + param +
                                    "\nld.u32 %r2, [%rd6+8];\nld.u32 %r3, [%rd6+12];\nst.global.v4.u32 [%rd2], {%r1, "
                                    "%r2, %r3, %r1};",
                                ".const .align 4 .b32 table[2] = {10, 20};"),
                    {1}, {1}, params);
      expect(device.download(out, 4) == std::vector<uint32_t>{20, 5, 7, 20}, "what lies there");
    }
  }
}

GMR_SIM_TEST(memory_struct_parameter) {
  struct Params {
    uint64_t out;
    uint8_t byte;
    float values[3];
  };
  Device device;
  float* const out = device.upload(std::vector<float>(3));
  const Params params{reinterpret_cast<uint64_t>(out), 7, {1.5f, 2.5f, 3.5f}};
  device.launch(kernel_text(".param .align 8 .b8 params[24]",
                            "ld.param.u64 %rd1, [params];\nld.param.u8 %h1, [params+8];\ncvt.rn.f32.u16 %f2, "
                            "%h1;\nmov.u64 %rd2, params;\n"
                            "mad.wide.u32 %rd3, %tid, 4, %rd2;\nld.param.f32 %f1, [%rd3+12];\nadd.f32 %f1, %f1, "
                            "%f2;\nmad.wide.u32 %rd4, %tid, 4, %rd1;\nst.global.f32 [%rd4], %f1;"),
                {1}, {3}, params);
  expect(device.download(out, 3) == std::vector<float>{8.5f, 9.5f, 10.5f}, "fields of the structure");
}

template <class T>
using Join = T (*)(T, T);

// 64 threads add up in one place; the old values must be all the partial results.
template <class T>
void expect_atomic(const std::string& operation, T start, Join<T> join, const std::string& space = ".global") {
  std::vector<T> operands;
  for (int i = 0; i < 64; ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      operands.push_back(static_cast<T>(i % 7 - 3));
    } else {
      operands.push_back(static_cast<T>(uint64_t{0x9e3779b97f4a7c15u} * static_cast<uint64_t>(i + 1)));
    }
  }
  const std::string bits = std::to_string(sizeof(T) * 8);
  const std::string size = std::to_string(sizeof(T));
  const std::string reg = sizeof(T) == 8 ? "%rd" : "%r";
  for (const std::string instruction : {"atom", "red"}) {
    if (instruction == "red" && operation.find("exch") != std::string::npos) continue;
    // Which warp comes last is left open, so an exchange has one warp.
    const uint32_t threads = operation.starts_with(".exch") ? 32 : 64;
    T wanted = start;
    for (uint32_t i = 0; i < threads; ++i) wanted = join(wanted, operands[i]);
    Device device;
    T* const in = device.upload(operands);
    T* const out = device.upload(std::vector<T>{start});
    std::string body =
        pointers + "mad.wide.u32 %rd3, %tid, " + size + ", %rd1;\nld.global.b" + bits + " " + reg + "10, [%rd3];\n";
    const std::string old = instruction == "atom" ? reg + "11, " : "";
    if (space.ends_with(".global") || space.empty()) {
      body += instruction + space + operation + " " + old + "[%rd2], " + reg + "10;";
    } else {
      body = ".shared .align 8 .b64 word;\n" + body + "setp.eq.u32 %p1, %tid, 0;\n@%p1 ld.global.b" + bits + " " + reg +
             "12, [%rd2];\n@%p1 st.shared.b" + bits + " [word], " + reg + "12;\nbar.sync 0;\n" + instruction + space +
             operation + " " + old + "[word], " + reg + "10;\nbar.sync 0;\n@%p1 ld.shared.b" + bits + " " + reg +
             "12, [word];\n@%p1 st.global.b" + bits + " [%rd2], " + reg + "12;";
    }
    device.launch(kernel_text(in_out, body), {1}, {threads}, in, out);
    expect(same(device.download(out, 1)[0], wanted), instruction + space + operation);
  }
}

template <class T>
void expect_atomics_of(const std::string& u, const std::string& s, const std::string& b) {
  using S = std::make_signed_t<T>;
  for (const char* space : {".global", ".shared", ""}) {
    expect_atomic<T>(
        ".add." + u, 5, [](T a, T x) { return T(a + x); }, space);
    expect_atomic<T>(
        ".min." + u, 1000, [](T a, T x) { return std::min(a, x); }, space);
    expect_atomic<S>(
        ".min." + s, 1000, [](S a, S x) { return std::min(a, x); }, space);
    expect_atomic<T>(
        ".max." + u, 1000, [](T a, T x) { return std::max(a, x); }, space);
    expect_atomic<S>(
        ".max." + s, 1000, [](S a, S x) { return std::max(a, x); }, space);
    expect_atomic<T>(
        ".and." + b, ~T{0}, [](T a, T x) { return T(a & x); }, space);
    expect_atomic<T>(
        ".or." + b, 0, [](T a, T x) { return T(a | x); }, space);
    expect_atomic<T>(
        ".xor." + b, 9, [](T a, T x) { return T(a ^ x); }, space);
    expect_atomic<T>(
        ".exch." + b, 9, [](T, T x) { return x; }, space);
  }
}

GMR_SIM_TEST(atomic_operations) {
  expect_atomics_of<uint32_t>("u32", "s32", "b32");
  expect_atomics_of<uint64_t>("u64", "s64", "b64");
  expect_atomic<float>(".add.f32", 0.5f, [](float a, float x) { return a + x; });
  expect_atomic<double>(".add.f64", 0.5, [](double a, double x) { return a + x; });
  expect_atomic<uint32_t>(".inc.u32", 3, [](uint32_t a, uint32_t x) { return a >= x ? 0 : a + 1; });
  expect_atomic<uint32_t>(".dec.u32", 3, [](uint32_t a, uint32_t x) { return a == 0 || a > x ? x : a - 1; });
  expect_atomic<uint32_t>(
      ".add.u32", 5, [](uint32_t a, uint32_t x) { return a + x; }, ".acq_rel.gpu.global");
  expect_atomic<uint32_t>(
      ".add.s32", 5, [](uint32_t a, uint32_t x) { return a + x; }, ".relaxed.gpu.global");
}

// Sums of 1 and 0.5 in two halves: exact in both formats.
GMR_SIM_TEST(atomic_narrow_add) {
  const auto check = [](const std::string& type, uint32_t values, uint32_t wanted) {
    Device device;
    uint32_t* const out = device.upload(std::vector<uint32_t>{0, 0});
    const std::string narrow = std::to_string(values & 0xffff);
    device.launch(
        kernel_text(".param .u64 out", "ld.param.u64 %rd2, [out];\nmov.u32 %r1, " + std::to_string(values) +
                                           ";\nmov.u16 %h1, " + narrow + ";\nred.global.add.noftz." + type +
                                           "x2 [%rd2], %r1;\natom.global.add.noftz." + type +
                                           "x2 %r2, [%rd2], 0;\natom.global.add.noftz." + type +
                                           " %h2, [%rd2+4], %h1;\nred.global.add.noftz." + type + " [%rd2+6], %h1;"),
        {1}, {8}, out);
    const std::vector<uint32_t> d = device.download(out, 2);
    expect(d[0] == wanted, type + "x2");
    expect(d[1] == ((wanted & 0xffff) | wanted << 16), type);
  };
  check("f16", 0x3c003800, 0x48004400);  // 8 times {0.5, 1}: {4, 8}
  check("bf16", 0x3f803f00, 0x41004080);
}

GMR_SIM_TEST(atomic_compare_and_swap) {
  // A lock of sorts: each thread adds its number by trying until nobody has come between.
  const auto check = [](const std::string& type, const std::string& reg, auto element) {
    using T = decltype(element);
    Device device;
    T* const out = device.upload(std::vector<T>{0, 0, 0, 0});
    const std::string convert = sizeof(T) == 2   ? "cvt.u16.u32 %h9, %tid;\n"
                                : sizeof(T) == 4 ? "mov.u32 %r9, %tid;\n"
                                                 : "cvt.u64.u32 %rd9, %tid;\n";
    const std::string add = sizeof(T) == 2 ? "u16" : sizeof(T) == 4 ? "u32" : "u64";
    device.launch(kernel_text(".param .u64 out",
                              "ld.param.u64 %rd20, [out];\n" + convert + "again:\nld.relaxed.gpu.global." + type + " " +
                                  reg + "1, [%rd20];\nadd." + add + " " + reg + "2, " + reg + "1, " + reg +
                                  "9;\natom.global.cas." + type + " " + reg + "3, [%rd20], " + reg + "1, " + reg +
                                  "2;\nsetp.ne." + add + " %p1, " + reg + "3, " + reg + "1;\n@%p1 bra again;"),
                  {2}, {48}, out);
    expect(device.download(out, 1)[0] == 2 * 47 * 48 / 2, "cas." + type);
  };
  check("b16", "%h", uint16_t{});
  check("b32", "%r", uint32_t{});
  check("b64", "%rd", uint64_t{});
}

GMR_SIM_TEST(move_pack_and_unpack) {
  using U = uint32_t;
  using W = uint64_t;
  expect_unary<U, U>("mov.b32 {%h1, %h2}, %a;\nmov.b32 %d, {%h2, %h1};", [](U a) { return a << 16 | a >> 16; });
  expect_unary<W, W>("mov.b64 {%r5, %r6}, %a;\nmov.b64 %d, {%r6, %r5};", [](W a) { return a << 32 | a >> 32; });
  expect_unary<W, W>("mov.b64 {%h1, %h2, %h3, %h4}, %a;\nmov.b64 %d, {%h2, %h3, %h4, %h1};",
                     [](W a) { return a >> 16 | a << 48; });
  expect_unary<U, U>("mov.b32 {_, %h2}, %a;\ncvt.u32.u16 %d, %h2;", [](U a) { return a >> 16; });
  for (const char* type : {"u32", "s32", "f32", "b32"})
    expect_unary<U, U>(std::string("mov.") + type + " %d, %a;", [](U a) { return a; });
  for (const char* type : {"u64", "s64", "f64", "b64"})
    expect_unary<W, W>(std::string("mov.") + type + " %d, %a;", [](W a) { return a; });
  for (const char* type : {"u16", "s16", "b16"})
    expect_unary<uint16_t, uint16_t>(std::string("mov.") + type + " %d, %a;", [](uint16_t a) { return a; });
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
