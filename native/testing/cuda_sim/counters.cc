#include "testing/cuda_sim/counters.h"

#include <algorithm>
#include <bit>

#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/signature.h"

namespace gmr::cuda_sim {

namespace {

constexpr uint32_t sector_bytes = 32;
constexpr uint32_t bank_bytes = 4;
constexpr uint32_t banks = 32;
constexpr uint32_t wavefront_bytes = banks * bank_bytes;
constexpr uint32_t matrix_row_bytes = 16;
constexpr uint32_t largest_lane_copy = 16;

// "st.shared.f32" of "@%p1 st.shared.f32 [%r3], %f1".
std::string opcode_of(const std::string& text) {
  const size_t start = text.starts_with('@') ? text.find(' ') + 1 : 0;
  return text.substr(start, text.find(' ', start) - start);
}

Direction direction_of(InstructionClass kind) {
  switch (kind) {
    case InstructionClass::global_store:
    case InstructionClass::shared_store:
      return Direction::store;
    case InstructionClass::global_atomic:
    case InstructionClass::shared_atomic:
      return Direction::atomic;
    default:
      return Direction::load;
  }
}

InstructionClass class_in_shared(Direction direction) {
  return direction == Direction::load    ? InstructionClass::shared_load
         : direction == Direction::store ? InstructionClass::shared_store
                                         : InstructionClass::shared_atomic;
}

bool is_access(InstructionClass kind) {
  return kind >= InstructionClass::global_load && kind <= InstructionClass::shared_atomic;
}

// The entry of Instruction::reg with the first address.
uint8_t address_operand(const Signature& signature) {
  size_t at = 0;
  for (const OperandSpec& spec : signature) {
    if (spec.kind == OperandSpec::Kind::address) return static_cast<uint8_t>(at);
    at += std::max<size_t>(spec.count, 1);
  }
  throw Unsupported("cuda_sim: an access without an address");
}

bool in_window(uint64_t address, uint64_t window) { return (address & window_mask) == window; }

}  // namespace

GlobalTraffic& GlobalTraffic::operator+=(const GlobalTraffic& more) {
  bytes += more.bytes;
  used_bytes += more.used_bytes;
  sectors += more.sectors;
  return *this;
}

SharedTraffic& SharedTraffic::operator+=(const SharedTraffic& more) {
  bytes += more.bytes;
  wavefronts += more.wavefronts;
  least += more.least;
  return *this;
}

GlobalTraffic global_traffic(std::span<const LaneAccess> accesses) {
  GlobalTraffic traffic;
  std::vector<std::pair<uint64_t, uint32_t>> sectors;  // number, mask of its bytes
  for (const auto& [address, bytes] : accesses) {
    traffic.bytes += bytes;
    for (uint64_t at = address; at < address + bytes;) {
      const uint64_t sector = at / sector_bytes;
      const uint64_t end = std::min(address + bytes, (sector + 1) * sector_bytes);
      const uint64_t mask = ((uint64_t{1} << (end - at)) - 1) << at % sector_bytes;
      sectors.emplace_back(sector, static_cast<uint32_t>(mask));
      at = end;
    }
  }
  std::ranges::sort(sectors);
  for (size_t i = 0; i < sectors.size();) {
    uint32_t mask = 0;
    const uint64_t sector = sectors[i].first;
    for (; i < sectors.size() && sectors[i].first == sector; ++i) mask |= sectors[i].second;
    ++traffic.sectors;
    traffic.used_bytes += static_cast<uint64_t>(std::popcount(mask));
  }
  return traffic;
}

SharedTraffic shared_traffic(const std::array<uint32_t, 32>& offsets, uint32_t lanes, uint32_t bytes) {
  SharedTraffic traffic;
  traffic.bytes = uint64_t{bytes} * static_cast<uint32_t>(std::popcount(lanes));
  const uint32_t lanes_at_once = warp_size * bank_bytes / std::max(bytes, bank_bytes);
  for (uint32_t first = 0; first < warp_size; first += lanes_at_once) {
    const uint32_t all = lanes_at_once == warp_size ? full_mask : (1u << lanes_at_once) - 1;
    std::array<uint32_t, warp_size> words;
    size_t count = 0;
    for_lanes(lanes & all << first, [&](int lane) {
      const uint32_t offset = offsets[static_cast<size_t>(lane)];
      for (uint32_t word = offset / bank_bytes; word * bank_bytes < offset + bytes; ++word) words.at(count++) = word;
    });
    if (count == 0) continue;
    std::sort(words.begin(), words.begin() + count);
    const auto end = std::unique(words.begin(), words.begin() + count);
    std::array<uint32_t, banks> in_bank{};
    std::for_each(words.begin(), end, [&](uint32_t word) { ++in_bank[word % banks]; });
    traffic.wavefronts += std::ranges::max(in_bank);
    ++traffic.least;
  }
  return traffic;
}

Counter::Counter(const Program& program, LaunchCounts& counts) : counts_(counts) {
  for (const Instruction& instruction : program.code) plans_.push_back(plan(program, instruction));
}

Counter::Plan Counter::plan(const Program& program, const Instruction& instruction) {
  Plan plan;
  plan.line = &counts_.lines[program.place_of(instruction.statement)];
  // The translator makes branches and an exit of its own.
  if (instruction.flow == Flow::branch || instruction.flow == Flow::exit) return plan;
  const std::string name = opcode_of(program.sources[instruction.statement].text);
  plan.kind = class_of(name);
  plan.is_past_l1 = name.starts_with("cp.async.cg") || name.starts_with("cp.async.bulk");
  if (plan.kind == InstructionClass::tensor) plan.shape = &counts_.tensor[tensor_shape(name)];
  if (!is_access(plan.kind)) return plan;
  const Opcode& opcode = *opcode_table().find(name);
  plan.direction = direction_of(plan.kind);
  plan.is_matrix = name.find("matrix") != std::string::npos;
  plan.address = address_operand(read_signatures(opcode.signature)[instruction.form]);
  const uint32_t element = std::max(opcode.shared_bytes, opcode.global_bytes);
  const bool is_vector = plan.direction != Direction::atomic;
  const uint32_t count = is_vector ? instruction.operand_count - 1u : 1;
  plan.bytes = static_cast<uint8_t>(plan.is_matrix ? matrix_row_bytes : element * count);
  return plan;
}

void Counter::count(Warp& warp, const Instruction& instruction, uint32_t index, uint32_t lanes) {
  const Plan& plan = plans_[index];
  ++plan.line->instructions;
  if (plan.shape != nullptr) ++*plan.shape;
  if (plan.bytes != 0 && lanes != 0) {
    count_access(warp, instruction, plan, lanes);
    return;
  }
  ++counts_.instructions[static_cast<size_t>(plan.kind)];
  if (plan.kind == InstructionClass::async_copy && lanes != 0) count_copy(warp, instruction, index, lanes);
}

void Counter::count_access(Warp& warp, const Instruction& instruction, const Plan& plan, uint32_t lanes) {
  // A matrix's rows come from eight lanes each.
  if (plan.is_matrix) lanes &= static_cast<uint32_t>((uint64_t{1} << 8 * (instruction.operand_count - 1u)) - 1);
  const bool says_shared = plan.kind >= InstructionClass::shared_load;
  std::array<LaneAccess, warp_size> global;
  size_t global_lanes = 0;
  std::array<uint32_t, warp_size> offsets{};
  uint32_t shared_lanes = 0;
  for_lanes(lanes, [&](int lane) {
    const uint64_t address = address_of(warp, instruction, plan.address, 0, lane);
    if (says_shared || in_window(address, shared_window)) {
      offsets[static_cast<size_t>(lane)] = static_cast<uint32_t>(address & ~window_mask);
      shared_lanes |= 1u << lane;
    } else if ((address & window_mask) == 0) {
      global[global_lanes++] = {address, plan.bytes};
    }
  });
  const InstructionClass kind = global_lanes != 0   ? plan.kind
                                : shared_lanes != 0 ? class_in_shared(plan.direction)
                                                    : InstructionClass::local;
  ++counts_.instructions[static_cast<size_t>(kind)];
  if (global_lanes != 0) add(plan, plan.direction, global_traffic(std::span(global).first(global_lanes)));
  if (shared_lanes != 0) add(plan, plan.direction, shared_traffic(offsets, shared_lanes, plan.bytes));
}

// cp.async: [shared], [global], bytes, and in its second form how many of them are read. cp.async.bulk: the same for
// many bytes of one thread, which land without conflicts.
void Counter::count_copy(Warp& warp, const Instruction& instruction, uint32_t index, uint32_t lanes) {
  const Plan& plan = plans_[index];
  const uint32_t bytes = warp.row<uint32_t>(instruction.reg[2])[std::countr_zero(lanes)];
  std::vector<LaneAccess> reads;
  std::array<uint32_t, warp_size> offsets{};
  for_lanes(lanes, [&](int lane) {
    const uint64_t to = address_of(warp, instruction, 0, 0, lane) & ~window_mask;
    offsets[static_cast<size_t>(lane)] = static_cast<uint32_t>(to);
    const uint32_t read = instruction.form == 1 ? warp.row<uint32_t>(instruction.reg[3])[lane] : bytes;
    if (read != 0) reads.push_back({address_of(warp, instruction, 1, 1, lane), read});
  });
  const GlobalTraffic traffic = global_traffic(reads);
  add(plan, Direction::load, traffic);
  if (plan.is_past_l1) counts_.sectors_past_l1 += traffic.sectors;
  if (bytes > largest_lane_copy) {
    const uint64_t wavefronts = (bytes + wavefront_bytes - 1) / wavefront_bytes;
    add(plan, Direction::store, SharedTraffic{bytes, wavefronts, wavefronts});
  } else {
    add(plan, Direction::store, shared_traffic(offsets, lanes, bytes));
  }
}

void Counter::add(const Plan& plan, Direction direction, const GlobalTraffic& traffic) {
  counts_.global[static_cast<size_t>(direction)] += traffic;
  plan.line->global += traffic;
}

void Counter::add(const Plan& plan, Direction direction, const SharedTraffic& traffic) {
  counts_.shared[static_cast<size_t>(direction)] += traffic;
  plan.line->shared += traffic;
}

std::string LaunchCounts::json() const {
  std::string text;
  const auto field = [&](const char* name, const std::string& value) {
    text += std::string(text.empty() ? "{" : ",") + '"' + name + "\":" + value;
  };
  const auto extents = [](const Dim3& d) {
    return '[' + std::to_string(d.x) + ',' + std::to_string(d.y) + ',' + std::to_string(d.z) + ']';
  };
  const auto object = [](const std::vector<std::pair<std::string, uint64_t>>& members) {
    std::string all;
    for (const auto& [name, value] : members) {
      all += std::string(all.empty() ? "" : ",") + '"' + name + "\":" + std::to_string(value);
    }
    return '{' + all + '}';
  };
  field("kernel", '"' + kernel + '"');
  field("ptx", std::to_string(ptx));
  field("grid", extents(grid));
  field("block", extents(block));
  field("dynamicShared", std::to_string(dynamic_shared));
  field("launches", std::to_string(launches));
  field("blocks", std::to_string(blocks));
  std::vector<std::pair<std::string, uint64_t>> by_class;
  for (size_t i = 0; i < instruction_classes; ++i) {
    by_class.emplace_back(name_of(static_cast<InstructionClass>(i)), instructions[i]);
  }
  field("instructions", object(by_class));
  field("tensor", object({tensor.begin(), tensor.end()}));
  field("sectorsPastL1", std::to_string(sectors_past_l1));
  const auto of_global = [&](const GlobalTraffic& g) {
    return object({{"bytes", g.bytes}, {"usedBytes", g.used_bytes}, {"sectors", g.sectors}});
  };
  const auto of_shared = [&](const SharedTraffic& s) {
    return object({{"bytes", s.bytes}, {"wavefronts", s.wavefronts}, {"least", s.least}});
  };
  const char* const names[directions] = {"Loads", "Stores", "Atomics"};
  for (size_t i = 0; i < directions; ++i) {
    field((std::string("global") + names[i]).c_str(), of_global(global[i]));
    field((std::string("shared") + names[i]).c_str(), of_shared(shared[i]));
  }
  std::string of_lines;
  for (const auto& [place, line] : lines) {
    if (line.instructions == 0) continue;
    of_lines += std::string(of_lines.empty() ? "" : ",") + "{\"place\":\"" + place +
                "\",\"instructions\":" + std::to_string(line.instructions) + ",\"global\":" + of_global(line.global) +
                ",\"shared\":" + of_shared(line.shared) + '}';
  }
  field("lines", '[' + of_lines + ']');
  return text + '}';
}

}  // namespace gmr::cuda_sim
