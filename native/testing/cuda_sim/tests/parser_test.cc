#include <dlfcn.h>

#include <sstream>

#include "testing/cuda_sim/cuda_sim.h"
#include "testing/cuda_sim/fat_binary.h"
#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/ptx_parser.h"
#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

void expect_unsupported(const std::string& body, const std::string& part) {
  try {
    Device device;
    device.launch(kernel_text("", body), {1}, {1});
  } catch (const Unsupported& problem) {
    expect_contains(problem.what(), part);
    return;
  }
  throw std::runtime_error("expected an error for: " + body);
}

// Never a neighbour of what was asked for.
GMR_SIM_TEST(unknown_instructions_are_errors) {
  expect_unsupported("frobnicate.b32 %r1, %r2;", "unknown instruction frobnicate.b32");
  expect_unsupported("mul.hi.u8 %r1, %r2, %r3;", "unknown instruction mul.hi.u8");
  expect_unsupported("add.rn.s32 %r1, %r2, %r3;", "unknown instruction add.rn.s32");
  expect_unsupported("cvt.f32.s32 %f1, %r3;", "unknown instruction cvt.f32.s32");
  expect_unsupported("ld.global.b32.ca %r1, [%rd1];", "unknown instruction");
  expect_unsupported(
      "mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, "
      "{%f1,%f2,%f3,%f4};",
      "unknown instruction");
}

GMR_SIM_TEST(wrong_operands_are_errors) {
  expect_unsupported("add.s32 %r1, %r2;", "operands do not fit");
  expect_unsupported("add.s32 %r1, %r2, %rd1;", "%rd1 is a register of 8 bytes");
  expect_unsupported("add.s32 %r1, %r2, %p1;", "%p1 is a predicate");
  expect_unsupported("add.f32 %f1, %f2, 0d3FF0000000000000;", "does not fit 4 bytes");
  expect_unsupported("mov.u32 %r1, %unknown;", "unknown name %unknown");
  expect_unsupported("bra nowhere;", "no label nowhere");
  expect_unsupported(".reg .quaternion %x;", "unknown register type");
  expect_unsupported("setp.eq.s32 %r1, %r2, %r3;", "%r1 is no predicate");
  expect_unsupported("mov.u32 %tid.x, %r1;", "cannot write %tid.x");
}

GMR_SIM_TEST(errors_name_the_place) { expect_unsupported("\n\nfrobnicate;", "PTX line 17"); }

GMR_SIM_TEST(recursion_is_an_error) {
  const std::string function = ".func again()\n{\ncall again;\nret;\n}\n";
  try {
    Device device;
    device.launch(kernel_text("", "call again;", function), {1}, {1});
  } catch (const Unsupported& problem) {
    expect_contains(problem.what(), "recursive calls of again");
    return;
  }
  throw std::runtime_error("expected an error");
}

GMR_SIM_TEST(scopes_hide_names) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(1));
  device.launch(kernel_text(".param .u64 out",
                            "ld.param.u64 %rd1, [out];\nmov.u32 %r1, 5;\n{\n.reg .b32 %r1;\n.reg .pred p;\nmov.u32 "
                            "%r1, 3;\nsetp.eq.u32 p, %r1, 3;\nloop:\n@p bra leave;\nbra loop;\nleave:\n}\n"
                            "{\n.reg .pred p;\nsetp.eq.u32 p, %r1, 5;\nloop: @p bra leave;\nbra "
                            "loop;\nleave:\n}\nst.global.u32 [%rd1], %r1; // a comment\n/* and\n another */"),
                {1}, {1}, out);
  expect(device.download(out, 1)[0] == 5, "the outer register keeps its value");
}

GMR_SIM_TEST(locations_of_inlined_code) {
  const Module module = parse_ptx(
      ".version 8.0\n.target sm_80\n.address_size 64\n.entry k()\n{\n.loc 1 7 3\nbar.sync 0;\n.loc 2 9 1, "
      "function_name $L__info_string0, inlined_at 1 8 5\nbar.sync 0;\nret;\n}\n"
      ".file 1 \"/some/where/kernel.cu\"\n.file 2 \"/some/helper.cuh\"\n");
  expect(module.locations.size() == 2 && module.locations[0] == "kernel.cu:7" &&
             module.locations[1] == "helper.cuh:9 (inlined at kernel.cu:8)",
         "locations");
}

// A fat binary by hand: one entry of machine code, then the PTX.
std::vector<std::byte> fat_binary(const std::vector<std::pair<uint16_t, std::string>>& entries) {
  std::vector<std::byte> bytes;
  const auto append = [&](auto value) {
    const auto* const from = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof value);
  };
  uint64_t content = 0;
  for (const auto& [kind, text] : entries) content += 16 + text.size();
  append(uint32_t{0xba55ed50});
  append(uint16_t{1});
  append(uint16_t{16});
  append(content);
  for (const auto& [kind, text] : entries) {
    append(kind);
    append(uint16_t{1});
    append(uint32_t{16});
    append(uint64_t{text.size()});
    for (const char c : text) append(c);
  }
  return bytes;
}

void expect_no_ptx(const std::vector<std::byte>& binary, const std::string& part) {
  try {
    read_fat_binary(binary.data());
  } catch (const Unsupported& problem) {
    expect_contains(problem.what(), part);
    return;
  }
  throw std::runtime_error("expected an error");
}

GMR_SIM_TEST(fat_binary_images) {
  const std::vector<std::byte> binary = fat_binary({{2, "machine code"},
                                                    {1, ".version 8.0\n.target sm_80\n"},
                                                    {1, ".version 8.0\n.target sm_90a\n"},
                                                    {1, ".version 8.0\n.target sm_100\n"}});
  const std::vector<PtxImage> images = read_fat_binary(binary.data());
  expect(images.size() == 3, "three images");
  const auto target = [&](int arch) {
    return choose_image(images, arch) == nullptr ? 0 : choose_image(images, arch)->target;
  };
  expect(target(75) == 0 && target(80) == 80 && target(89) == 80, "the newest that is not newer");
  expect(target(90) == 90 && target(100) == 100 && target(120) == 100, "an image for one device alone");
  expect_no_ptx(fat_binary({{2, "machine code"}}), "has no PTX: compile with -gencode");
  expect_no_ptx(fat_binary({{1, "\x28\xb5\x2f\xfd"}}), "compile with --no-compress");
  std::vector<std::byte> broken = binary;
  broken[0] = std::byte{0};
  expect_no_ptx(broken, "not a fat binary");
}

GMR_SIM_TEST(opcode_patterns) {
  expect(expand_braces("a{.x,}{.1,.2}") == std::vector<std::string>{"a.x.1", "a.x.2", "a.1", "a.2"}, "all choices");
  OpcodeTable table;
  table.add("add{.x,.y}", {});
  try {
    table.add("add.y", {});
  } catch (const std::logic_error& problem) {
    expect_contains(problem.what(), "listed twice: add.y");
    return;
  }
  throw std::runtime_error("expected an error for an opcode listed twice");
}

// Every instruction of the library's kernels, as it is spelt there, has been run in one of the tests above.
void every_spelling_is_tested();
const Registration spellings_registration("every_spelling_is_tested", every_spelling_is_tested, true);

void every_spelling_is_tested() {
  void* const library = dlopen(GMR_CUDA_SIM_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  expect(library != nullptr, library == nullptr ? dlerror() : "");
  std::istringstream opcodes(
      reinterpret_cast<decltype(&gmr_cuda_sim_opcodes)>(dlsym(library, "gmr_cuda_sim_opcodes"))());
  size_t count = 0;
  std::string untested;
  for (std::string name; std::getline(opcodes, name); ++count) {
    if (!tested_opcodes().contains(name)) untested += " " + name;
  }
  expect(count > 150, "there are " + std::to_string(count) + " spellings");
  expect(untested.empty(), "instructions of the kernels without a test:" + untested);
}

// Every function that executes an instruction has been run in one of the tests above.
void every_handler_is_tested();
const Registration last_registration("every_handler_is_tested", every_handler_is_tested, true);

void every_handler_is_tested() {
  std::set<Handler> tested;
  for (const std::string& name : tested_opcodes()) {
    if (const Opcode* const opcode = opcode_table().find(name)) tested.insert(opcode->handler);
  }
  std::map<Handler, std::string> untested;
  for (const auto& [name, opcode] : opcode_table().all()) {
    const bool by_translator = name.starts_with("call.") || name.starts_with("mov.clock.");
    if (!by_translator && !tested.contains(opcode.handler)) untested.emplace(opcode.handler, name);
  }
  std::string names;
  for (const auto& [handler, name] : untested) names += " " + name;
  expect(untested.empty(), std::to_string(untested.size()) + " instructions without a test:" + names);
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
