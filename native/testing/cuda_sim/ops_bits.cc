// Logic, shifts, bit fields, permutations of bytes.
#include <bit>

#include "testing/cuda_sim/functions.h"
#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

struct Not {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
struct CNot {
  template <class T>
  T operator()(T a) const {
    return a == 0;
  }
};
struct ShiftLeft {
  template <class T>
  T operator()(T a, uint32_t by) const {
    return by >= bits_of<T> ? T{0} : static_cast<T>(a << by);
  }
};
// Of a signed type the sign fills up.
struct ShiftRight {
  template <class T>
  T operator()(T a, uint32_t by) const {
    if (by >= bits_of<T>) return a < 0 ? static_cast<T>(-1) : T{0};
    return static_cast<T>(a >> by);
  }
};
struct PopulationCount {
  template <class T>
  uint32_t operator()(T a) const {
    return static_cast<uint32_t>(std::popcount(a));
  }
};
struct LeadingZeros {
  template <class T>
  uint32_t operator()(T a) const {
    return static_cast<uint32_t>(std::countl_zero(a));
  }
};
struct Reverse {
  template <class T>
  T operator()(T a) const {
    T reversed = 0;
    for (int i = 0; i < bits_of<T>; ++i) reversed |= (a >> i & 1) << (bits_of<T> - 1 - i);
    return reversed;
  }
};
// Position of the highest bit that is not the sign; all ones where there is none.
template <bool shift_amount>
struct FindHighest {
  template <class T>
  uint32_t operator()(T a) const {
    using U = std::make_unsigned_t<T>;
    const U bits = a < 0 ? static_cast<U>(~a) : static_cast<U>(a);
    if (bits == 0) return ~0u;
    const uint32_t leading = static_cast<uint32_t>(std::countl_zero(bits));
    return shift_amount ? leading : bits_of<T> - 1 - leading;
  }
};
struct ExtractField {
  template <class T>
  T operator()(T a, uint32_t position, uint32_t length) const {
    position &= 255;
    length &= 255;
    constexpr uint32_t top = bits_of<T> - 1;
    const uint32_t sign_at = std::min(position + length - 1, top);
    const bool sign = std::is_signed_v<T> && length != 0 && (a >> sign_at & 1);
    std::make_unsigned_t<T> field = 0;
    for (uint32_t i = 0; i <= top; ++i) {
      const bool bit = i < length && position + i <= top ? (a >> (position + i) & 1) != 0 : sign;
      field |= std::make_unsigned_t<T>{bit} << i;
    }
    return static_cast<T>(field);
  }
};

template <class T>
void insert_field(Warp& warp, const Instruction& i, uint32_t lanes) {
  T* const d = warp.row<T>(i.reg[0]);
  const T* const a = warp.row<T>(i.reg[1]);
  const T* const b = warp.row<T>(i.reg[2]);
  const uint32_t* const c = warp.row<uint32_t>(i.reg[3]);
  const uint32_t* const n = warp.row<uint32_t>(i.reg[4]);
  for_lanes(lanes, [&](int lane) {
    const uint32_t position = c[lane] & 255;
    const uint32_t length = n[lane] & 255;
    const T ones = length >= bits_of<T> ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << length) - 1);
    const T mask = position >= bits_of<T> ? T{0} : static_cast<T>(ones << position);
    const T moved = position >= bits_of<T> ? T{0} : static_cast<T>(a[lane] << position);
    d[lane] = (b[lane] & ~mask) | (moved & mask);
  });
}

void lop3(Warp& warp, const Instruction& i, uint32_t lanes) {
  uint32_t* const d = warp.row<uint32_t>(i.reg[0]);
  const uint32_t* const a = warp.row<uint32_t>(i.reg[1]);
  const uint32_t* const b = warp.row<uint32_t>(i.reg[2]);
  const uint32_t* const c = warp.row<uint32_t>(i.reg[3]);
  const uint32_t table = warp.row<uint32_t>(i.reg[4])[0];
  uint32_t minterm[8];
  for (int k = 0; k < 8; ++k) minterm[k] = table >> k & 1 ? ~0u : 0;
  const auto value = [&](int lane) {
    uint32_t result = 0;
    for (int k = 0; k < 8; ++k) {
      result |= minterm[k] & (k & 4 ? a[lane] : ~a[lane]) & (k & 2 ? b[lane] : ~b[lane]) & (k & 1 ? c[lane] : ~c[lane]);
    }
    return result;
  };
  if (lanes == full_mask) {
    GMR_LANES d[lane] = value(lane);
  } else {
    for_lanes(lanes, [&](int lane) { d[lane] = value(lane); });
  }
}

enum class Permute { index, f4e, b4e, rc8, ecl, ecr, rc16 };

// Bytes of {b, a}, chosen by a nibble each; a nibble's top bit copies the byte's sign instead.
template <Permute mode>
struct PermuteBytes {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    const uint64_t all = uint64_t{b} << 32 | a;
    const uint32_t k = c & 3;
    uint32_t result = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t from = 0;
      switch (mode) {
        case Permute::index:
          from = c >> 4 * i & 15;
          break;
        case Permute::f4e:
          from = k + i;
          break;
        case Permute::b4e:
          from = (k - i) & 7;
          break;
        case Permute::rc8:
          from = k;
          break;
        case Permute::ecl:
          from = std::max(i, k);
          break;
        case Permute::ecr:
          from = std::min(i, k);
          break;
        case Permute::rc16:
          from = (k & 1) * 2 + (i & 1);
          break;
      }
      uint32_t byte = static_cast<uint32_t>(all >> 8 * (from & 7)) & 255;
      if (mode == Permute::index && from & 8) byte = byte & 128 ? 255 : 0;
      result |= byte << 8 * i;
    }
    return result;
  }
};

template <bool left, bool wraps>
struct FunnelShift {
  uint32_t operator()(uint32_t low, uint32_t high, uint32_t by) const {
    by = wraps ? by & 31 : std::min(by, 32u);
    const uint64_t both = uint64_t{high} << 32 | low;
    return static_cast<uint32_t>(left ? both << by >> 32 : both >> by);
  }
};

enum class Logic { land, lor, lxor, lnot, move };

// Predicates are a bit a lane: one operation for the whole warp.
template <Logic logic>
void predicate_logic(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint32_t a = warp.predicate(i, 1);
  const uint32_t b = i.operand_count > 2 ? warp.predicate(i, 2) : 0;
  uint32_t value = a;
  if (logic == Logic::land) value = a & b;
  if (logic == Logic::lor) value = a | b;
  if (logic == Logic::lxor) value = a ^ b;
  if (logic == Logic::lnot) value = ~a;
  warp.set_predicate(i.reg[0], lanes, value);
}

template <class F>
void add_permute(OpcodeTable& table, const std::string& name) {
  using U = uint32_t;
  table.add(name, {ternary<F, U, U, U, U>, "=4 4 4 4"});
}

}  // namespace

void add_bit_opcodes(OpcodeTable& table) {
  using U = uint32_t;
  for_bit_types([&]<class N>(N named) {
    using T = typename N::type;
    const std::string type = std::string(".") + named.name;
    table.add("and" + type, {binary<And, T, T, T>, same_width<T>(2)});
    table.add("or" + type, {binary<Or, T, T, T>, same_width<T>(2)});
    table.add("xor" + type, {binary<Xor, T, T, T>, same_width<T>(2)});
    table.add("not" + type, {unary<Not, T, T>, same_width<T>(1)});
    table.add("cnot" + type, {unary<CNot, T, T>, same_width<T>(1)});
    table.add("shl" + type, {binary<ShiftLeft, T, T, U>, same_width<T>(1) + " 4"});
    table.add("shr" + type, {binary<ShiftRight, T, T, U>, same_width<T>(1) + " 4"});
    if constexpr (sizeof(T) >= 4) {
      table.add("popc" + type, {unary<PopulationCount, U, T>, "=4 " + bytes<T>()});
      table.add("clz" + type, {unary<LeadingZeros, U, T>, "=4 " + bytes<T>()});
      table.add("brev" + type, {unary<Reverse, T, T>, same_width<T>(1)});
      table.add("bfi" + type, {insert_field<T>, same_width<T>(2) + " 4 4"});
    }
  });
  for_integer_types([&]<class N>(N named) {
    using T = typename N::type;
    const std::string type = std::string(".") + named.name;
    table.add("shr" + type, {binary<ShiftRight, T, T, U>, same_width<T>(1) + " 4"});
    if constexpr (sizeof(T) >= 4) {
      table.add("bfe" + type, {ternary<ExtractField, T, T, U, U>, same_width<T>(1) + " 4 4"});
      table.add("bfind" + type, {unary<FindHighest<false>, U, T>, "=4 " + bytes<T>()});
      table.add("bfind.shiftamt" + type, {unary<FindHighest<true>, U, T>, "=4 " + bytes<T>()});
    }
  });
  table.add("lop3.b32", {lop3, "=4 4 4 4 4"});
  add_permute<PermuteBytes<Permute::index>>(table, "prmt.b32");
  add_permute<PermuteBytes<Permute::f4e>>(table, "prmt.b32.f4e");
  add_permute<PermuteBytes<Permute::b4e>>(table, "prmt.b32.b4e");
  add_permute<PermuteBytes<Permute::rc8>>(table, "prmt.b32.rc8");
  add_permute<PermuteBytes<Permute::ecl>>(table, "prmt.b32.ecl");
  add_permute<PermuteBytes<Permute::ecr>>(table, "prmt.b32.ecr");
  add_permute<PermuteBytes<Permute::rc16>>(table, "prmt.b32.rc16");
  add_permute<FunnelShift<true, true>>(table, "shf.l.wrap.b32");
  add_permute<FunnelShift<true, false>>(table, "shf.l.clamp.b32");
  add_permute<FunnelShift<false, true>>(table, "shf.r.wrap.b32");
  add_permute<FunnelShift<false, false>>(table, "shf.r.clamp.b32");
  table.add("and.pred", {predicate_logic<Logic::land>, "=p p p"});
  table.add("or.pred", {predicate_logic<Logic::lor>, "=p p p"});
  table.add("xor.pred", {predicate_logic<Logic::lxor>, "=p p p"});
  table.add("not.pred", {predicate_logic<Logic::lnot>, "=p p"});
  table.add("mov.pred", {predicate_logic<Logic::move>, "=p p"});
}

}  // namespace gmr::cuda_sim
