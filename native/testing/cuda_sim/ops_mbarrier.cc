// mbarrier: barriers that live in shared memory and also count the bytes of copies.
#include "testing/cuda_sim/async_copy.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/opcode_table.h"

namespace gmr::cuda_sim {

namespace {

constexpr uint32_t most_arrivals = (1u << 20) - 1;

void init(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) {
    const uint64_t address = address_of(warp, i, 0, 0, lane);
    const uint32_t count = warp.row<uint32_t>(i.reg[1])[lane];
    if (count == 0 || count > most_arrivals) warp.fault(lane, "mbarrier", "a count of " + std::to_string(count));
    locate(warp, lane, Space::shared, address, 8, AccessKind::write);
    Mbarrier barrier;
    barrier.expected = barrier.pending = count;
    warp.block->mbarriers[shared_offset(warp, lane, address, 8, 8)] = barrier;
  });
}

void inval(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) {
    const uint64_t address = address_of(warp, i, 0, 0, lane);
    mbarrier_at(warp, lane, address);
    locate(warp, lane, Space::shared, address, 8, AccessKind::write);
    warp.block->mbarriers.erase(shared_offset(warp, lane, address, 8, 8));
  });
}

enum Options : uint32_t { expects_bytes = 1, drops = 2 };

void arrive_one(Warp& warp, int lane, Mbarrier& barrier, uint32_t count, bool leaves) {
  if (count == 0 || count > barrier.pending) {
    warp.fault(
        lane, "mbarrier",
        std::to_string(count) + " arrivals where " + std::to_string(barrier.pending) + " are left in this phase");
  }
  barrier.pending -= count;
  if (leaves) barrier.expected -= count;
  if (warp.block->checks) warp.block->checker.release(warp.id, barrier.clock);
  complete_phase(*warp.block, barrier);
  ++warp.block->events;
}

// state, [barrier] {, count or bytes}
void arrive(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) {
    Mbarrier& barrier = mbarrier_at(warp, lane, address_of(warp, i, 1, 0, lane));
    const uint64_t phase = barrier.phase;
    const uint32_t value = i.operand_count > 2 ? warp.row<uint32_t>(i.reg[2])[lane] : 1;
    if (i.variant & expects_bytes) barrier.bytes += value;
    arrive_one(warp, lane, barrier, i.variant & expects_bytes ? 1 : value, (i.variant & drops) != 0);
    warp.write(i.reg[0], i.width[0], lane, phase);
  });
}

void expect_bytes(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) {
    mbarrier_at(warp, lane, address_of(warp, i, 0, 0, lane)).bytes += warp.row<uint32_t>(i.reg[1])[lane];
  });
}

// p, [barrier], state or parity
template <bool by_parity>
void wait(Warp& warp, const Instruction& i, uint32_t lanes) {
  uint32_t done = 0;
  for_lanes(lanes, [&](int lane) {
    const Mbarrier& barrier = mbarrier_at(warp, lane, address_of(warp, i, 1, 0, lane));
    const bool over = by_parity ? (barrier.phase & 1) != (warp.row<uint32_t>(i.reg[2])[lane] & 1)
                                : barrier.phase != warp.row<uint64_t>(i.reg[2])[lane];
    done |= uint32_t{over} << lane;
    if (over && warp.block->checks) warp.block->checker.acquire(warp.id, barrier.clock);
  });
  if (done != 0 && warp.block->checks) warp.block->checker.sync_warp(warp.id, done, warp.live);
  warp.set_predicate(i.reg[0], lanes, done);
  if (done != lanes) warp.yields = true;
}

// The thread's cp.async, all of them, complete before the arrival that this makes counts.
template <bool counts>
void copies_arrive(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) {
    Mbarrier& barrier = mbarrier_at(warp, lane, address_of(warp, i, 0, 0, lane));
    land_copies(warp, lane);
    if (!counts) ++barrier.pending;
    arrive_one(warp, lane, barrier, 1, false);
  });
}

}  // namespace

Mbarrier& mbarrier_at(Warp& warp, int lane, uint64_t address) {
  const uint32_t offset = shared_offset(warp, lane, address, 8, 8);
  const auto found = warp.block->mbarriers.find(offset);
  if (found == warp.block->mbarriers.end()) {
    warp.fault(lane, "mbarrier", "there is no mbarrier at shared offset " + std::to_string(offset));
  }
  locate(warp, lane, Space::shared, address, 8, AccessKind::atomic);
  return found->second;
}

void complete_phase(Block&, Mbarrier& barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
}

void add_mbarrier_opcodes(OpcodeTable& table) {
  const std::string space = "{,.shared,.shared::cta}.b64";
  const std::string scope = "{,.release.cta,.release.cluster,.relaxed.cta,.relaxed.cluster}";
  const std::string acquire = "{,.acquire.cta,.acquire.cluster,.relaxed.cta,.relaxed.cluster}";
  table.add("mbarrier.init" + space, {init, "@ 4"});
  table.add("mbarrier.inval" + space, {inval, "@"});
  table.add("mbarrier.arrive" + scope + space, {arrive, "=8 @/=8 @ 4"});
  table.add("mbarrier.arrive_drop" + scope + space, {arrive, "=8 @/=8 @ 4", Flow::straight, drops});
  table.add("mbarrier.arrive.expect_tx" + scope + space, {arrive, "=8 @ 4", Flow::straight, expects_bytes});
  table.add("mbarrier.expect_tx{,.relaxed.cta,.relaxed.cluster}" + space, {expect_bytes, "@ 4"});
  table.add("mbarrier.{test_wait,try_wait}" + acquire + space, {wait<false>, "=p @ 8/=p @ 8 4"});
  table.add("mbarrier.{test_wait,try_wait}.parity" + acquire + space, {wait<true>, "=p @ 4/=p @ 4 4"});
  table.add("cp.async.mbarrier.arrive" + space, {copies_arrive<false>, "@"});
  table.add("cp.async.mbarrier.arrive.noinc" + space, {copies_arrive<true>, "@"});
}

}  // namespace gmr::cuda_sim
