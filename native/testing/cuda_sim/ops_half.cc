// Half precision and bfloat16, one number or two in a register: computed in double precision, rounded once.
#include <cmath>

#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/narrow_float.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

struct Add {
  double operator()(double a, double b) const { return multiply_add_to_odd(a, 1, b); }
};
struct Subtract {
  double operator()(double a, double b) const { return multiply_add_to_odd(a, 1, -b); }
};
struct Multiply {
  double operator()(double a, double b) const { return a * b; }
};
struct MultiplyAdd {
  double operator()(double a, double b, double c) const { return multiply_add_to_odd(a, b, c); }
};
struct Minimum {
  double operator()(double a, double b) const {
    if (a != a) return b;
    if (a == b) return std::signbit(a) ? a : b;
    return a < b || b != b ? a : b;
  }
};
struct Maximum {
  double operator()(double a, double b) const { return -Minimum{}(-a, -b); }
};
template <class F>
struct PropagatesNan {
  double operator()(double a, double b) const { return a != a || b != b ? a + b : F{}(a, b); }
};
struct Exponential2 {
  double operator()(double a) const { return std::exp2(a); }
};
struct HyperbolicTangent {
  double operator()(double a) const { return std::tanh(a); }
};

constexpr uint32_t relu_variant = 1u << 8;

template <class F, int sources, int halves, bool is_bfloat>
void half_arithmetic(Warp& warp, const Instruction& i, uint32_t lanes) {
  constexpr FloatFormat format = is_bfloat ? bfloat_format : half_format;
  const Modifiers modifiers = Modifiers::of(i.variant);
  const auto flushed = [&](uint16_t bits) {
    const uint16_t exponent = ((1 << format.exponent_bits) - 1) << format.fraction_bits;
    return static_cast<uint16_t>(modifiers.flushes && (bits & exponent) == 0 ? bits & 0x8000 : bits);
  };
  for_lanes(lanes, [&](int lane) {
    uint16_t result[2];
    for (int half = 0; half < halves; ++half) {
      const auto source = [&](int k) {
        return widen(flushed(warp.row<uint16_t>(i.reg[k + 1])[lane * halves + half]), format);
      };
      double value;
      if constexpr (sources == 1) value = F{}(source(0));
      if constexpr (sources == 2) value = F{}(source(0), source(1));
      if constexpr (sources == 3) value = F{}(source(0), source(1), source(2));
      if (i.variant & relu_variant && value <= 0) value = 0;  // also -0
      if (modifiers.saturates) value = saturate_unit(value);
      result[half] = flushed(narrow(value, format, Rounding::nearest_even));
    }
    std::memcpy(warp.row<uint16_t>(i.reg[0]) + lane * halves, result, halves * sizeof(uint16_t));
  });
}

// Signs are bits: NaN keeps its digits.
template <class T, bool negates>
void sign(Warp& warp, const Instruction& i, uint32_t lanes) {
  constexpr T signs = static_cast<T>(0x80008000u);
  map_lanes<T, T>(warp, i, lanes, [](T a) -> T { return static_cast<T>(negates ? a ^ signs : a & ~signs); });
}

template <class F, int sources, bool is_bfloat>
void add_half(OpcodeTable& table, const std::string& pattern) {
  const std::string type = is_bfloat ? "bf16" : "f16";
  for (const std::string& name : expand_braces(pattern)) {
    const uint32_t variant = Modifiers::of(name).variant() | (has_modifier(name, ".relu") ? relu_variant : 0);
    table.add(name + "." + type,
              {half_arithmetic<F, sources, 1, is_bfloat>, same_width<uint16_t>(sources), Flow::straight, variant});
    table.add(name + "." + type + "x2",
              {half_arithmetic<F, sources, 2, is_bfloat>, same_width<uint32_t>(sources), Flow::straight, variant});
  }
}

}  // namespace

void add_half_opcodes(OpcodeTable& table) {
  add_half<Add, 2, false>(table, "add{,.rn}{,.ftz}{,.sat}");
  add_half<Subtract, 2, false>(table, "sub{,.rn}{,.ftz}{,.sat}");
  add_half<Multiply, 2, false>(table, "mul{,.rn}{,.ftz}{,.sat}");
  add_half<MultiplyAdd, 3, false>(table, "fma.rn{,.ftz}{,.sat,.relu}");
  add_half<Minimum, 2, false>(table, "min{,.ftz}");
  add_half<Maximum, 2, false>(table, "max{,.ftz}");
  add_half<PropagatesNan<Minimum>, 2, false>(table, "min{,.ftz}.NaN");
  add_half<PropagatesNan<Maximum>, 2, false>(table, "max{,.ftz}.NaN");
  add_half<Exponential2, 1, false>(table, "ex2.approx");
  add_half<HyperbolicTangent, 1, false>(table, "tanh.approx");
  add_half<Add, 2, true>(table, "add{,.rn}");
  add_half<Subtract, 2, true>(table, "sub{,.rn}");
  add_half<Multiply, 2, true>(table, "mul{,.rn}");
  add_half<MultiplyAdd, 3, true>(table, "fma.rn{,.relu}");
  add_half<Minimum, 2, true>(table, "min");
  add_half<Maximum, 2, true>(table, "max");
  add_half<PropagatesNan<Minimum>, 2, true>(table, "min.NaN");
  add_half<PropagatesNan<Maximum>, 2, true>(table, "max.NaN");
  add_half<Exponential2, 1, true>(table, "ex2.approx.ftz");
  add_half<HyperbolicTangent, 1, true>(table, "tanh.approx");
  table.add("neg.{f16,bf16}", {sign<uint16_t, true>, "=2 2"});
  table.add("abs.{f16,bf16}", {sign<uint16_t, false>, "=2 2"});
  table.add("neg.{f16x2,bf16x2}", {sign<uint32_t, true>, "=4 4"});
  table.add("abs.{f16x2,bf16x2}", {sign<uint32_t, false>, "=4 4"});
}

}  // namespace gmr::cuda_sim
