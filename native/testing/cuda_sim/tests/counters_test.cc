// Counts of small kernels, worked out by hand.
#include "testing/cuda_sim/counters.h"

#include <cuda_runtime_api.h>

#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/tests/faults.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

using Class = InstructionClass;

const std::string module_text =
    ".shared .align 16 .b8 tile[8192];\n.file 1 \"/src/window.cuh\"\n.file 2 \"/src/conv.cuh\"\n";

// What a kernel with this body costs; %rd1 points to 64 KiB of zeros.
LaunchCounts counts_of(const std::string& body, uint32_t threads = 32) {
  LaunchCounts counts;
  Device device;
  device.counts = &counts;
  float* const data = device.upload(std::vector<float>(16384));
  device.launch(kernel_text(".param .u64 data", "ld.param.u64 %rd1, [data];\n" + body, module_text), {1}, {threads},
                data);
  return counts;
}

void expect_count(const LaunchCounts& counts, Class kind, uint64_t wanted) {
  const uint64_t received = counts.instructions[static_cast<size_t>(kind)];
  expect(received == wanted, std::string(name_of(kind)) + ": expected " + std::to_string(wanted) + ", received " +
                                 std::to_string(received));
}

void expect_counts(const LaunchCounts& counts, const std::vector<std::pair<Class, uint64_t>>& wanted) {
  uint64_t all = 0, expected = 0;
  for (const uint64_t count : counts.instructions) all += count;
  for (const auto& [kind, count] : wanted) {
    expect_count(counts, kind, count);
    expected += count;
  }
  expect(all == expected, std::to_string(all) + " instructions in all, expected " + std::to_string(expected));
}

void expect_shared(const std::string& body, Direction direction, SharedTraffic wanted) {
  const SharedTraffic traffic = counts_of(body).shared[static_cast<size_t>(direction)];
  expect(traffic.bytes == wanted.bytes && traffic.wavefronts == wanted.wavefronts && traffic.least == wanted.least,
         body + ": " + std::to_string(traffic.bytes) + " bytes, " + std::to_string(traffic.wavefronts) +
             " wavefronts, least " + std::to_string(traffic.least));
}

void expect_global(const std::string& body, Direction direction, GlobalTraffic wanted) {
  const GlobalTraffic traffic = counts_of(body).global[static_cast<size_t>(direction)];
  expect(traffic.bytes == wanted.bytes && traffic.used_bytes == wanted.used_bytes && traffic.sectors == wanted.sectors,
         body + ": " + std::to_string(traffic.bytes) + " bytes, " + std::to_string(traffic.used_bytes) + " used, " +
             std::to_string(traffic.sectors) + " sectors");
}

// Each lane at `stride` bytes from the one before.
std::string shared_at(int stride) {
  return "mov.u32 %r1, tile;\nmad.lo.u32 %r2, %tid, " + std::to_string(stride) + ", %r1;\n";
}
std::string global_at(int stride, int offset = 0) {
  return "mad.wide.u32 %rd2, %tid, " + std::to_string(stride) + ", %rd1;\nadd.s64 %rd2, %rd2, " +
         std::to_string(offset) + ";\n";
}

GMR_SIM_TEST(counters_classes) {
  // Two warps; the harness adds a move, a parameter and the return.
  const LaunchCounts counts = counts_of(
      "fma.rn.f32 %f1, %f2, %f3, %f4;\nadd.f32 %f1, %f1, %f2;\nmul.f32 %f1, %f1, %f2;\nadd.s32 %r1, %r2, %r3;\n"
      "mul.wide.u32 %rd2, %r1, %r2;\nadd.s64 %rd3, %rd2, %rd2;\nmad.lo.u64 %rd3, %rd2, %rd2, %rd3;\n"
      "cvt.rn.f32.u32 %f1, %r1;\ncvt.u64.u32 %rd4, %r1;\nrcp.approx.f32 %f1, %f1;\nadd.f64 %g1, %g2, %g3;\n"
      "setp.lt.f32 %p1, %f1, %f2;\nsetp.lt.u32 %p2, %r1, %r2;\nbar.sync 0;\nshfl.sync.bfly.b32 %r1, %r2, 1, 31, -1;\n",
      64);
  expect_counts(counts, {{Class::fp32, 8},
                         {Class::fp64, 2},
                         {Class::integer, 6},
                         {Class::integer_wide, 4},
                         {Class::conversion, 2},
                         {Class::special, 2},
                         {Class::move, 6},
                         {Class::barrier, 2},
                         {Class::warp, 2},
                         {Class::control, 2}});
}

GMR_SIM_TEST(counters_divergence) {
  // Half a warp goes one way, half the other: each way is an instruction of the warp, and so is what a guard holds back.
  const LaunchCounts counts = counts_of(
      "setp.lt.u32 %p1, %tid, 16;\n@%p1 bra left;\nadd.f32 %f1, %f1, %f2;\nadd.f32 %f1, %f1, %f2;\nbra.uni both;\n"
      "left:\nmul.f32 %f1, %f1, %f2;\nboth:\n@!%p1 bar.warp.sync 0xffff0000;\nsetp.lt.u32 %p2, %tid, 99;\n"
      "@!%p2 fma.rn.f32 %f1, %f1, %f1, %f1;\n");
  expect_count(counts, Class::fp32, 4);
  expect_count(counts, Class::barrier, 1);
  // Both branches and the return.
  expect_count(counts, Class::control, 3);
}

GMR_SIM_TEST(counters_collective_once) {
  // Lanes that come to a shuffle apart from each other are one instruction once all are there.
  const LaunchCounts counts = counts_of(
      "setp.lt.u32 %p1, %tid, 16;\n@%p1 bra there;\nadd.f32 %f1, %f1, %f2;\nthere:\n"
      "shfl.sync.bfly.b32 %r1, %r2, 1, 31, -1;\n");
  expect_count(counts, Class::warp, 1);
}

GMR_SIM_TEST(counters_shared_wavefronts) {
  const std::string store = "st.shared.f32 [%r2], %f1;", store2 = "st.shared.v2.f32 [%r2], {%f1, %f2};",
                    store4 = "st.shared.v4.f32 [%r2], {%f1, %f2, %f3, %f4};";
  const Direction s = Direction::store;
  expect_shared(shared_at(4) + store, s, {128, 1, 1});
  expect_shared(shared_at(8) + store, s, {128, 2, 1});
  expect_shared(shared_at(12) + store, s, {128, 1, 1});
  expect_shared(shared_at(128) + store, s, {128, 32, 1});
  expect_shared(shared_at(8) + store2, s, {256, 2, 2});
  expect_shared(shared_at(16) + store2, s, {256, 4, 2});
  expect_shared(shared_at(16) + store4, s, {512, 4, 4});
  expect_shared(shared_at(32) + store4, s, {512, 8, 4});
  // A pitch of 68 floats: eight lanes meet 32 different banks. Of 64: all the same four.
  expect_shared(shared_at(272 - 32) + store4, s, {512, 4, 4});
  expect_shared(shared_at(128) + store4, s, {512, 32, 4});
  // Four lanes that write one word.
  expect_shared(shared_at(1) + "st.shared.u8 [%r2], %r3;", s, {32, 1, 1});
  const std::string full = shared_at(4) + "st.shared.f32 [%r2], %f1;\nbar.sync 0;\n";
  const Direction l = Direction::load;
  expect_shared(full + "ld.shared.f32 %f2, [%r2];", l, {128, 1, 1});
  expect_shared(full + "ld.shared.f32 %f2, [%r1];", l, {128, 1, 1});
  expect_shared(full + "setp.lt.u32 %p1, %tid, 5;\n@%p1 ld.shared.f32 %f2, [%r2];", l, {20, 1, 1});
  // A quarter of a warp is asleep.
  expect_shared(full + "setp.lt.u32 %p1, %tid, 8;\n@%p1 ld.shared.v4.f32 {%f1, %f2, %f3, %f4}, [%r1];", l, {128, 1, 1});
  expect_shared(shared_at(128) + "st.shared.u32 [%r2], %r3;\natom.shared.add.u32 %r4, [%r2], 1;", Direction::atomic,
                {128, 32, 1});
}

GMR_SIM_TEST(counters_matrix_rows) {
  // Eight rows of 16 bytes: side by side, at a pitch of 144 bytes, and at one of 128 where all meet four banks.
  const auto check = [](int pitch, uint64_t wavefronts) {
    const std::string store = "stmatrix.sync.aligned.m8n8.x2.shared.b16 [%r2], {%r4, %r5};";
    expect_shared(shared_at(pitch) + store, Direction::store, {256, wavefronts, 2});
  };
  check(16, 2);
  check(144, 2);
  check(128, 16);
}

GMR_SIM_TEST(counters_global_sectors) {
  const std::string load = "ld.global.f32 %f1, [%rd2];", load4 = "ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd2];";
  const Direction l = Direction::load;
  expect_global(global_at(4) + load, l, {128, 128, 4});
  expect_global(global_at(32) + load, l, {128, 128, 32});
  expect_global(global_at(8) + load, l, {128, 128, 8});
  expect_global(global_at(4, 4) + load, l, {128, 128, 5});
  expect_global(global_at(0) + load, l, {128, 4, 1});
  expect_global(global_at(16) + load4, l, {512, 512, 16});
  expect_global(global_at(4) + "setp.lt.u32 %p1, %tid, 9;\n@%p1 " + load, l, {36, 36, 2});
  expect_global(global_at(4) + "st.global.f32 [%rd2], %f1;", Direction::store, {128, 128, 4});
  expect_global(global_at(0) + "red.global.add.u32 [%rd2], 1;", Direction::atomic, {128, 4, 1});
}

GMR_SIM_TEST(counters_generic_addresses) {
  // Where an address leads decides, not how it is written.
  const LaunchCounts counts =
      counts_of(global_at(4) + shared_at(8) + "ld.f32 %f1, [%rd2];\ncvta.shared.u64 %rd3, tile;\n" +
                "mad.wide.u32 %rd3, %tid, 8, %rd3;\nst.f32 [%rd3], %f1;\n");
  expect_count(counts, Class::global_load, 1);
  expect_count(counts, Class::shared_store, 1);
  expect(counts.global[0].sectors == 4 && counts.shared[1].wavefronts == 2, "sectors and wavefronts");
}

GMR_SIM_TEST(counters_async_copies) {
  const LaunchCounts counts = counts_of(global_at(16) + shared_at(16) +
                                        "cp.async.cg.shared.global [%r2], [%rd2], 16;\ncp.async.wait_all;\n"
                                        "setp.lt.u32 %p1, %tid, 3;\nselp.b32 %r5, 4, 0, %p1;\n"
                                        "cp.async.ca.shared.global [%r2], [%rd2], 4, %r5;\ncp.async.wait_all;\n");
  expect_count(counts, Class::async_copy, 2);
  expect_count(counts, Class::barrier, 2);
  // 32 x 16 bytes, then the first words of three of them: sectors 0 and 1.
  const GlobalTraffic& read = counts.global[0];
  expect(read.bytes == 512 + 12 && read.sectors == 16 + 2, std::to_string(read.sectors) + " sectors");
  expect(counts.sectors_past_l1 == 16, std::to_string(counts.sectors_past_l1) + " sectors past L1");
  // Conflict-free, then 32 words at a stride of four.
  const SharedTraffic& written = counts.shared[1];
  expect(written.wavefronts == 4 + 4 && written.least == 4 + 1, std::to_string(written.wavefronts) + " wavefronts");
}

GMR_SIM_TEST(counters_lines) {
  const LaunchCounts counts =
      counts_of(".loc 1 31 5, function_name tile, inlined_at 2 7 3\n" + shared_at(8) + "st.shared.f32 [%r2], %f1;\n" +
                    ".loc 2 8 1\n" + global_at(32) + "ld.global.f32 %f1, [%rd2];\n",
                64);
  const LineCounts& stored = counts.lines.at("window.cuh:31 (inlined at conv.cuh:7)");
  expect(stored.instructions == 2 * 3 && stored.shared.wavefronts == 2 * 2 && stored.shared.least == 2 &&
             stored.global.sectors == 0,
         std::to_string(stored.instructions) + " instructions, " + std::to_string(stored.shared.wavefronts) +
             " wavefronts of the first line");
  const LineCounts& loaded = counts.lines.at("conv.cuh:8");
  expect(loaded.global.sectors == 64 && loaded.global.used_bytes == 256 && loaded.shared.bytes == 0,
         std::to_string(loaded.global.sectors) + " sectors of the second line");
  uint64_t all = 0, of_lines = 0;
  for (const uint64_t count : counts.instructions) all += count;
  for (const auto& [place, line] : counts.lines) of_lines += line.instructions;
  expect(all == of_lines, std::to_string(of_lines) + " of " + std::to_string(all) + " instructions have a line");
  expect_contains(
      counts.json(),
      "{\"place\":\"conv.cuh:8\",\"instructions\":8,\"global\":{\"bytes\":256,\"usedBytes\":256,\"sectors\":64},"
      "\"shared\":{\"bytes\":0,\"wavefronts\":0,\"least\":0}}");
}

GMR_SIM_TEST(counters_tensor_shapes) {
  const std::string tf32 =
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, "
      "{%f1, "
      "%f2, %f3, %f4};\n";
  const LaunchCounts counts = counts_of(
      tf32 + tf32 +
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, "
          "{%f1, %f2, %f3, %f4};\n",
      64);
  expect_count(counts, Class::tensor, 6);
  expect(counts.tensor.at("m16n8k8 tf32") == 4 && counts.tensor.at("m16n8k16 bf16") == 2, "by shape");
  expect_contains(counts.json(), "\"tensor\":{\"m16n8k16 bf16\":2,\"m16n8k8 tf32\":4}");
}

GMR_SIM_TEST(counters_know_every_opcode) {
  for (const auto& [name, opcode] : opcode_table().all()) {
    class_of(name);  // throws
    if (name.starts_with("mma.")) tensor_shape(name);
  }
  expect(class_of("ld.const.f32") == Class::move && class_of("ld.param.v4.f32") == Class::move, "constants");
}

GMR_SIM_TEST(counters_of_the_runtime) {
  gmr_cuda_sim_reset();
  gmr_cuda_sim_set_quiet(1);
  void* data = nullptr;
  cudaMalloc(&data, fault_floats * sizeof(float));
  cudaMemset(data, 0, fault_floats * sizeof(float));
  const auto launch = [&] { launch_grid(static_cast<float*>(data), fault_floats); };
  gmr_cuda_sim_set_counting(1);
  launch();
  launch();
  const std::string all = gmr_cuda_sim_counters();
  expect_contains(all, "\"grid\":[8,1,1],\"block\":[32,1,1],\"dynamicShared\":0,\"launches\":2,\"blocks\":16,");
  expect_contains(all, "\"globalStores\":{\"bytes\":2048,\"usedBytes\":2048,\"sectors\":64}");
  gmr_cuda_sim_set_counting(1);
  gmr_cuda_sim_sample_blocks(3);
  launch();
  gmr_cuda_sim_sample_blocks(0);
  gmr_cuda_sim_set_counting(0);
  launch();
  const std::string sampled = gmr_cuda_sim_counters();
  expect_contains(sampled, "\"launches\":1,\"blocks\":3,");
  expect_contains(sampled, "\"globalStores\":{\"bytes\":384,\"usedBytes\":384,\"sectors\":12}");
  cudaFree(data);
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
