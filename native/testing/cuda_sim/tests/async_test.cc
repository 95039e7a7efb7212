#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

// Thread t copies 16 bytes of the input with `copy`, and stores them after `wait`.
std::vector<uint32_t> copied(const std::string& copy, const std::string& wait, int bytes = 16) {
  std::vector<uint32_t> values(32 * 4);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint32_t>(i + 1);
  Device device;
  uint32_t* const in = device.upload(values);
  uint32_t* const out = device.upload(std::vector<uint32_t>(32 * 4));
  const std::string size = std::to_string(bytes);
  const std::string vector = bytes == 16 ? ".v4.u32" : bytes == 8 ? ".v2.u32" : ".u32";
  const std::string list = bytes == 16 ? "{%r5, %r6, %r7, %r8}" : bytes == 8 ? "{%r5, %r6}" : "%r5";
  device.launch(kernel_text(".param .u64 in, .param .u64 out",
                            ".shared .align 16 .b8 buffer[1024];\n.shared .align 8 .b64 barrier;\nld.param.u64 %rd1, "
                            "[in];\nld.param.u64 %rd2, [out];\nmad.wide.u32 %rd1, %tid, " +
                                size + ", %rd1;\nmad.wide.u32 %rd2, %tid, " + size +
                                ", %rd2;\nmov.u32 %r1, buffer;\nmad.lo.u32 %r2, %tid, " + size +
                                ", %r1;\nmov.u32 %r3, barrier;\n" + copy + "\n" + wait + "\nld.shared" + vector + " " +
                                list + ", [%r2];\nst.global" + vector + " [%rd2], " + list + ";"),
                {1}, {32}, in, out);
  return device.download(out, static_cast<size_t>(8 * bytes));
}

void expect_counting(const std::vector<uint32_t>& d, const std::string& what) {
  for (size_t i = 0; i < d.size(); ++i)
    expect(d[i] == i + 1, what + ": word " + std::to_string(i) + " is " + std::to_string(d[i]));
}

GMR_SIM_TEST(async_copy_lands) {
  for (const int bytes : {4, 8, 16}) {
    const std::string operands = " [%r2], [%rd1], " + std::to_string(bytes) + ";\n";
    const std::string commit = "cp.async.commit_group;\n";
    expect_counting(copied("cp.async.ca.shared.global" + operands + commit, "cp.async.wait_group 0;", bytes), "ca");
    expect_counting(copied("cp.async.ca.shared.global.L2::128B" + operands, "cp.async.wait_all;", bytes), "wait_all");
    // A later group may stay in flight.
    expect_counting(copied("cp.async.ca.shared.global" + operands + commit +
                               "cp.async.ca.shared.global [%r2+512], [%rd1], 4;\n" + commit,
                           "cp.async.wait_group 1;", bytes),
                    "wait_group 1");
  }
  expect_counting(copied("cp.async.cg.shared.global [%r2], [%rd1], 16;", "cp.async.wait_all;"), "cg");
}

GMR_SIM_TEST(async_copy_fills_with_zeros) {
  const std::vector<uint32_t> d = copied("cp.async.cg.shared.global [%r2], [%rd1], 16, 4;", "cp.async.wait_all;");
  for (size_t i = 0; i < d.size(); ++i) expect(d[i] == (i % 4 == 0 ? i + 1 : 0), "4 bytes, then zeros");
  const std::vector<uint32_t> none =
      copied("mov.u64 %rd1, 0;\ncp.async.ca.shared.global [%r2], [%rd1], 16, 0;", "cp.async.wait_all;");
  for (const uint32_t word : none) expect(word == 0, "nothing is read for a source of 0 bytes");
}

const std::string init = "setp.eq.u32 %p1, %tid, 0;\n@%p1 mbarrier.init.shared.b64 [%r3], ";
const std::string wait_phase = "again:\nmbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0;\n@!%p2 bra again;";

GMR_SIM_TEST(mbarrier_counts_threads) {
  // Thread 31 - t's word, written before its arrival.
  const std::string swap =
      "sub.u32 %r10, 31, %tid;\nmad.lo.u32 %r11, %r10, 16, %r1;\nld.global.v4.u32 {%r12, %r13, %r14, %r15}, "
      "[%rd1];\nst.shared.v4.u32 [%r2], {%r12, %r13, %r14, %r15};\n";
  const auto check = [&](const std::string& arrive, const std::string& wait) {
    const std::vector<uint32_t> d = copied(init + "32;\nbar.sync 0;\n" + swap + arrive, wait + "\nmov.u32 %r2, %r11;");
    for (size_t i = 0; i < d.size(); ++i)
      expect(d[i] == (31 - i / 4) * 4 + i % 4 + 1, "word of the other thread after " + arrive);
  };
  const std::string by_state = "again:\nmbarrier.test_wait.shared.b64 %p2, [%r3], %rd5;\n@!%p2 bra again;";
  check("mbarrier.arrive.shared.b64 %rd5, [%r3];", by_state);
  check("mbarrier.arrive.shared.b64 %rd5, [%r3];", wait_phase);
  check("mbarrier.arrive.release.cta.shared::cta.b64 _, [%r3], 1;",
        "again:\nmbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p2, [%r3], 0, 1000;\n@!%p2 bra again;");
  check("mbarrier.arrive_drop.shared.b64 _, [%r3];", wait_phase);
  check("mbarrier.arrive.shared.b64 %rd5, [%r3];",
        "again:\nmbarrier.try_wait.shared.b64 %p2, [%r3], %rd5;\n@!%p2 bra again;");
}

GMR_SIM_TEST(mbarrier_counts_copies) {
  expect_counting(copied(init + "32;\nbar.sync 0;\ncp.async.ca.shared.global [%r2], [%rd1], "
                                "16;\ncp.async.mbarrier.arrive.noinc.shared.b64 [%r3];",
                         wait_phase),
                  "noinc");
  expect_counting(copied(init + "32;\nbar.sync 0;\ncp.async.ca.shared.global [%r2], [%rd1], "
                                "16;\ncp.async.mbarrier.arrive.shared.b64 [%r3];\nmbarrier.arrive.shared.b64 _, [%r3];",
                         wait_phase),
                  "arrive");
}

GMR_SIM_TEST(bulk_copy_completes_bytes) {
  const std::string copy =
      "@%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 512, [%r3];";
  expect_counting(
      copied(init + "1;\nbar.sync 0;\n@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 512;\n" + copy, wait_phase),
      "expect_tx with an arrival");
  expect_counting(copied(init +
                             "1;\nfence.mbarrier_init.release.cluster;\nfence.proxy.async;\nbar.sync 0;\n@%p1 "
                             "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r3], 512;\n@%p1 "
                             "mbarrier.arrive.shared.b64 _, [%r3];\n" +
                             copy,
                         wait_phase + "\nbar.sync 0;\n@%p1 mbarrier.inval.shared.b64 [%r3];"),
                  "expect_tx alone");
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
