// mov, also of vectors into a register and back; addresses of one space as addresses of another.
#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

struct Same {
  template <class T>
  T operator()(T a) const {
    return a;
  }
};

// The parts lie in the whole as they do in memory, the first one lowest.
template <class Whole, class Part>
void pack(Warp& warp, const Instruction& i, uint32_t lanes) {
  constexpr size_t count = sizeof(Whole) / sizeof(Part);
  for_lanes(lanes, [&](int lane) {
    Part parts[count];
    for (size_t k = 0; k < count; ++k) parts[k] = warp.row<Part>(i.reg[k + 1])[lane];
    std::memcpy(warp.row<Whole>(i.reg[0]) + lane, parts, sizeof parts);
  });
}

template <class Whole, class Part>
void unpack(Warp& warp, const Instruction& i, uint32_t lanes) {
  constexpr size_t count = sizeof(Whole) / sizeof(Part);
  for_lanes(lanes, [&](int lane) {
    Part parts[count];
    std::memcpy(parts, warp.row<Whole>(i.reg[count]) + lane, sizeof parts);
    for (size_t k = 0; k < count; ++k) warp.row<Part>(i.reg[k])[lane] = parts[k];
  });
}

void mov_32(Warp& warp, const Instruction& i, uint32_t lanes) {
  switch (i.form) {
    case 0:
      unary<Same, uint32_t, uint32_t>(warp, i, lanes);
      return;
    case 1:
      pack<uint32_t, uint16_t>(warp, i, lanes);
      return;
    default:
      unpack<uint32_t, uint16_t>(warp, i, lanes);
  }
}

void mov_64(Warp& warp, const Instruction& i, uint32_t lanes) {
  switch (i.form) {
    case 0:
      unary<Same, uint64_t, uint64_t>(warp, i, lanes);
      return;
    case 1:
      pack<uint64_t, uint32_t>(warp, i, lanes);
      return;
    case 2:
      pack<uint64_t, uint16_t>(warp, i, lanes);
      return;
    case 3:
      unpack<uint64_t, uint32_t>(warp, i, lanes);
      return;
    default:
      unpack<uint64_t, uint16_t>(warp, i, lanes);
  }
}

// Clocks count the block's instructions, so that runs repeat. A warp that waits for time to pass lets others go on.
template <class T>
void read_clock(Warp& warp, const Instruction& i, uint32_t lanes) {
  const T now = static_cast<T>(++warp.block->clock);
  for_lanes(lanes, [&](int lane) { warp.row<T>(i.reg[0])[lane] = now; });
}

template <uint64_t window>
struct ToGeneric {
  uint64_t operator()(uint64_t a) const { return a | window; }
};
template <uint64_t window>
struct FromGeneric {
  uint64_t operator()(uint64_t a) const { return a & ~window; }
};

// Global memory is what lies in no window.
void isspacep(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint64_t window = uint64_t{i.variant} << 56;
  const uint64_t* const address = warp.row<uint64_t>(i.reg[1]);
  uint32_t result = 0;
  for_lanes(lanes, [&](int lane) { result |= uint32_t{(address[lane] & window_mask) == window} << lane; });
  warp.set_predicate(i.reg[0], lanes, result);
}

}  // namespace

void add_move_opcodes(OpcodeTable& table) {
  table.add("mov.{b16,u16,s16,f16,bf16}", {unary<Same, uint16_t, uint16_t>, "=2 2"});
  table.add("mov.{u32,s32,f32}", {unary<Same, uint32_t, uint32_t>, "=4 4"});
  table.add("mov.{u64,s64,f64}", {unary<Same, uint64_t, uint64_t>, "=8 8"});
  table.add("mov.b32", {mov_32, "=4 4/=4 2x2/=2x2 4"});
  table.add("mov.b64", {mov_64, "=8 8/=8 4x2/=8 2x4/=4x2 8/=2x4 8"});
  // What the translator makes of a mov from %clock, %clock64 or %globaltimer.
  table.add("mov.clock.u32", {read_clock<uint32_t>, "=4"});
  table.add("mov.clock.u64", {read_clock<uint64_t>, "=8"});
  using U = uint64_t;
  table.add("cvta{,.to}{.global,.const}.u64", {unary<Same, U, U>, "=8 8"});
  table.add("cvta{.shared,.shared::cta}.u64", {unary<ToGeneric<shared_window>, U, U>, "=8 8"});
  table.add("cvta.to{.shared,.shared::cta}.u64", {unary<FromGeneric<shared_window>, U, U>, "=8 8"});
  table.add("cvta.local.u64", {unary<ToGeneric<local_window>, U, U>, "=8 8"});
  table.add("cvta.to.local.u64", {unary<FromGeneric<local_window>, U, U>, "=8 8"});
  table.add("cvta{,.to}.param.u64", {unary<Same, U, U>, "=8 8"});
  table.add("isspacep.global", {isspacep, "=p 8", Flow::straight, 0});
  table.add("isspacep{.shared,.shared::cta}", {isspacep, "=p 8", Flow::straight, shared_window >> 56});
  table.add("isspacep.local", {isspacep, "=p 8", Flow::straight, local_window >> 56});
}

}  // namespace gmr::cuda_sim
