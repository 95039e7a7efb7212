// cp.async and cp.async.bulk: copies that land as late as the program allows, over poison until then.
#include <cstring>

#include "testing/cuda_sim/async_copy.h"
#include "testing/cuda_sim/device_memory.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/opcode_table.h"

namespace gmr::cuda_sim {

namespace {

constexpr int poison = 0xff;  // NaN in every floating-point type

void cp_async(Warp& warp, const Instruction& i, uint32_t lanes) {
  Block& block = *warp.block;
  const uint32_t bytes = warp.row<uint32_t>(i.reg[2])[std::countr_zero(lanes)];
  const bool only_16 = i.variant != 0;
  if (bytes != 16 && (only_16 || (bytes != 4 && bytes != 8))) {
    warp.fault(std::countr_zero(lanes), "asynchronous copy", "cannot copy " + std::to_string(bytes) + " bytes");
  }
  for_lanes(lanes, [&](int lane) {
    const uint32_t source_bytes = i.form == 1 ? warp.row<uint32_t>(i.reg[3])[lane] : bytes;
    if (source_bytes > bytes) warp.fault(lane, "asynchronous copy", "a source larger than the copy");
    const uint32_t offset = shared_offset(warp, lane, address_of(warp, i, 0, 0, lane), bytes, bytes);
    const uint64_t source = address_of(warp, i, 1, 1, lane);
    const std::byte* data = nullptr;
    if (source % bytes != 0) warp.fault(lane, "misaligned access", "source of an asynchronous copy");
    // Whole elements of the source are read: the rest of the copy may lie outside.
    if (source_bytes != 0) {
      for (uint32_t at = 0; at < source_bytes;) {
        const uint32_t left = source_bytes - at;
        const uint32_t part = left >= 16 ? 16 : left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        std::byte* const here = locate(warp, lane, Space::global, source + at, part, AccessKind::read);
        if (at == 0) data = here;
        at += part;
      }
    }
    if (block.checks) block.checker.start_copy(warp, lane, offset, bytes);
    std::memset(&block.shared[offset], poison, bytes);
    LaneCopies& copies = warp.copies[static_cast<size_t>(lane)];
    copies.pending.push_back({offset, bytes, data, source_bytes, copies.group});
  });
}

void land(Warp& warp, int lane, const PendingCopy& copy) {
  Block& block = *warp.block;
  std::byte* const target = &block.shared[copy.shared_offset];
  if (copy.source_bytes != 0) std::memcpy(target, copy.source, copy.source_bytes);
  std::memset(target + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
  if (block.checks) block.checker.land_copy(warp, lane, copy.shared_offset, copy.bytes);
}

// All groups but the `left` last ones land.
void wait_for_groups(Warp& warp, uint32_t lanes, uint32_t left) {
  for_lanes(lanes, [&](int lane) {
    LaneCopies& copies = warp.copies[static_cast<size_t>(lane)];
    std::erase_if(copies.pending, [&](const PendingCopy& copy) {
      if (copy.group + left >= copies.group) return false;
      land(warp, lane, copy);
      return true;
    });
  });
}

void commit_group(Warp& warp, const Instruction&, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) { ++warp.copies[static_cast<size_t>(lane)].group; });
}

void wait_group(Warp& warp, const Instruction& i, uint32_t lanes) {
  wait_for_groups(warp, lanes, warp.row<uint32_t>(i.reg[0])[std::countr_zero(lanes)]);
}

void wait_all(Warp& warp, const Instruction& i, uint32_t lanes) {
  commit_group(warp, i, lanes);
  wait_for_groups(warp, lanes, 0);
}

void cp_async_bulk(Warp& warp, const Instruction& i, uint32_t lanes) {
  Block& block = *warp.block;
  for_lanes(lanes, [&](int lane) {
    const uint32_t bytes = warp.row<uint32_t>(i.reg[2])[lane];
    if (bytes % 16 != 0) warp.fault(lane, "asynchronous copy", "the size is no multiple of 16");
    if (bytes == 0) return;
    const uint32_t offset = shared_offset(warp, lane, address_of(warp, i, 0, 0, lane), bytes, 16);
    const uint64_t source = address_of(warp, i, 1, 1, lane);
    const std::byte* data = nullptr;
    for (uint32_t at = 0; at < bytes; at += 16) {
      const std::byte* const here = locate(warp, lane, Space::global, source + at, 16, AccessKind::read);
      if (at == 0) data = here;
    }
    const uint64_t barrier = address_of(warp, i, 3, 2, lane);
    mbarrier_at(warp, lane, barrier);
    if (block.checks) block.checker.start_copy(warp, lane, offset, bytes);
    std::memset(&block.shared[offset], poison, bytes);
    block.bulk_copies.push_back({offset, bytes, data, shared_offset(warp, lane, barrier, 8, 8), warp.id, warp.current});
  });
}

}  // namespace

void land_copies(Warp& warp, int lane) {
  std::vector<PendingCopy>& pending = warp.copies[static_cast<size_t>(lane)].pending;
  for (const PendingCopy& copy : pending) land(warp, lane, copy);
  pending.clear();
}

void land_bulk_copy(Block& block, size_t index) {
  const BulkCopy copy = block.bulk_copies[index];
  block.bulk_copies.erase(block.bulk_copies.begin() + static_cast<ptrdiff_t>(index));
  std::memcpy(&block.shared[copy.shared_offset], copy.source, copy.bytes);
  if (block.checks) block.checker.land_bulk_copy(copy.shared_offset, copy.bytes);
  Mbarrier& barrier = block.mbarriers[copy.mbarrier];
  barrier.bytes -= copy.bytes;
  complete_phase(block, barrier);
  ++block.events;
}

void add_async_copy_opcodes(OpcodeTable& table) {
  Opcode opcode{cp_async, "@ @ 4/@ @ 4 4"};
  opcode.shared_bytes = opcode.global_bytes = 4;
  table.add("cp.async.ca{.shared,.shared::cta}.global{,.L2::64B,.L2::128B,.L2::256B}", opcode);
  opcode.variant = 1;
  table.add("cp.async.cg{.shared,.shared::cta}.global{,.L2::64B,.L2::128B,.L2::256B}", opcode);
  table.add("cp.async.commit_group", {commit_group, ""});
  table.add("cp.async.wait_group", {wait_group, "4"});
  table.add("cp.async.wait_all", {wait_all, ""});
  table.add("cp.async.bulk{.shared::cluster,.shared::cta}.global.mbarrier::complete_tx::bytes",
            {cp_async_bulk, "@ @ 4 @"});
}

}  // namespace gmr::cuda_sim
