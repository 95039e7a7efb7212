// Single and double precision. Approximate instructions are computed exactly and rounded once: their last bits differ
// from the hardware's, within its stated error.
#include <cmath>
#include <limits>

#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/rounding.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return a - b;
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
};
struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};
struct MultiplyAdd {
  template <class T>
  T operator()(T a, T b, T c) const {
    return std::fma(a, b, c);
  }
};
// A number wins against NaN; -0 is less than +0.
struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    if (a != a) return b;
    if (a == b) return std::signbit(a) ? a : b;
    return a < b || b != b ? a : b;
  }
};
struct Maximum {
  template <class T>
  T operator()(T a, T b) const {
    if (a != a) return b;
    if (a == b) return std::signbit(a) ? b : a;
    return a > b || b != b ? a : b;
  }
};
template <class F>
struct PropagatesNan {
  template <class T>
  T operator()(T a, T b) const {
    return a != a || b != b ? bit_cast_to<T>(0x7fffffffu) : F{}(a, b);
  }
};
template <class F>
struct OfThree {
  template <class T>
  T operator()(T a, T b, T c) const {
    return F{}(F{}(a, b), c);
  }
};
struct Negate {
  template <class T>
  T operator()(T a) const {
    return -a;
  }
};
struct Absolute {
  template <class T>
  T operator()(T a) const {
    return std::fabs(a);
  }
};
// d = |b| with the sign of a.
struct CopySign {
  template <class T>
  T operator()(T a, T b) const {
    return std::copysign(b, a);
  }
};
struct SquareRoot {
  template <class T>
  T operator()(T a) const {
    return std::sqrt(a);
  }
};
struct Reciprocal {
  template <class T>
  T operator()(T a) const {
    return T{1} / a;
  }
};
struct ReciprocalSquareRoot {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(1.0 / std::sqrt(static_cast<double>(a)));
  }
};
struct Sine {
  float operator()(float a) const { return static_cast<float>(std::sin(static_cast<double>(a))); }
};
struct Cosine {
  float operator()(float a) const { return static_cast<float>(std::cos(static_cast<double>(a))); }
};
struct Logarithm2 {
  float operator()(float a) const { return static_cast<float>(std::log2(static_cast<double>(a))); }
};
struct Exponential2 {
  float operator()(float a) const { return static_cast<float>(std::exp2(static_cast<double>(a))); }
};
struct HyperbolicTangent {
  float operator()(float a) const { return static_cast<float>(std::tanh(static_cast<double>(a))); }
};
// The upper half of a double alone takes part, as rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 say.
template <class F>
struct OfUpperHalf {
  double operator()(double a) const {
    const auto upper = [](double value) {
      return bit_cast_to<double>(bit_cast_to<uint64_t>(value) & 0xffffffff00000000u);
    };
    return upper(F{}(upper(a)));
  }
};

// With modifiers, one lane after the other.
template <class F, class T, int sources>
__attribute__((noinline)) void careful(Warp& warp, const Instruction& i, uint32_t lanes) {
  const Modifiers modifiers = Modifiers::of(i.variant);
  const auto source = [&](int k, int lane) {
    const T value = warp.row<T>(i.reg[k + 1])[lane];
    return modifiers.flushes ? flush(value) : value;
  };
  const RoundingScope scope(modifiers.rounding);
  for_lanes(lanes, [&](int lane) {
    T value;
    if constexpr (sources == 1) value = F{}(source(0, lane));
    if constexpr (sources == 2) value = F{}(source(0, lane), source(1, lane));
    if constexpr (sources == 3) value = F{}(source(0, lane), source(1, lane), source(2, lane));
    if (modifiers.flushes) value = flush(value);
    if (modifiers.saturates) value = saturate_unit(value);
    warp.row<T>(i.reg[0])[lane] = value;
  });
}

template <class F, class T, int sources>
constexpr Handler plain() {
  if constexpr (sources == 1) {
    return unary<F, T, T>;
  } else if constexpr (sources == 2) {
    return binary<F, T, T, T>;
  } else {
    return ternary<F, T, T, T, T>;
  }
}

template <class F, class T, int sources>
void add_float(OpcodeTable& table, std::string_view pattern) {
  for (const std::string& name : expand_braces(pattern)) {
    const uint32_t variant = Modifiers::of(name).variant();
    const Handler handler = variant == 0 ? plain<F, T, sources>() : careful<F, T, sources>;
    table.add(name, {handler, same_width<T>(sources), Flow::straight, variant});
  }
}

// Two numbers in a register of 64 bits.
template <class F, int sources>
void of_pairs(Warp& warp, const Instruction& i, uint32_t lanes) {
  const Modifiers modifiers = Modifiers::of(i.variant);
  const RoundingScope scope(modifiers.rounding);
  for_lanes(lanes, [&](int lane) {
    float result[2];
    for (int half = 0; half < 2; ++half) {
      const auto source = [&](int k) {
        const float value = warp.row<float>(i.reg[k + 1])[2 * lane + half];
        return modifiers.flushes ? flush(value) : value;
      };
      if constexpr (sources == 2) result[half] = F{}(source(0), source(1));
      if constexpr (sources == 3) result[half] = F{}(source(0), source(1), source(2));
      if (modifiers.flushes) result[half] = flush(result[half]);
    }
    std::memcpy(warp.row<double>(i.reg[0]) + lane, result, sizeof result);
  });
}

template <class F, int sources>
void add_pairs(OpcodeTable& table, std::string_view pattern) {
  for (const std::string& name : expand_braces(pattern)) {
    table.add(name,
              {of_pairs<F, sources>, same_width<uint64_t>(sources), Flow::straight, Modifiers::of(name).variant()});
  }
}

// min and max take two numbers or three.
template <class F>
void minimum_or_maximum(Warp& warp, const Instruction& i, uint32_t lanes) {
  if (i.form == 0) {
    careful<F, float, 2>(warp, i, lanes);
  } else {
    careful<OfThree<F>, float, 3>(warp, i, lanes);
  }
}

template <class F>
void add_minimum_or_maximum(OpcodeTable& table, const std::string& name) {
  for (const std::string flush : {"", ".ftz"}) {
    const uint32_t variant = Modifiers::of(name + flush).variant();
    table.add(name + flush + ".f32", {minimum_or_maximum<F>, "=4 4 4/=4 4 4 4", Flow::straight, variant});
    table.add(name + flush + ".NaN.f32",
              {minimum_or_maximum<PropagatesNan<F>>, "=4 4 4/=4 4 4 4", Flow::straight, variant});
  }
}

enum class Property : uint32_t { finite, infinite, number, notanumber, normal, subnormal };

template <class T>
void test_property(Warp& warp, const Instruction& i, uint32_t lanes) {
  const T* const a = warp.row<T>(i.reg[1]);
  uint32_t result = 0;
  for_lanes(lanes, [&](int lane) {
    bool holds = false;
    switch (static_cast<Property>(i.variant)) {
      case Property::finite:
        holds = std::isfinite(a[lane]);
        break;
      case Property::infinite:
        holds = std::isinf(a[lane]);
        break;
      case Property::number:
        holds = !std::isnan(a[lane]);
        break;
      case Property::notanumber:
        holds = std::isnan(a[lane]);
        break;
      case Property::normal:
        holds = std::isnormal(a[lane]);
        break;
      case Property::subnormal:
        holds = std::fpclassify(a[lane]) == FP_SUBNORMAL;
        break;
    }
    result |= uint32_t{holds} << lane;
  });
  warp.set_predicate(i.reg[0], lanes, result);
}

template <class T>
void add_test_opcodes(OpcodeTable& table, const std::string& type) {
  const char* const names[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  for (uint32_t i = 0; i < 6; ++i) {
    table.add("testp." + std::string(names[i]) + type, {test_property<T>, "=p " + bytes<T>(), Flow::straight, i});
  }
}

}  // namespace

void add_float_opcodes(OpcodeTable& table) {
  add_float<Add, float, 2>(table, "add{,.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32");
  add_float<Add, double, 2>(table, "add{,.rn,.rz,.rm,.rp}.f64");
  add_float<Subtract, float, 2>(table, "sub{,.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32");
  add_float<Subtract, double, 2>(table, "sub{,.rn,.rz,.rm,.rp}.f64");
  add_float<Multiply, float, 2>(table, "mul{,.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32");
  add_float<Multiply, double, 2>(table, "mul{,.rn,.rz,.rm,.rp}.f64");
  add_float<MultiplyAdd, float, 3>(table, "{fma,mad}{.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32");
  add_float<MultiplyAdd, double, 3>(table, "{fma,mad}{.rn,.rz,.rm,.rp}.f64");
  add_float<Divide, float, 2>(table, "div{.rn,.rz,.rm,.rp,.approx,.full}{,.ftz}.f32");
  add_float<Divide, double, 2>(table, "div{.rn,.rz,.rm,.rp}.f64");
  add_float<Reciprocal, float, 1>(table, "rcp{.rn,.rz,.rm,.rp,.approx}{,.ftz}.f32");
  add_float<Reciprocal, double, 1>(table, "rcp{.rn,.rz,.rm,.rp}.f64");
  add_float<SquareRoot, float, 1>(table, "sqrt{.rn,.rz,.rm,.rp,.approx}{,.ftz}.f32");
  add_float<SquareRoot, double, 1>(table, "sqrt{.rn,.rz,.rm,.rp}.f64");
  add_float<ReciprocalSquareRoot, float, 1>(table, "rsqrt.approx{,.ftz}.f32");
  add_float<ReciprocalSquareRoot, double, 1>(table, "rsqrt.approx.f64");
  add_float<OfUpperHalf<Reciprocal>, double, 1>(table, "rcp.approx.ftz.f64");
  add_float<OfUpperHalf<ReciprocalSquareRoot>, double, 1>(table, "rsqrt.approx.ftz.f64");
  add_float<Sine, float, 1>(table, "sin.approx{,.ftz}.f32");
  add_float<Cosine, float, 1>(table, "cos.approx{,.ftz}.f32");
  add_float<Logarithm2, float, 1>(table, "lg2.approx{,.ftz}.f32");
  add_float<Exponential2, float, 1>(table, "ex2.approx{,.ftz}.f32");
  add_float<HyperbolicTangent, float, 1>(table, "tanh.approx.f32");
  add_float<Negate, float, 1>(table, "neg{,.ftz}.f32");
  add_float<Negate, double, 1>(table, "neg.f64");
  add_float<Absolute, float, 1>(table, "abs{,.ftz}.f32");
  add_float<Absolute, double, 1>(table, "abs.f64");
  add_float<CopySign, float, 2>(table, "copysign.f32");
  add_float<CopySign, double, 2>(table, "copysign.f64");
  add_minimum_or_maximum<Minimum>(table, "min");
  add_minimum_or_maximum<Maximum>(table, "max");
  add_float<Minimum, double, 2>(table, "min.f64");
  add_float<Maximum, double, 2>(table, "max.f64");
  add_pairs<Add, 2>(table, "add{,.rn}.f32x2");
  add_pairs<Subtract, 2>(table, "sub{,.rn}.f32x2");
  add_pairs<Multiply, 2>(table, "mul{,.rn}.f32x2");
  add_pairs<MultiplyAdd, 3>(table, "fma.rn.f32x2");
  add_test_opcodes<float>(table, ".f32");
  add_test_opcodes<double>(table, ".f64");
}

}  // namespace gmr::cuda_sim
