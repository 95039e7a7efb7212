#include "testing/cuda_sim/barriers.h"

namespace gmr::cuda_sim {

namespace {

// Where an instruction's operands are: [result] id [count] [predicate].
struct Operands {
  size_t id = 0;
  int count = -1;
  int predicate = -1;
};

Operands operands_of(const Instruction& instruction) {
  const auto kind = static_cast<BarrierKind>(instruction.variant);
  const bool reduces = kind != BarrierKind::sync && kind != BarrierKind::arrive;
  Operands operands;
  operands.id = reduces ? 1 : 0;
  const size_t after_id = instruction.operand_count - operands.id - 1 - (reduces ? 1 : 0);
  if (after_id > 0) operands.count = static_cast<int>(operands.id + 1);
  if (reduces) operands.predicate = instruction.operand_count - 1;
  return operands;
}

uint32_t uniform_value(Warp& warp, const Instruction& instruction, size_t operand, uint32_t lanes) {
  const uint32_t* const row = warp.row<uint32_t>(instruction.reg[operand]);
  const uint32_t value = row[std::countr_zero(lanes)];
  for_lanes(lanes, [&](int lane) {
    if (row[lane] != value)
      warp.fault(lane, "divergent barrier", "threads of a warp name different barriers or counts");
  });
  return value;
}

void write_result(Warp& warp, const Instruction& instruction, uint32_t lanes, const Barrier& barrier) {
  const auto kind = static_cast<BarrierKind>(instruction.variant);
  if (kind == BarrierKind::red_popc) {
    for_lanes(lanes, [&](int lane) { warp.row<uint32_t>(instruction.reg[0])[lane] = barrier.count; });
  } else if (kind == BarrierKind::red_and) {
    warp.set_predicate(instruction.reg[0], lanes, barrier.count == barrier.arrived ? full_mask : 0);
  } else if (kind == BarrierKind::red_or) {
    warp.set_predicate(instruction.reg[0], lanes, barrier.count != 0 ? full_mask : 0);
  }
}

void release(Block& block, uint32_t id) {
  Barrier& barrier = block.barriers[id];
  for (Warp& warp : block.warps) {
    uint32_t released = 0;
    for_lanes(warp.at_barrier, [&](int lane) { released |= uint32_t{warp.barrier_id[lane] == id} << lane; });
    if (released == 0) continue;
    if (block.checks) {
      block.checker.acquire(warp.id, barrier.clock);
      block.checker.sync_warp(warp.id, released, warp.live);
    }
    for_lanes(released,
              [&](int lane) { write_result(warp, block.program.code[warp.pc[lane] - 1], 1u << lane, barrier); });
    warp.at_barrier &= ~released;
  }
  barrier = {};
}

}  // namespace

void arrive_at_barrier(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  Block& block = *warp.block;
  const int first = std::countr_zero(lanes);
  const auto kind = static_cast<BarrierKind>(instruction.variant);
  const Operands operands = operands_of(instruction);
  const uint32_t id = uniform_value(warp, instruction, operands.id, lanes);
  if (id >= barriers_per_block) warp.fault(first, "barrier", "there is no barrier " + std::to_string(id));
  uint32_t expected = block.thread_count;
  uint32_t arriving = static_cast<uint32_t>(std::popcount(lanes));
  if (operands.count >= 0) {
    expected = uniform_value(warp, instruction, static_cast<size_t>(operands.count), lanes);
    if (expected == 0 || expected % warp_size != 0) {
      warp.fault(first, "barrier", "a count of " + std::to_string(expected) + " is no multiple of the warp's size");
    }
    if (lanes == warp.live) arriving = warp_size;  // the block's last warp counts in full
  }
  Barrier& barrier = block.barriers[id];
  if (barrier.expected != 0 && barrier.expected != expected) {
    warp.fault(first, "barrier",
               "barrier " + std::to_string(id) + " with a count of " + std::to_string(expected) +
                   ", where others arrived with " + std::to_string(barrier.expected) + "\n    at " +
                   block.describe_instruction(barrier.first_instruction));
  }
  if (barrier.expected == 0) barrier.first_instruction = warp.current;
  barrier.expected = expected;
  barrier.arrived += arriving;
  if (operands.predicate >= 0) {
    barrier.count += static_cast<uint32_t>(
        std::popcount(warp.predicate(instruction, static_cast<size_t>(operands.predicate)) & lanes));
  }
  ++block.events;
  if (block.checks) block.checker.release(warp.id, barrier.clock);
  if (kind != BarrierKind::arrive) {
    warp.at_barrier |= lanes;
    for_lanes(lanes, [&](int lane) { warp.barrier_id[lane] = static_cast<uint8_t>(id); });
  }
  if (barrier.arrived > expected) {
    warp.fault(
        first, "barrier",
        "more threads arrive at barrier " + std::to_string(id) + " than its count of " + std::to_string(expected));
  }
  if (barrier.arrived == expected) release(block, id);
}

}  // namespace gmr::cuda_sim
