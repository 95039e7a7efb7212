#include "testing/cuda_sim/tests/harness.h"

#include <cstdio>
#include <optional>
#include <stdexcept>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/ptx_parser.h"
#include "testing/cuda_sim/translator.h"

namespace gmr::cuda_sim::tests {

std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void expect_contains(const std::string& text, const std::string& part) {
  expect(text.find(part) != std::string::npos, "expected \"" + part + "\" in: " + text);
}

std::set<std::string>& tested_opcodes() {
  static std::set<std::string> opcodes;
  return opcodes;
}

std::string text_of(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

Device::Device() : memory(uint64_t{1} << 30) {}

void Device::write(void* device, const void* host, size_t bytes) {
  if (bytes == 0) return;
  std::memcpy(memory.host_view(device, bytes), host, bytes);
  memory.mark_initialised(device, bytes);
}

void Device::read(void* host, const void* device, size_t bytes) {
  if (bytes != 0) std::memcpy(host, memory.host_view(device, bytes), bytes);
}

void Device::launch_with(const std::string& ptx, Dim3 grid, Dim3 block_size, void* const* arguments, size_t count) {
  const auto module = std::make_shared<const Module>(parse_ptx(ptx));
  std::string entry;
  for (const auto& [name, function] : module->functions) {
    if (function.is_entry) entry = name;
    for (const Statement& statement : function.body) tested_opcodes().insert(statement.opcode);
  }
  std::map<std::string, uint64_t> variables;
  const Program program = translate(module, entry, [&](const Variable& variable) {
    uint64_t& address = variables[variable.name];
    if (address != 0) return address;
    std::vector<uint8_t> bytes(variable.size);
    for (size_t i = 0; i < variable.initial.size(); ++i) {
      std::memcpy(&bytes[i * variable.element_size], &variable.initial[i].value, variable.element_size);
    }
    return address = reinterpret_cast<uint64_t>(upload(bytes));
  });
  expect(program.params.size() == count, "number of arguments");
  Block block(program, memory, grid, block_size, dynamic_shared, true);
  block.params.resize(program.param_bytes);
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(&block.params[program.params[i].offset], arguments[i], program.params[i].size);
  }
  std::optional<Counter> counter;
  if (counts != nullptr) block.counter = &counter.emplace(program, *counts);
  memory.start_launch(grid.count(), program.global_granule);
  for (const uint64_t number : schedule_order(grid.count(), schedule.seed)) {
    memory.start_block(number);
    block.start({static_cast<uint32_t>(number % grid.x), static_cast<uint32_t>(number / grid.x), 0});
    run_block(block, schedule, number);
  }
  executed += block.executed;
}

std::string kernel_text(const std::string& parameters, const std::string& body, const std::string& before) {
  return ".version 8.7\n.target sm_90\n.address_size 64\n" + before + "\n.visible .entry kernel(" + parameters +
         ")\n{\n.reg .b32 %r<32>;\n.reg .b64 %rd<32>;\n.reg .f32 %f<32>;\n.reg .b16 %h<32>;\n.reg .f64 %g<8>;\n"
         ".reg .pred %p<8>;\n.reg .u32 %tid;\nmov.u32 %tid, %tid.x;\n" +
         body + "\nret;\n}\n";
}

std::vector<std::byte> evaluate_columns(const std::string& body, size_t result_bytes,
                                        const std::vector<Column>& columns, size_t count) {
  static const char* const names[] = {"%a", "%b", "%c", "%e"};
  // Bytes are held in registers of 16 bits.
  const auto register_bits = [](size_t bytes) { return std::to_string(bytes == 1 ? 16 : bytes * 8); };
  std::string parameters = ".param .u64 result, .param .u32 count";
  std::string text = ".reg .b" + register_bits(result_bytes) + " %d;\n.reg .pred %q;\n";
  text +=
      "mad.lo.u32 %r0, %ctaid.x, %ntid.x, %tid;\nld.param.u32 %r1, [count];\nsetp.ge.u32 %p0, %r0, %r1;\n"
      "@%p0 bra done;\nand.b32 %r2, %r0, 1;\nsetp.ne.u32 %q, %r2, 0;\n";
  Device device;
  std::vector<void*> data;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string size = std::to_string(columns[i].element_bytes);
    const std::string parameter = "source" + std::to_string(i);
    parameters += ", .param .u64 " + parameter;
    text += ".reg .b" + register_bits(columns[i].element_bytes) + " " + names[i] + ";\n";
    text += "ld.param.u64 %rd0, [" + parameter + "];\nmad.wide.u32 %rd0, %r0, " + size + ", %rd0;\n";
    text += "ld.global.b" + std::to_string(columns[i].element_bytes * 8) + " " + names[i] + ", [%rd0];\n";
    data.push_back(device.allocate(std::max<size_t>(count * columns[i].element_bytes, 1)));
    device.write(data.back(), columns[i].data, count * columns[i].element_bytes);
  }
  text +=
      body + "\nld.param.u64 %rd0, [result];\nmad.wide.u32 %rd0, %r0, " + std::to_string(result_bytes) + ", %rd0;\n";
  text += "st.global.b" + std::to_string(result_bytes * 8) + " [%rd0], %d;\ndone:\n";
  void* const result = device.allocate(count * result_bytes);
  constexpr uint32_t threads = 96;
  const Dim3 grid{static_cast<uint32_t>((count + threads - 1) / threads)};
  const std::string ptx = kernel_text(parameters, text);
  const auto n = static_cast<uint32_t>(count);
  switch (data.size()) {
    case 1:
      device.launch(ptx, grid, {threads}, result, n, data[0]);
      break;
    case 2:
      device.launch(ptx, grid, {threads}, result, n, data[0], data[1]);
      break;
    case 3:
      device.launch(ptx, grid, {threads}, result, n, data[0], data[1], data[2]);
      break;
    default:
      device.launch(ptx, grid, {threads}, result, n, data[0], data[1], data[2], data[3]);
  }
  std::vector<std::byte> bytes(count * result_bytes);
  device.read(bytes.data(), result, bytes.size());
  return bytes;
}

std::string fault_of(void (*f)()) {
  try {
    f();
  } catch (const Fault& fault) {
    return fault.what();
  }
  throw std::runtime_error("expected a fault, there was none");
}

}  // namespace gmr::cuda_sim::tests
