// Integer arithmetic. Signed results wrap, so they are computed without a sign.
#include <algorithm>
#include <limits>

#include "testing/cuda_sim/functions.h"
#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(Unsigned<T>(a) + Unsigned<T>(b));
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(Unsigned<T>(a) - Unsigned<T>(b));
  }
};
struct MultiplyLow {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(uint64_t(a) * uint64_t(b));
  }
};
struct MultiplyHigh {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>((Wide<T>(a) * Wide<T>(b)) >> bits_of<T>);
  }
};
struct MultiplyWide {
  template <class T>
  Wide<T> operator()(T a, T b) const {
    return Wide<T>(a) * Wide<T>(b);
  }
};
struct MultiplyAddLow {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add{}(MultiplyLow{}(a, b), c);
  }
};
struct MultiplyAddHigh {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add{}(MultiplyHigh{}(a, b), c);
  }
};
struct MultiplyAddWide {
  template <class T>
  Wide<T> operator()(T a, T b, Wide<T> c) const {
    return Add{}(MultiplyWide{}(a, b), c);
  }
};
// What PTX leaves open for a divisor of zero is all ones here, as on the hardware.
struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Subtract{}(T{0}, a);
    return static_cast<T>(a / b);
  }
};
struct Remainder {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Absolute {
  template <class T>
  T operator()(T a) const {
    return a < 0 ? Subtract{}(T{0}, a) : a;
  }
};
struct Negate {
  template <class T>
  T operator()(T a) const {
    return Subtract{}(T{0}, a);
  }
};
struct SumOfAbsoluteDifferences {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add{}(c, a < b ? Subtract{}(b, a) : Subtract{}(a, b));
  }
};

int32_t saturate(int64_t value) {
  return static_cast<int32_t>(
      std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}
struct AddSaturated {
  int32_t operator()(int32_t a, int32_t b) const { return saturate(int64_t{a} + b); }
};
struct SubtractSaturated {
  int32_t operator()(int32_t a, int32_t b) const { return saturate(int64_t{a} - b); }
};
struct MultiplyAddHighSaturated {
  int32_t operator()(int32_t a, int32_t b, int32_t c) const { return saturate(int64_t{MultiplyHigh{}(a, b)} + c); }
};
struct MaximumRelu {
  int32_t operator()(int32_t a, int32_t b) const { return std::max({a, b, 0}); }
};
struct MinimumRelu {
  int32_t operator()(int32_t a, int32_t b) const { return std::max(std::min(a, b), 0); }
};

// 24 bits of each factor; the low or the high 32 of the 48 bits of the product.
template <class T>
T low24(T a) {
  return static_cast<T>(a << 8) >> 8;
}

struct Multiply24Low {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(Wide<T>(low24(a)) * low24(b));
  }
};
struct Multiply24High {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>((Wide<T>(low24(a)) * low24(b)) >> 16);
  }
};
struct MultiplyAdd24Low {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add{}(Multiply24Low{}(a, b), c);
  }
};

// Both halves of a register, each on its own.
template <class F, class T>
struct OfHalves {
  uint32_t operator()(uint32_t a, uint32_t b) const {
    const auto half = [&](int shift) {
      return uint32_t{static_cast<uint16_t>(F{}(static_cast<T>(a >> shift), static_cast<T>(b >> shift)))} << shift;
    };
    return half(0) | half(16);
  }
};

// Four products of bytes, or two of halves by bytes, and a sum.
template <class A, class B>
struct DotProduct4 {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    for (int i = 0; i < 32; i += 8)
      c += static_cast<uint32_t>(int32_t{static_cast<A>(a >> i)} * int32_t{static_cast<B>(b >> i)});
    return c;
  }
};
template <class A, class B, int first>
struct DotProduct2 {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    for (int i = 0; i < 2; ++i) {
      c += static_cast<uint32_t>(int32_t{static_cast<A>(a >> 16 * i)} * int32_t{static_cast<B>(b >> 8 * (i + first))});
    }
    return c;
  }
};

// Sums and differences that carry over several instructions. The carry is a predicate of its own for each warp.
enum class Carry { out, in, in_out };

template <class T, bool subtracts, Carry carry>
void with_carry(Warp& warp, const Instruction& i, uint32_t lanes) {
  T* const d = warp.row<T>(i.reg[0]);
  const T* const a = warp.row<T>(i.reg[1]);
  const T* const b = warp.row<T>(i.reg[2]);
  for_lanes(lanes, [&](int lane) {
    const T in = carry == Carry::out ? 0 : warp.carry >> lane & 1;
    const Wide<T> sum = subtracts ? Wide<T>(a[lane]) - b[lane] - in : Wide<T>(a[lane]) + b[lane] + in;
    d[lane] = static_cast<T>(sum);
    if (carry != Carry::in) {
      const uint32_t out = static_cast<uint32_t>(sum >> bits_of<T>) & 1;
      warp.carry = (warp.carry & ~(1u << lane)) | out << lane;
    }
  });
}

template <class T, bool high, Carry carry>
void multiply_add_with_carry(Warp& warp, const Instruction& i, uint32_t lanes) {
  T* const d = warp.row<T>(i.reg[0]);
  const T* const a = warp.row<T>(i.reg[1]);
  const T* const b = warp.row<T>(i.reg[2]);
  const T* const c = warp.row<T>(i.reg[3]);
  for_lanes(lanes, [&](int lane) {
    const Wide<T> product = Wide<T>(a[lane]) * b[lane];
    const T part = static_cast<T>(high ? product >> bits_of<T> : product);
    const Wide<T> sum = Wide<T>(part) + c[lane] + (carry == Carry::out ? 0 : warp.carry >> lane & 1);
    d[lane] = static_cast<T>(sum);
    if (carry != Carry::in) {
      warp.carry = (warp.carry & ~(1u << lane)) | (static_cast<uint32_t>(sum >> bits_of<T>) & 1) << lane;
    }
  });
}

template <class T>
void add_carry_opcodes(OpcodeTable& table, const std::string& types) {
  const std::string two = same_width<T>(2);
  const std::string three = same_width<T>(3);
  table.add("add.cc." + types, {with_carry<T, false, Carry::out>, two});
  table.add("addc." + types, {with_carry<T, false, Carry::in>, two});
  table.add("addc.cc." + types, {with_carry<T, false, Carry::in_out>, two});
  table.add("sub.cc." + types, {with_carry<T, true, Carry::out>, two});
  table.add("subc." + types, {with_carry<T, true, Carry::in>, two});
  table.add("subc.cc." + types, {with_carry<T, true, Carry::in_out>, two});
  const std::string unsigned_type = sizeof(T) == 4 ? "u32" : "u64";
  table.add("mad.lo.cc." + unsigned_type, {multiply_add_with_carry<T, false, Carry::out>, three});
  table.add("mad.hi.cc." + unsigned_type, {multiply_add_with_carry<T, true, Carry::out>, three});
  table.add("madc.lo." + unsigned_type, {multiply_add_with_carry<T, false, Carry::in>, three});
  table.add("madc.hi." + unsigned_type, {multiply_add_with_carry<T, true, Carry::in>, three});
  table.add("madc.lo.cc." + unsigned_type, {multiply_add_with_carry<T, false, Carry::in_out>, three});
  table.add("madc.hi.cc." + unsigned_type, {multiply_add_with_carry<T, true, Carry::in_out>, three});
}

template <class A, class B>
void add_dot_opcodes(OpcodeTable& table, const std::string& types) {
  using U = uint32_t;
  table.add("dp4a." + types, {ternary<DotProduct4<A, B>, U, U, U, U>, "=4 4 4 4"});
}

template <class A, class B>
void add_dot2_opcodes(OpcodeTable& table, const std::string& types) {
  using U = uint32_t;
  table.add("dp2a.lo." + types, {ternary<DotProduct2<A, B, 0>, U, U, U, U>, "=4 4 4 4"});
  table.add("dp2a.hi." + types, {ternary<DotProduct2<A, B, 2>, U, U, U, U>, "=4 4 4 4"});
}

}  // namespace

void add_integer_opcodes(OpcodeTable& table) {
  for_integer_types([&]<class N>(N named) {
    using T = typename N::type;
    const std::string type = std::string(".") + named.name;
    const std::string one = same_width<T>(1);
    const std::string two = same_width<T>(2);
    const std::string three = same_width<T>(3);
    table.add("add" + type, {binary<Add, T, T, T>, two});
    table.add("sub" + type, {binary<Subtract, T, T, T>, two});
    table.add("mul.lo" + type, {binary<MultiplyLow, T, T, T>, two});
    table.add("mul.hi" + type, {binary<MultiplyHigh, T, T, T>, two});
    table.add("mad.lo" + type, {ternary<MultiplyAddLow, T, T, T, T>, three});
    table.add("mad.hi" + type, {ternary<MultiplyAddHigh, T, T, T, T>, three});
    table.add("div" + type, {binary<Divide, T, T, T>, two});
    table.add("rem" + type, {binary<Remainder, T, T, T>, two});
    table.add("min" + type, {binary<Minimum, T, T, T>, two});
    table.add("max" + type, {binary<Maximum, T, T, T>, two});
    table.add("sad" + type, {ternary<SumOfAbsoluteDifferences, T, T, T, T>, three});
    if constexpr (sizeof(T) < 8) {
      using W = Wide<T>;
      const std::string sources = " " + bytes<T>() + " " + bytes<T>();
      table.add("mul.wide" + type, {binary<MultiplyWide, W, T, T>, "=" + bytes<W>() + sources});
      table.add("mad.wide" + type,
                {ternary<MultiplyAddWide, W, T, T, W>, "=" + bytes<W>() + sources + " " + bytes<W>()});
    }
    if constexpr (std::is_signed_v<T>) {
      table.add("abs" + type, {unary<Absolute, T, T>, one});
      table.add("neg" + type, {unary<Negate, T, T>, one});
    }
    if constexpr (sizeof(T) == 4) {
      table.add("mul24.lo" + type, {binary<Multiply24Low, T, T, T>, two});
      table.add("mul24.hi" + type, {binary<Multiply24High, T, T, T>, two});
      table.add("mad24.lo" + type, {ternary<MultiplyAdd24Low, T, T, T, T>, three});
    }
  });
  using I = int32_t;
  using U = uint32_t;
  table.add("add.sat.s32", {binary<AddSaturated, I, I, I>, "=4 4 4"});
  table.add("sub.sat.s32", {binary<SubtractSaturated, I, I, I>, "=4 4 4"});
  table.add("mad.hi.sat.s32", {ternary<MultiplyAddHighSaturated, I, I, I, I>, "=4 4 4 4"});
  table.add("max.relu.s32", {binary<MaximumRelu, I, I, I>, "=4 4 4"});
  table.add("min.relu.s32", {binary<MinimumRelu, I, I, I>, "=4 4 4"});
  table.add("add.{u16x2,s16x2}", {binary<OfHalves<Add, uint16_t>, U, U, U>, "=4 4 4"});
  table.add("min.u16x2", {binary<OfHalves<Minimum, uint16_t>, U, U, U>, "=4 4 4"});
  table.add("max.u16x2", {binary<OfHalves<Maximum, uint16_t>, U, U, U>, "=4 4 4"});
  table.add("min.s16x2", {binary<OfHalves<Minimum, int16_t>, U, U, U>, "=4 4 4"});
  table.add("max.s16x2", {binary<OfHalves<Maximum, int16_t>, U, U, U>, "=4 4 4"});
  add_carry_opcodes<uint32_t>(table, "{u32,s32}");
  add_carry_opcodes<uint64_t>(table, "{u64,s64}");
  add_dot_opcodes<uint8_t, uint8_t>(table, "u32.u32");
  add_dot_opcodes<int8_t, int8_t>(table, "s32.s32");
  add_dot_opcodes<uint8_t, int8_t>(table, "u32.s32");
  add_dot_opcodes<int8_t, uint8_t>(table, "s32.u32");
  add_dot2_opcodes<uint16_t, uint8_t>(table, "u32.u32");
  add_dot2_opcodes<int16_t, int8_t>(table, "s32.s32");
  add_dot2_opcodes<uint16_t, int8_t>(table, "u32.s32");
  add_dot2_opcodes<int16_t, uint8_t>(table, "s32.u32");
}

}  // namespace gmr::cuda_sim
