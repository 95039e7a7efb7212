// What the lanes of a warp do together: shfl, vote, match, redux, elect, __syncwarp.
#include <algorithm>

#include "testing/cuda_sim/functions.h"
#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

enum class Shuffle { up, down, butterfly, index };

// c holds the last lane of a segment in bits 0 to 4 and the lanes' common bits in bits 8 to 12.
template <Shuffle mode>
void shfl(Warp& warp, const Instruction& i, uint32_t lanes) {
  const size_t first = i.form == 0 ? 2 : 1;
  uint32_t values[warp_size];
  std::memcpy(values, warp.row<uint32_t>(i.reg[first]), sizeof values);
  const uint32_t* const b = warp.row<uint32_t>(i.reg[first + 1]);
  const uint32_t* const c = warp.row<uint32_t>(i.reg[first + 2]);
  uint32_t in_range = 0;
  for_lanes(lanes, [&](int lane) {
    const uint32_t clamp = c[lane] & 31;
    const uint32_t segment = c[lane] >> 8 & 31;
    const int by = static_cast<int>(b[lane] & 31);
    const int highest = static_cast<int>((static_cast<uint32_t>(lane) & segment) | (clamp & ~segment));
    const int lowest = static_cast<int>(static_cast<uint32_t>(lane) & segment);
    int from = 0;
    bool valid = true;
    switch (mode) {
      case Shuffle::up:
        from = lane - by, valid = from >= highest;
        break;
      case Shuffle::down:
        from = lane + by, valid = from <= highest;
        break;
      case Shuffle::butterfly:
        from = lane ^ by, valid = from <= highest;
        break;
      case Shuffle::index:
        from = lowest | (by & ~static_cast<int>(segment)), valid = from <= highest;
        break;
    }
    if (!valid) from = lane;
    if (!(lanes >> from & 1)) {
      warp.fault(lane, "divergent warp operation",
                 "reads from lane " + std::to_string(from) + ", which does not take part");
    }
    warp.row<uint32_t>(i.reg[0])[lane] = values[from];
    in_range |= uint32_t{valid} << lane;
  });
  if (i.form == 0) warp.set_predicate(i.reg[1], lanes, in_range);
}

enum class Vote { all, any, uniform };

template <Vote mode>
void vote(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint32_t yes = warp.predicate(i, 1) & lanes;
  const bool result = mode == Vote::all ? yes == lanes : mode == Vote::any ? yes != 0 : yes == lanes || yes == 0;
  warp.set_predicate(i.reg[0], lanes, result ? full_mask : 0);
}

void ballot(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint32_t yes = warp.predicate(i, 1) & lanes;
  for_lanes(lanes, [&](int lane) { warp.row<uint32_t>(i.reg[0])[lane] = yes; });
}

template <class T>
uint32_t equal_lanes(Warp& warp, const Instruction& i, size_t operand, uint32_t lanes, int lane) {
  const T* const a = warp.row<T>(i.reg[operand]);
  uint32_t equal = 0;
  for_lanes(lanes, [&](int other) { equal |= uint32_t{a[other] == a[lane]} << other; });
  return equal;
}

template <class T>
void match_any(Warp& warp, const Instruction& i, uint32_t lanes) {
  uint32_t result[warp_size];
  for_lanes(lanes, [&](int lane) { result[lane] = equal_lanes<T>(warp, i, 1, lanes, lane); });
  for_lanes(lanes, [&](int lane) { warp.row<uint32_t>(i.reg[0])[lane] = result[lane]; });
}

template <class T>
void match_all(Warp& warp, const Instruction& i, uint32_t lanes) {
  const size_t source = i.form == 0 ? 2 : 1;
  const bool all = equal_lanes<T>(warp, i, source, lanes, std::countr_zero(lanes)) == lanes;
  for_lanes(lanes, [&](int lane) { warp.row<uint32_t>(i.reg[0])[lane] = all ? lanes : 0; });
  if (i.form == 0) warp.set_predicate(i.reg[1], lanes, all ? full_mask : 0);
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(uint32_t(a) + uint32_t(b));
  }
};

template <class F, class T>
void redux(Warp& warp, const Instruction& i, uint32_t lanes) {
  const T* const a = warp.row<T>(i.reg[1]);
  T result = a[std::countr_zero(lanes)];
  for_lanes(lanes & (lanes - 1), [&](int lane) { result = F{}(result, a[lane]); });
  for_lanes(lanes, [&](int lane) { warp.row<T>(i.reg[0])[lane] = result; });
}

void activemask(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) { warp.row<uint32_t>(i.reg[0])[lane] = lanes; });
}

// The lowest lane is it.
void elect(Warp& warp, const Instruction& i, uint32_t lanes) {
  const int leader = std::countr_zero(lanes);
  for_lanes(lanes, [&](int lane) { warp.row<uint32_t>(i.reg[0])[lane] = static_cast<uint32_t>(leader); });
  warp.set_predicate(i.reg[1], lanes, 1u << leader);
}

void sync_warp(Warp& warp, const Instruction&, uint32_t lanes) {
  if (warp.block->checks) warp.block->checker.sync_warp(warp.id, lanes, warp.live);
}

}  // namespace

void add_warp_opcodes(OpcodeTable& table) {
  const auto add = [&](const std::string& pattern, Handler handler, const std::string& signature) {
    table.add(pattern, {handler, signature, Flow::collective});
  };
  const std::string shuffled = "=4|=p 4 4 4 4/=4 4 4 4 4";
  add("shfl.sync.up.b32", shfl<Shuffle::up>, shuffled);
  add("shfl.sync.down.b32", shfl<Shuffle::down>, shuffled);
  add("shfl.sync.bfly.b32", shfl<Shuffle::butterfly>, shuffled);
  add("shfl.sync.idx.b32", shfl<Shuffle::index>, shuffled);
  add("vote.sync.all.pred", vote<Vote::all>, "=p p 4");
  add("vote.sync.any.pred", vote<Vote::any>, "=p p 4");
  add("vote.sync.uni.pred", vote<Vote::uniform>, "=p p 4");
  add("vote.sync.ballot.b32", ballot, "=4 p 4");
  add("match.any.sync.b32", match_any<uint32_t>, "=4 4 4");
  add("match.any.sync.b64", match_any<uint64_t>, "=4 8 4");
  add("match.all.sync.b32", match_all<uint32_t>, "=4|=p 4 4/=4 4 4");
  add("match.all.sync.b64", match_all<uint64_t>, "=4|=p 8 4/=4 8 4");
  add("redux.sync.add.{u32,s32}", redux<Add, uint32_t>, "=4 4 4");
  add("redux.sync.min.u32", redux<Minimum, uint32_t>, "=4 4 4");
  add("redux.sync.min.s32", redux<Minimum, int32_t>, "=4 4 4");
  add("redux.sync.max.u32", redux<Maximum, uint32_t>, "=4 4 4");
  add("redux.sync.max.s32", redux<Maximum, int32_t>, "=4 4 4");
  add("redux.sync.and.b32", redux<And, uint32_t>, "=4 4 4");
  add("redux.sync.or.b32", redux<Or, uint32_t>, "=4 4 4");
  add("redux.sync.xor.b32", redux<Xor, uint32_t>, "=4 4 4");
  add("elect.sync", elect, "=4|=p 4");
  add("bar.warp.sync", sync_warp, "4");
  table.add("activemask.b32", {activemask, "=4"});
}

}  // namespace gmr::cuda_sim
