#include <bit>
#include <initializer_list>
#include <utility>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

// One warp; lane l has %a = input[l] and gives %d.
std::vector<uint32_t> across(const std::string& body, const std::vector<uint32_t>& a, uint32_t threads = 32) {
  Device device;
  uint32_t* const in = device.upload(a);
  uint32_t* const out = device.upload(std::vector<uint32_t>(threads));
  device.launch(kernel_text(".param .u64 in, .param .u64 out",
                            ".reg .b32 %a;\n.reg .b32 %d;\nld.param.u64 %rd1, [in];\nld.param.u64 %rd2, "
                            "[out];\nmad.wide.u32 %rd1, %tid, 4, %rd1;\n"
                            "mad.wide.u32 %rd2, %tid, 4, %rd2;\nld.global.u32 %a, [%rd1];\n" +
                                body + "\nst.global.u32 [%rd2], %d;"),
                {1}, {threads}, in, out);
  return device.download(out, threads);
}

template <class F>
void expect_across(const std::string& body, F f) {
  std::vector<uint32_t> a;
  for (uint32_t i = 0; i < 32; ++i) a.push_back(i * 2654435761u);
  a[5] = a[9];
  const std::vector<uint32_t> d = across(body, a);
  for (int lane = 0; lane < 32; ++lane) {
    const uint32_t wanted = f(lane, a);
    expect(d[size_t(lane)] == wanted, body + " in lane " + std::to_string(lane) + ": expected " +
                                          std::to_string(wanted) + ", received " + std::to_string(d[size_t(lane)]));
  }
}

using Values = const std::vector<uint32_t>&;

GMR_SIM_TEST(warp_shuffle) {
  for (const int by : {0, 1, 5, 16, 31}) {
    for (const int width : {32, 8, 4}) {
      const int segment = 32 - width;
      const auto text = [&](const std::string& mode, int clamp) {
        return "shfl.sync." + mode + ".b32 %d|%p1, %a, " + std::to_string(by) + ", " +
               std::to_string(segment << 8 | clamp) + ", -1;\n@!%p1 add.u32 %d, %d, 1;";
      };
      const auto check = [&](const std::string& mode, int clamp, auto from) {
        expect_across(text(mode, clamp), [&](int lane, Values a) {
          const int source = from(lane);
          const bool inside = mode == "up" || mode == "idx"
                                  ? source / width == lane / width && source >= 0
                                  : source / width <= lane / width && source / width == lane / width;
          return inside ? a[size_t(source)] : a[size_t(lane)] + 1;
        });
      };
      check("up", 0, [&](int lane) { return lane % width >= by ? lane - by : -1; });
      check("down", 31, [&](int lane) { return lane % width + by < width ? lane + by : 999; });
      if (by < width) check("bfly", 31, [&](int lane) { return lane ^ by; });
      check("idx", 31, [&](int lane) { return lane / width * width + by % width; });
    }
  }
  expect_across("shfl.sync.bfly.b32 %d, %a, 1, 31, -1;", [](int lane, Values a) { return a[size_t(lane ^ 1)]; });
  expect_across("shfl.sync.up.b32 %d, %a, 1, 0, -1;",
                [](int lane, Values a) { return a[size_t(lane ? lane - 1 : 0)]; });
  expect_across("shfl.sync.down.b32 %d, %a, 1, 31, -1;",
                [](int lane, Values a) { return a[size_t(lane < 31 ? lane + 1 : 31)]; });
  expect_across("shfl.sync.idx.b32 %d, %a, 7, 31, -1;", [](int, Values a) { return a[7]; });
}

// Each half of the warp with its own mask, at the same instruction.
GMR_SIM_TEST(warp_shuffle_of_subsets) {
  expect_across(
      "setp.lt.u32 %p1, %tid, 16;\nselp.b32 %r1, 65535, -65536, %p1;\nselp.b32 %r2, 3, 20, %p1;\nshfl.sync.idx.b32 %d, "
      "%a, %r2, 31, %r1;\n",
      [](int lane, Values a) { return lane < 16 ? a[3] : a[20]; });
}

GMR_SIM_TEST(warp_vote) {
  const std::string flag = "setp.gt.u32 %p1, %tid, 4;\n";
  expect_across(flag + "vote.sync.ballot.b32 %d, %p1, -1;", [](int, Values) { return 0xffffffe0u; });
  expect_across(flag + "vote.sync.ballot.b32 %d, !%p1, -1;", [](int, Values) { return 0x1fu; });
  const std::string select = "\nselp.u32 %d, 1, 0, %p2;";
  expect_across(flag + "vote.sync.all.pred %p2, %p1, -1;" + select, [](int, Values) { return 0u; });
  expect_across(flag + "vote.sync.any.pred %p2, %p1, -1;" + select, [](int, Values) { return 1u; });
  expect_across(flag + "vote.sync.uni.pred %p2, %p1, -1;" + select, [](int, Values) { return 0u; });
  expect_across("setp.lt.u32 %p1, %tid, 99;\nvote.sync.uni.pred %p2, %p1, -1;" + select,
                [](int, Values) { return 1u; });
  expect_across("setp.lt.u32 %p1, %tid, 99;\nvote.sync.all.pred %p2, %p1, -1;" + select,
                [](int, Values) { return 1u; });
  expect_across("setp.ge.u32 %p1, %tid, 30;\nmov.u32 %d, 7;\n@!%p1 bra on;\nactivemask.b32 %d;\non:",
                [](int lane, Values) { return lane >= 30 ? 0xc0000000u : 7u; });
}

GMR_SIM_TEST(warp_match) {
  const auto equal = [](int lane, Values a) {
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 32; ++i) mask |= uint32_t{a[i] == a[size_t(lane)]} << i;
    return mask;
  };
  expect_across("match.any.sync.b32 %d, %a, -1;", equal);
  expect_across("cvt.u64.u32 %rd5, %a;\nshl.b64 %rd5, %rd5, 8;\nmatch.any.sync.b64 %d, %rd5, -1;", equal);
  expect_across("match.all.sync.b32 %d|%p1, %a, -1;\n@%p1 add.u32 %d, %d, 1;", [](int, Values) { return 0u; });
  expect_across("mov.u32 %r1, 3;\nmatch.all.sync.b32 %d|%p1, %r1, -1;\n@%p1 add.u32 %d, %d, 1;",
                [](int, Values) { return 0u; });
  expect_across("mov.u64 %rd5, 3;\nmatch.all.sync.b64 %d, %rd5, -1;", [](int, Values) { return ~0u; });
}

GMR_SIM_TEST(warp_reduce) {
  const auto check = [](const std::string& operation, auto join) {
    expect_across("redux.sync." + operation + " %d, %a, -1;", [&](int, Values a) {
      auto value = decltype(join(0, 0))(a[0]);
      for (size_t i = 1; i < 32; ++i) value = join(value, decltype(value)(a[i]));
      return uint32_t(value);
    });
  };
  check("add.u32", [](uint32_t a, uint32_t b) { return a + b; });
  check("add.s32", [](uint32_t a, uint32_t b) { return a + b; });
  check("min.u32", [](uint32_t a, uint32_t b) { return std::min(a, b); });
  check("max.u32", [](uint32_t a, uint32_t b) { return std::max(a, b); });
  check("min.s32", [](int32_t a, int32_t b) { return std::min(a, b); });
  check("max.s32", [](int32_t a, int32_t b) { return std::max(a, b); });
  check("and.b32", [](uint32_t a, uint32_t b) { return a & b; });
  check("or.b32", [](uint32_t a, uint32_t b) { return a | b; });
  check("xor.b32", [](uint32_t a, uint32_t b) { return a ^ b; });
  expect_across("elect.sync %d|%p1, -1;\n@%p1 add.u32 %d, %d, 50;",
                [](int lane, Values) { return lane == 0 ? 50u : 0u; });
}

GMR_SIM_TEST(control_loops_and_divergence) {
  // Collatz: each lane leaves the loop when it is done.
  const std::string body =
      "add.u32 %r1, %tid, 1;\nmov.u32 %d, 0;\nloop:\nsetp.eq.u32 %p1, %r1, 1;\n@%p1 bra.uni done;\nand.b32 %r2, %r1, "
      "1;\nsetp.eq.u32 %p2, %r2, 0;\n@%p2 bra even;\n"
      "mad.lo.u32 %r1, %r1, 3, 1;\nbra next;\neven:\nshr.u32 %r1, %r1, 1;\nnext:\nadd.u32 %d, %d, 1;\nbra loop;\ndone:";
  expect_across(body, [](int lane, Values) {
    uint32_t steps = 0;
    for (uint32_t n = uint32_t(lane) + 1; n != 1; n = n % 2 ? 3 * n + 1 : n / 2) ++steps;
    return steps;
  });
}

GMR_SIM_TEST(control_indexed_branch) {
  expect_across(
      "and.b32 %r1, %tid, 3;\ntargets: .branchtargets one, two, three, three;\nbrx.idx %r1, targets;\none:\nmov.u32 "
      "%d, 11;\nbra end;\ntwo:\nmov.u32 %d, 22;\nbra end;\nthree:\nmov.u32 %d, 33;\nend:",
      [](int lane, Values) { return lane % 4 == 0   ? 11u
                                    : lane % 4 == 1 ? 22u
                                                    : 33u; });
}

// Lanes of a warp that wait for each other: the one that spins must let the others go on.
GMR_SIM_TEST(control_lanes_wait_for_each_other) {
  expect_across(
      ".shared .align 4 .u32 flag;\nsetp.eq.u32 %p1, %tid, 0;\nmov.u32 %r1, 0;\n@%p1 st.volatile.shared.u32 [flag], "
      "%r1;\nbar.warp.sync -1;\n"
      "mov.u32 %d, 1;\n@!%p1 bra release;\nspin:\nnanosleep.u32 20;\nld.volatile.shared.u32 %r2, [flag];\nsetp.eq.u32 "
      "%p2, %r2, 0;\n@%p2 "
      "bra spin;\nmov.u32 %d, %r2;\nbra end;\n"
      "release:\nsetp.eq.u32 %p3, %tid, 31;\nmov.u32 %r3, 77;\n@%p3 st.volatile.shared.u32 [flag], %r3;\nend:",
      [](int lane, Values) { return lane == 0 ? 77u : 1u; });
}

GMR_SIM_TEST(control_calls) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(40));
  const std::string functions =
      ".func (.param .b32 result) twice(.param .b32 x)\n{\n.reg .b32 %r<4>;\n.reg .pred %p<2>;\nld.param.u32 %r1, "
      "[x];\nsetp.gt.u32 %p1, %r1, 20;\n@%p1 bra large;\nadd.u32 %r2, %r1, %r1;\n"
      "st.param.u32 [result], %r2;\nret;\nlarge:\nmov.u32 %r3, 1000;\nst.param.u32 [result], %r3;\nret;\n}\n"
      ".func (.param .b32 result) outer(.param .b32 x)\n{\n.reg .b32 %r<4>;\nld.param.u32 %r1, [x];\n{\n.param .b32 "
      "a;\nst.param.b32 [a], %r1;\n.param .b32 b;\ncall.uni (b), twice, (a);\nld.param.b32 %r2, [b];\n}\nadd.u32 %r3, "
      "%r2, 1;\nst.param.u32 [result+0], %r3;\nret;\n}\n";
  device.launch(
      kernel_text(".param .u64 out",
                  "ld.param.u64 %rd2, [out];\nmad.wide.u32 %rd2, %tid, 4, %rd2;\nmov.u32 %r5, 5;\nsetp.ne.u32 %p1, "
                  "%tid, 3;\n{\n.param .b32 a;\nst.param.b32 [a], %tid;\n.param .b32 b;\n.reg .b32 %r5;\n"
                  "mov.u32 %r5, 1;\nst.param.b32 [b], %r5;\n@%p1 call (b), outer, (a);\nld.param.b32 %r6, "
                  "[b];\n}\nadd.u32 %r6, %r6, %r5;\nst.global.u32 [%rd2], %r6;",
                  functions),
      {1}, {40}, out);
  const std::vector<uint32_t> d = device.download(out, 40);
  for (uint32_t i = 0; i < 40; ++i)
    expect(d[i] == (i == 3 ? 6 : (i > 20 ? 1001 : 2 * i + 1) + 5), "result of thread " + std::to_string(i));
}

GMR_SIM_TEST(control_special_registers) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(2 * 96));
  device.launch(
      kernel_text(
          ".param .u64 out",
          "ld.param.u64 %rd2, [out];\nmov.u32 %r1, %tid.y;\nmov.u32 %r2, %ntid.x;\nmad.lo.u32 %r3, %r1, %r2, "
          "%tid;\nmov.u32 %r4, %ctaid.x;\nmad.lo.u32 %r5, %r4, 96, %r3;\nmad.wide.u32 %rd2, %r5, 4, %rd2;\n"
          "mov.u32 %r6, %laneid;\nmov.u32 %r7, %warpid;\nmad.lo.u32 %r6, %r7, 32, %r6;\nsub.u32 %r6, %r6, "
          "%r3;\nmov.u32 %r8, %lanemask_lt;\npopc.b32 %r8, %r8;\nmov.u32 %r9, %laneid;\nsub.u32 %r8, %r8, %r9;\n"
          "or.b32 %r6, %r6, %r8;\nmov.u32 %r10, %nctaid.x;\nadd.u32 %r6, %r6, %r10;\nmov.u64 %rd3, %clock64;\nmov.u64 "
          "%rd4, %globaltimer;\nsetp.lt.u64 %p1, %rd3, %rd4;\nmov.u32 %r11, %clock;\n@!%p1 trap;\nst.global.u32 "
          "[%rd2], %r6;"),
      {2}, {24, 4}, out);
  for (const uint32_t d : device.download(out, 2 * 96)) expect(d == 2, "%laneid + 32 %warpid is the thread's number");
}

GMR_SIM_TEST(barrier_reductions) {
  const auto check = [](const std::string& body, auto wanted) {
    Device device;
    uint32_t* const out = device.upload(std::vector<uint32_t>(80));
    device.launch(
        kernel_text(".param .u64 out",
                    "ld.param.u64 %rd2, [out];\nmad.wide.u32 %rd2, %tid, 4, %rd2;\nsetp.lt.u32 %p1, %tid, 50;\n" +
                        body + "\nst.global.u32 [%rd2], %r1;"),
        {1}, {80}, out);
    for (const uint32_t d : device.download(out, 80)) expect(d == wanted, body);
  };
  for (const auto& [prefix, aligned] : std::initializer_list<std::pair<std::string, std::string>>{
           {"bar.red", ""}, {"barrier.cta.red", ".aligned"}, {"barrier.red", ".aligned"}, {"barrier.cta.red", ""}}) {
    check(prefix + ".popc" + aligned + ".u32 %r1, 0, %p1;", 50u);
    check(prefix + ".popc" + aligned + ".u32 %r1, 0, !%p1;", 30u);
    check(prefix + ".and" + aligned + ".pred %p2, 0, %p1;\nselp.u32 %r1, 1, 0, %p2;", 0u);
    check(prefix + ".or" + aligned + ".pred %p2, 0, %p1;\nselp.u32 %r1, 1, 0, %p2;", 1u);
  }
}

// Warp 0 fills, warp 1 empties, with two barriers of 64 threads between them; under several schedules.
GMR_SIM_TEST(barrier_producer_consumer) {
  for (const uint64_t seed : {0, 1, 2, 3}) {
    Device device;
    device.schedule.seed = seed;
    uint32_t* const out = device.upload(std::vector<uint32_t>(32));
    device.launch(
        kernel_text(
            ".param .u64 out",
            ".shared .align 4 .b32 buffer[32];\nld.param.u64 %rd2, [out];\nand.b32 %r1, %tid, 31;\nmad.wide.u32 %rd2, "
            "%r1, 4, %rd2;\nshl.b32 %r2, %r1, 2;\nmov.u32 %r3, buffer;\nadd.u32 %r2, %r2, %r3;\n"
            "mov.u32 %r4, 0;\nmov.u32 %r5, 0;\nsetp.ge.u32 %p1, %tid, 32;\n@%p1 bra consume;\nproduce:\nsetp.eq.u32 "
            "%p2, %r4, 0;\n@%p2 bra first;\nbar.sync 2, 64;\nfirst:\nst.shared.u32 [%r2], %r4;\nbar.arrive 1, 64;\n"
            "add.u32 %r4, %r4, 1;\nsetp.lt.u32 %p3, %r4, 5;\n@%p3 bra produce;\nbra end;\n"
            "consume:\nbarrier.sync 1, 64;\nld.shared.u32 %r6, [%r2];\nadd.u32 %r5, %r5, %r6;\nadd.u32 %r4, %r4, "
            "1;\nsetp.lt.u32 %p3, %r4, 5;\n@%p3 bar.arrive 2, 64;\n@%p3 bra consume;\nst.global.u32 [%rd2], "
            "%r5;\nend:"),
        {1}, {64}, out);
    for (const uint32_t d : device.download(out, 32)) expect(d == 10, "0 + 1 + 2 + 3 + 4");
  }
}

// A compiler may put the body of a branch behind the barrier at which its lanes meet the others.
GMR_SIM_TEST(lanes_meet_before_the_code_of_some) {
  for (const char* const meet : {"bar.sync 0;", "bar.warp.sync 0xffffffff;", "barrier.sync 0;"}) {
    Device device;
    auto* const out = static_cast<uint32_t*>(device.allocate(64 * sizeof(uint32_t)));
    device.launch(kernel_text(".param .u64 out",
                              "ld.param.u64 %rd1, [out];\nmul.wide.u32 %rd2, %tid, 4;\nadd.u64 %rd1, %rd1, %rd2;\n"
                              "mov.u32 %r1, 5;\nand.b32 %r2, %tid, 3;\nsetp.eq.u32 %p1, %r2, 1;\n@%p1 bra first;\n"
                              "setp.eq.u32 %p2, %r2, 2;\n@%p2 bra second;\nback:\n" +
                                  std::string(meet) +
                                  "\nst.global.u32 [%rd1], %r1;\nbra end;\nfirst:\nmov.u32 %r1, 6;\nbra back;\n"
                                  "second:\nmov.u32 %r1, 7;\nbra back;\nend:"),
                  {1}, {64}, out);
    const std::vector<uint32_t> values = device.download(out, 64);
    for (size_t i = 0; i < values.size(); ++i) expect(values[i] == (i % 4 == 1 ? 6 : i % 4 == 2 ? 7 : 5), meet);
  }
}

// The last block sums up what all wrote: ordered by a fence and a counter, so it is no race.
GMR_SIM_TEST(fence_orders_blocks) {
  for (const uint64_t seed : {0, 7}) {
    Device device;
    device.schedule.seed = seed;
    uint32_t* const data = device.upload(std::vector<uint32_t>(8));
    uint32_t* const counter = device.upload(std::vector<uint32_t>{0, 0});
    device.launch(
        kernel_text(".param .u64 data, .param .u64 counter",
                    "ld.param.u64 %rd1, [data];\nld.param.u64 %rd2, [counter];\nmov.u32 %r1, %ctaid.x;\nmad.wide.u32 "
                    "%rd3, %r1, 4, %rd1;\nst.global.u32 [%rd3], "
                    "%r1;\nmembar.gl;\nfence.acq_rel.gpu;\natom.global.add.u32 %r2, [%rd2], 1;\n"
                    "setp.ne.u32 %p1, %r2, 7;\n@%p1 bra end;\nmov.u32 %r3, 0;\nmov.u32 %r4, 0;\nsum:\nld.global.u32 "
                    "%r5, [%rd1];\nadd.u32 %r3, %r3, %r5;\nadd.u64 %rd1, %rd1, 4;\nadd.u32 %r4, %r4, 1;\nsetp.lt.u32 "
                    "%p2, %r4, 8;\n@%p2 bra sum;\nst.global.u32 [%rd2+4], %r3;\nend:"),
        {8}, {1}, data, counter);
    expect(device.download(counter, 2)[1] == 28, "sum of all blocks");
  }
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
