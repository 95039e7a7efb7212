// cvt between all types. A register may be wider than the type that it holds.
#include <algorithm>
#include <cmath>
#include <limits>

#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/narrow_float.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

enum Options : uint32_t { to_integral = 1u << 4, relu = 1u << 5, saturate_finite = 1u << 6, ties_away = 1u << 7 };

double round_to_integral(double value, Rounding rounding) {
  switch (rounding) {
    case Rounding::toward_zero:
      return std::trunc(value);
    case Rounding::down:
      return std::floor(value);
    case Rounding::up:
      return std::ceil(value);
    case Rounding::nearest_even:
      break;
  }
  const double below = std::floor(value);
  const double rest = value - below;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(below, 2) != 0);
  return std::copysign(up ? below + 1 : below, value);
}

// What is too large becomes the largest; NaN becomes 0, or the top bit alone where either side has 64 bits.
template <class D, class S>
D float_to_integer(double value, Rounding rounding) {
  if (value != value) {
    const bool long_type = sizeof(D) == 8 || sizeof(S) == 8;
    return long_type ? static_cast<D>(uint64_t{1} << (bits_of<D> - 1)) : D{0};
  }
  const double whole = round_to_integral(value, rounding);
  constexpr D least = std::numeric_limits<D>::min();
  constexpr D most = std::numeric_limits<D>::max();
  if (whole <= static_cast<double>(least)) return least;
  if (whole >= std::ldexp(1.0, bits_of<D> - (std::is_signed_v<D> ? 1 : 0))) return most;
  return static_cast<D>(whole);
}

template <class D>
constexpr bool is_narrow = std::is_same_v<D, Half> || std::is_same_v<D, Bfloat>;

template <class D>
D narrow_to(double value, uint32_t variant) {
  const Modifiers modifiers = Modifiers::of(variant);
  constexpr FloatFormat format = std::is_same_v<D, Half> ? half_format : bfloat_format;
  if (modifiers.saturates) value = saturate_unit(value);
  if (variant & relu && !(value > 0) && value == value) value = 0;
  return {narrow(value, format, modifiers.rounding, (variant & saturate_finite) != 0)};
}

template <class D, class S>
D convert(S source, uint32_t variant) {
  const Modifiers modifiers = Modifiers::of(variant);
  if constexpr (std::is_integral_v<S> && std::is_integral_v<D>) {
    if (!modifiers.saturates) return static_cast<D>(source);
    const __int128 wide = source;
    return static_cast<D>(std::clamp<__int128>(wide, std::numeric_limits<D>::min(), std::numeric_limits<D>::max()));
  } else if constexpr (std::is_integral_v<D>) {
    double value = source;
    if constexpr (std::is_same_v<S, float>) value = modifiers.flushes ? flush(source) : source;
    return float_to_integer<D, S>(value, modifiers.rounding);
  } else if constexpr (is_narrow<D>) {
    if constexpr (std::is_same_v<S, float>) source = modifiers.flushes ? flush(source) : source;
    return narrow_to<D>(static_cast<double>(source), variant);
  } else if constexpr (std::is_integral_v<S>) {
    const D value = static_cast<D>(source);
    return modifiers.saturates ? saturate_unit(value) : value;
  } else {
    double value = source;
    if constexpr (std::is_same_v<S, float>) value = modifiers.flushes ? flush(source) : source;
    if (variant & to_integral) value = round_to_integral(value, modifiers.rounding);
    D result = static_cast<D>(value);
    if (modifiers.saturates) result = saturate_unit(result);
    return modifiers.flushes ? flush(result) : result;
  }
}

template <class D, class S>
__attribute__((noinline)) void cvt_slow(Warp& warp, const Instruction& i, uint32_t lanes) {
  const RoundingScope scope(i.variant & to_integral || is_narrow<D> ? Rounding::nearest_even
                                                                    : Modifiers::of(i.variant).rounding);
  for_lanes(lanes, [&](int lane) {
    const uint64_t bits = warp.read(i.reg[1], i.width[1], lane);
    S source;
    std::memcpy(&source, &bits, sizeof source);
    const D result = convert<D, S>(source, i.variant);
    uint64_t written = 0;
    if constexpr (std::is_integral_v<D>) {
      written = static_cast<uint64_t>(result);  // extended by its sign
    } else {
      std::memcpy(&written, &result, sizeof result);
    }
    warp.write(i.reg[0], i.width[0], lane, written);
  });
}

template <class D, class S>
void cvt(Warp& warp, const Instruction& i, uint32_t lanes) {
  if constexpr (std::is_arithmetic_v<D> && std::is_arithmetic_v<S>) {
    constexpr bool casts = !(std::is_floating_point_v<S> && std::is_integral_v<D>);
    if (casts && i.variant == 0 && i.width[0] == sizeof(D) && i.width[1] == sizeof(S)) {
      map_lanes<D, S>(warp, i, lanes, [](S source) -> D { return static_cast<D>(source); });
      return;
    }
  }
  cvt_slow<D, S>(warp, i, lanes);
}

template <class D, class S>
void add_cvt(OpcodeTable& table, const std::string& pattern) {
  for (const std::string& name : expand_braces(pattern)) {
    uint32_t variant = Modifiers::of(name).variant();
    for (const char* modifier : {".rni", ".rzi", ".rmi", ".rpi"}) {
      if (has_modifier(name, modifier) && !std::is_integral_v<D>) variant |= to_integral;
    }
    if (has_modifier(name, ".relu")) variant |= relu;
    if (has_modifier(name, ".satfinite")) variant |= saturate_finite;
    table.add(name, {cvt<D, S>, "=" + bytes<D>() + "+ " + bytes<S>() + "+", Flow::straight, variant});
  }
}

template <class D, class S>
void narrow_two(Warp& warp, const Instruction& i, uint32_t lanes) {
  uint32_t* const d = warp.row<uint32_t>(i.reg[0]);
  const S* const high = warp.row<S>(i.reg[1]);
  const S* const low = warp.row<S>(i.reg[2]);
  for_lanes(lanes, [&](int lane) {
    d[lane] = uint32_t{narrow_to<D>(high[lane], i.variant).bits} << 16 | narrow_to<D>(low[lane], i.variant).bits;
  });
}

template <class D>
void add_narrow_two(OpcodeTable& table, const std::string& type) {
  for (const std::string& name : expand_braces("cvt{.rn,.rz}{,.relu}{,.satfinite}." + type + "x2.f32")) {
    uint32_t variant = Modifiers::of(name).variant();
    if (has_modifier(name, ".relu")) variant |= relu;
    if (has_modifier(name, ".satfinite")) variant |= saturate_finite;
    table.add(name, {narrow_two<D, float>, "=4 4 4", Flow::straight, variant});
  }
}

// 10 digits behind the point; the register's other 13 bits are zero.
void cvt_tf32(Warp& warp, const Instruction& i, uint32_t lanes) {
  map_lanes<uint32_t, uint32_t>(warp, i, lanes, [&](uint32_t a) -> uint32_t {
    const uint32_t exponent = a & 0x7f800000u;
    const bool finite = exponent != 0x7f800000u;
    if (!finite && (a & 0x007fffffu) != 0) return 0x7fffffffu;
    uint32_t rounded = a;
    if (finite && i.variant & ties_away) {
      rounded = a + 0x1000u;
    } else if (finite && Modifiers::of(i.variant).rounding == Rounding::nearest_even) {
      rounded = a + 0xfffu + (a >> 13 & 1);
    }
    rounded &= ~0x1fffu;
    if (i.variant & saturate_finite && (rounded & 0x7f800000u) == 0x7f800000u)
      rounded = (a & 0x80000000u) | 0x7f7fe000u;
    if (i.variant & relu && rounded >> 31) rounded = 0;
    return rounded;
  });
}

template <class F>
void for_converted_integers(F f) {
  f(Named<int8_t>{"s8"});
  f(Named<uint8_t>{"u8"});
  for_integer_types(f);
}

}  // namespace

void add_conversion_opcodes(OpcodeTable& table) {
  for_converted_integers([&]<class I>(I integer) {
    using T = typename I::type;
    const std::string name = integer.name;
    for_converted_integers(
        [&]<class D>(D to) { add_cvt<typename D::type, T>(table, "cvt{,.sat}." + std::string(to.name) + "." + name); });
    add_cvt<float, T>(table, "cvt{.rn,.rz,.rm,.rp}{,.sat}.f32." + name);
    add_cvt<double, T>(table, "cvt{.rn,.rz,.rm,.rp}{,.sat}.f64." + name);
    add_cvt<T, float>(table, "cvt{.rni,.rzi,.rmi,.rpi}{,.ftz}{,.sat}." + name + ".f32");
    add_cvt<T, double>(table, "cvt{.rni,.rzi,.rmi,.rpi}{,.sat}." + name + ".f64");
    add_cvt<T, Half>(table, "cvt{.rni,.rzi,.rmi,.rpi}." + name + ".f16");
    add_cvt<T, Bfloat>(table, "cvt{.rni,.rzi,.rmi,.rpi}." + name + ".bf16");
    if constexpr (sizeof(T) < 8) {
      // An integer of 64 bits would be rounded twice.
      add_cvt<Half, T>(table, "cvt{.rn,.rz,.rm,.rp}{,.sat}.f16." + name);
      add_cvt<Bfloat, T>(table, "cvt{.rn,.rz,.rm,.rp}.bf16." + name);
    }
  });
  add_cvt<float, float>(table, "cvt{,.rni,.rzi,.rmi,.rpi}{,.ftz}{,.sat}.f32.f32");
  add_cvt<double, double>(table, "cvt{,.rni,.rzi,.rmi,.rpi}{,.sat}.f64.f64");
  add_cvt<float, double>(table, "cvt{.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32.f64");
  add_cvt<double, float>(table, "cvt{,.ftz}{,.sat}.f64.f32");
  add_cvt<float, Half>(table, "cvt{,.ftz}{,.sat}.f32.f16");
  add_cvt<double, Half>(table, "cvt{,.sat}.f64.f16");
  add_cvt<Half, float>(table, "cvt{.rn,.rz,.rm,.rp}{,.ftz,.sat}.f16.f32");
  add_cvt<Half, float>(table, "cvt{.rn,.rz}{.relu,.satfinite,.relu.satfinite}.f16.f32");
  add_cvt<Half, double>(table, "cvt{.rn,.rz,.rm,.rp}{,.sat}.f16.f64");
  add_cvt<float, Bfloat>(table, "cvt.f32.bf16");
  add_cvt<double, Bfloat>(table, "cvt.f64.bf16");
  add_cvt<Bfloat, float>(table, "cvt{.rn,.rz}{,.relu}{,.satfinite}.bf16.f32");
  add_cvt<Bfloat, float>(table, "cvt{.rm,.rp}.bf16.f32");
  add_cvt<Bfloat, double>(table, "cvt{.rn,.rz,.rm,.rp}.bf16.f64");
  add_narrow_two<Half>(table, "f16");
  add_narrow_two<Bfloat>(table, "bf16");
  table.add("cvt.rna.tf32.f32", {cvt_tf32, "=4 4", Flow::straight, ties_away});
  table.add("cvt.rna.satfinite.tf32.f32", {cvt_tf32, "=4 4", Flow::straight, ties_away | saturate_finite});
  for (const std::string name : {"cvt.rn.tf32.f32", "cvt.rz.tf32.f32", "cvt.rn.relu.tf32.f32"}) {
    uint32_t variant = Modifiers::of(name).variant();
    if (has_modifier(name, ".relu")) variant |= relu;
    table.add(name, {cvt_tf32, "=4 4", Flow::straight, variant});
  }
}

}  // namespace gmr::cuda_sim
