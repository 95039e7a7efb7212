#include <algorithm>
#include <cmath>

#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

using Int = __int128;

template <class F>
void for_all_integers(F f) {
  f(Named<int8_t>{"s8"});
  f(Named<uint8_t>{"u8"});
  for_integer_types(f);
}

// Results are read from registers of 64 bits, to see how the narrow ones are extended.
template <class D>
std::string store_wide() {
  return "cvt." + std::string(std::is_signed_v<D> ? "s64.s32" : "u64.u32") + " %d, %r5;";
}

GMR_SIM_TEST(conversion_integer_integer) {
  for_all_integers([]<class S>(S source) {
    for_all_integers([&]<class T>(T target) {
      using D = typename T::type;
      using A = typename S::type;
      const std::string types = std::string(".") + target.name + "." + source.name + " ";
      const std::string load = sizeof(A) == 1 ? "and.b16 %a, %a, 255;\n" : "";
      const auto wrapped = [](A a) { return static_cast<int64_t>(static_cast<D>(a)); };
      const auto clamped = [](A a) {
        return static_cast<int64_t>(
            static_cast<D>(std::clamp<Int>(a, std::numeric_limits<D>::min(), std::numeric_limits<D>::max())));
      };
      if constexpr (sizeof(D) == 8) {
        expect_unary<int64_t, A>(load + "cvt" + types + "%d, %a;", wrapped);
        expect_unary<int64_t, A>(load + "cvt.sat" + types + "%d, %a;", clamped);
      } else if constexpr (sizeof(D) == 4) {
        expect_unary<int64_t, A>(load + "cvt" + types + "%r5, %a;\n" + store_wide<D>(), wrapped);
        expect_unary<int64_t, A>(load + "cvt.sat" + types + "%r5, %a;\n" + store_wide<D>(), clamped);
      } else {
        // Into 32 bits, extended by the type's sign.
        expect_unary<int64_t, A>(load + "cvt" + types + "%r5, %a;\n" + store_wide<D>(), wrapped);
        expect_unary<int64_t, A>(load + "cvt.sat" + types + "%r5, %a;\n" + store_wide<D>(), clamped);
      }
    });
  });
}

template <class F>
F nearest(Int a) {
  return static_cast<F>(a);
}

GMR_SIM_TEST(conversion_integer_to_float) {
  for_all_integers([]<class S>(S source) {
    using A = typename S::type;
    const std::string name = source.name;
    expect_unary<float, A>("cvt.rn.f32." + name + " %d, %a;", [](A a) { return static_cast<float>(Int{a}); });
    expect_unary<double, A>("cvt.rn.f64." + name + " %d, %a;", [](A a) { return static_cast<double>(Int{a}); });
    const auto directed = [](A a, int direction) {
      float near = static_cast<float>(Int{a});
      const double difference = static_cast<double>(Int(static_cast<long double>(near)) - Int{a});
      if (direction < 0 && difference > 0) near = std::nextafter(near, -INFINITY);
      if (direction > 0 && difference < 0) near = std::nextafter(near, INFINITY);
      return near;
    };
    expect_unary<float, A>("cvt.rm.f32." + name + " %d, %a;", [&](A a) { return directed(a, -1); });
    expect_unary<float, A>("cvt.rp.f32." + name + " %d, %a;", [&](A a) { return directed(a, 1); });
    expect_unary<float, A>("cvt.rz.f32." + name + " %d, %a;", [&](A a) { return directed(a, a < 0 ? 1 : -1); });
  });
}

template <class D, class S>
D to_integer(S a, const char* mode) {
  if (std::isnan(a)) return sizeof(D) == 8 || sizeof(S) == 8 ? static_cast<D>(uint64_t{1} << (bits_of<D> - 1)) : D{0};
  const std::string name = mode;
  S whole = a;
  if (name == ".rzi") whole = std::trunc(a);
  if (name == ".rmi") whole = std::floor(a);
  if (name == ".rpi") whole = std::ceil(a);
  if (name == ".rni") whole = std::nearbyint(a);
  if (whole >= S(1.7e38)) return std::numeric_limits<D>::max();
  if (whole <= S(-1.7e38)) return std::numeric_limits<D>::min();
  return static_cast<D>(
      std::clamp<Int>(static_cast<Int>(whole), std::numeric_limits<D>::min(), std::numeric_limits<D>::max()));
}

template <class S>
void expect_float_to_integer(const std::string& type) {
  std::vector<S> v = values_of<S>(20);
  for (const double x :
       {0.5, 1.5, 2.5, -0.5, -2.5, 127.5, 255.9, -128.7, 65535.5, 2147483647.0, 4294967295.0, 9.3e18, 1.9e19, -9.3e18})
    v.push_back(static_cast<S>(x));
  for_integer_types([&]<class T>(T target) {
    using D = typename T::type;
    for (const char* mode : {".rni", ".rzi", ".rmi", ".rpi"}) {
      expect_unary<D, S>(
          "cvt" + std::string(mode) + "." + target.name + "." + type + " %d, %a;",
          [&](S a) { return to_integer<D, S>(a, mode); }, v);
    }
  });
  expect_unary<uint32_t, S>(
      "cvt.rzi.s8." + type + " %d, %a;", [](S a) { return static_cast<uint32_t>(to_integer<int8_t, S>(a, ".rzi")); },
      v);
  expect_unary<uint32_t, S>(
      "cvt.rzi.u8." + type + " %d, %a;", [](S a) { return uint32_t{to_integer<uint8_t, S>(a, ".rzi")}; }, v);
}

GMR_SIM_TEST(conversion_float_to_integer) {
  expect_float_to_integer<float>("f32");
  expect_float_to_integer<double>("f64");
}

GMR_SIM_TEST(conversion_float_float) {
  using F = float;
  using D = double;
  const std::vector<F> f = {0, -0.0f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 0.3f, -7.7f, 1e20f, 1e-40f, INFINITY, NAN};
  expect_unary<F, F>(
      "cvt.rni.f32.f32 %d, %a;", [](F a) { return std::nearbyint(a); }, f);
  expect_unary<F, F>(
      "cvt.rzi.f32.f32 %d, %a;", [](F a) { return std::trunc(a); }, f);
  expect_unary<F, F>(
      "cvt.rmi.f32.f32 %d, %a;", [](F a) { return std::floor(a); }, f);
  expect_unary<F, F>(
      "cvt.rpi.f32.f32 %d, %a;", [](F a) { return std::ceil(a); }, f);
  expect_unary<F, F>(
      "cvt.sat.f32.f32 %d, %a;", [](F a) { return a > 0 ? std::min(a, 1.0f) : 0.0f; }, f);
  expect_unary<F, F>(
      "cvt.ftz.f32.f32 %d, %a;", [](F a) { return a == 1e-40f ? 0.0f : a; }, f);
  const std::vector<D> d = {0, -0.0, 0.5, 2.5, -3.7, 0.1, 1e300, -1e300, 1e-300, INFINITY, NAN};
  expect_unary<D, D>(
      "cvt.rni.f64.f64 %d, %a;", [](D a) { return std::nearbyint(a); }, d);
  expect_unary<D, D>(
      "cvt.rmi.f64.f64 %d, %a;", [](D a) { return std::floor(a); }, d);
  expect_unary<D, D>(
      "cvt.sat.f64.f64 %d, %a;", [](D a) { return a > 0 ? std::min(a, 1.0) : 0.0; }, d);
  expect_unary<D, F>(
      "cvt.f64.f32 %d, %a;", [](F a) { return D{a}; }, f);
  expect_unary<F, D>(
      "cvt.rn.f32.f64 %d, %a;", [](D a) { return static_cast<F>(a); }, d);
  const std::vector<D> inexact = {0.1, -0.1, 1e10 + 0.3, -1234.56789};
  const auto toward = [](D a, F limit) {
    const F near = static_cast<F>(a);
    return (limit < 0 ? D{near} > a : D{near} < a) ? std::nextafter(near, limit) : near;
  };
  expect_unary<F, D>(
      "cvt.rm.f32.f64 %d, %a;", [&](D a) { return toward(a, -INFINITY); }, inexact);
  expect_unary<F, D>(
      "cvt.rp.f32.f64 %d, %a;", [&](D a) { return toward(a, INFINITY); }, inexact);
  expect_unary<F, D>(
      "cvt.rz.f32.f64 %d, %a;", [&](D a) { return toward(a, a < 0 ? INFINITY : -INFINITY); }, inexact);
}

// The compiler's own half precision, and bfloat16 by its definition as the upper half of a float.
uint16_t half_bits(float a) { return bit_cast_to<uint16_t>(static_cast<_Float16>(a)); }
uint16_t bfloat_bits(float a) {
  if (std::isnan(a)) return 0x7fff;
  const uint32_t bits = bit_cast_to<uint32_t>(a);
  const uint32_t rest = bits & 0xffff;
  const bool up = rest > 0x8000 || (rest == 0x8000 && bits & 0x10000);
  return static_cast<uint16_t>((bits >> 16) + up);
}

std::vector<float> narrow_values() {
  std::vector<float> v = {0,       -0.0f,    1,           1.0009765f,  1.00048828125f, 1.00146484375f, 65504,
                          65519,   65520,    1e6f,        -1e6f,       6e-8f,          2.9e-8f,        3.1e-8f,
                          1e-5f,   6.1e-5f,  1.00390625f, 1.01171875f, 3.39e38f,       3.4e38f,        1e-40f,
                          -1e-41f, INFINITY, -INFINITY,   NAN};
  std::mt19937 random(9);
  for (int i = 0; i < 300; ++i) v.push_back(bit_cast_to<float>(static_cast<uint32_t>(random())));
  for (int i = 0; i < 300; ++i) v.push_back(static_cast<float>(int(random() % 200001) - 100000) / 977.0f);
  return v;
}

bool same_narrow(uint16_t a, uint16_t b, uint16_t infinity) {
  return a == b || ((a & 0x7fff) > infinity && (b & 0x7fff) > infinity);
}

GMR_SIM_TEST(conversion_narrow_float) {
  const std::vector<float> v = narrow_values();
  const auto check = [&](const std::string& body, auto wanted, uint16_t infinity) {
    const std::vector<uint16_t> d = evaluate<uint16_t>(body, v);
    for (size_t i = 0; i < v.size(); ++i)
      expect(same_narrow(d[i], wanted(v[i]), infinity), body + " of " + shown(v[i]) + " gave " + std::to_string(d[i]));
  };
  check("cvt.rn.f16.f32 %d, %a;", half_bits, 0x7c00);
  check("cvt.rn.bf16.f32 %d, %a;", bfloat_bits, 0x7f80);
  check(
      "cvt.rz.bf16.f32 %d, %a;",
      [](float a) { return std::isnan(a) ? uint16_t{0x7fff} : uint16_t(bit_cast_to<uint32_t>(a) >> 16); }, 0x7f80);
  check(
      "cvt.rn.relu.bf16.f32 %d, %a;",
      [](float a) { return std::isnan(a) ? uint16_t{0x7fff}
                           : a > 0       ? bfloat_bits(a)
                                         : uint16_t{0}; }, 0x7f80);
  check(
      "cvt.rn.satfinite.bf16.f32 %d, %a;",
      [](float a) {
        const uint16_t bits = bfloat_bits(a);
        return uint16_t((bits & 0x7fff) == 0x7f80 ? bits - 1 : bits);
      },
      0x7f80);
  check(
      "cvt.rz.f16.f32 %d, %a;",
      [](float a) {
        const uint16_t bits = half_bits(a);
        const auto magnitude = [](uint16_t b) { return std::fabs(static_cast<float>(bit_cast_to<_Float16>(b))); };
        return uint16_t(std::isfinite(a) && magnitude(bits) > std::fabs(a) ? bits - 1 : bits);
      },
      0x7c00);
  const auto pairs = [&](const std::string& type, auto bits, uint16_t infinity) {
    const std::vector<float> reversed(v.rbegin(), v.rend());
    const std::vector<uint32_t> d = evaluate<uint32_t>("cvt.rn." + type + "x2.f32 %d, %a, %b;", v, reversed);
    for (size_t i = 0; i < v.size(); ++i) {
      expect(same_narrow(uint16_t(d[i] >> 16), bits(v[i]), infinity) &&
                 same_narrow(uint16_t(d[i]), bits(reversed[i]), infinity),
             "two to " + type);
    }
  };
  pairs("f16", half_bits, 0x7c00);
  pairs("bf16", bfloat_bits, 0x7f80);
}

GMR_SIM_TEST(conversion_widen) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  const auto half = [](uint16_t a) { return bit_cast_to<_Float16>(a); };
  const auto bfloat = [](uint16_t a) { return bit_cast_to<float>(uint32_t{a} << 16); };
  expect_unary<float, uint16_t>(
      "cvt.f32.f16 %d, %a;", [&](uint16_t a) { return static_cast<float>(half(a)); }, all);
  expect_unary<double, uint16_t>(
      "cvt.f64.f16 %d, %a;", [&](uint16_t a) { return static_cast<double>(half(a)); }, all);
  expect_unary<float, uint16_t>("cvt.f32.bf16 %d, %a;", bfloat, all);
  expect_unary<double, uint16_t>(
      "cvt.f64.bf16 %d, %a;", [&](uint16_t a) { return double{bfloat(a)}; }, all);
  expect_unary<uint16_t, double>("cvt.rn.f16.f64 %d, %a;",
                                 [](double a) { return bit_cast_to<uint16_t>(static_cast<_Float16>(a)); },
                                 {0, 1, 0.1, 1.00048828125000001, 65520});
}

GMR_SIM_TEST(conversion_narrow_float_integer) {
  std::vector<uint16_t> some;
  for (uint32_t i = 0; i < 65536; i += 37) some.push_back(static_cast<uint16_t>(i));
  for_all_integers([&]<class T>(T target) {
    using D = typename T::type;
    const std::string name = target.name;
    const std::string extend = std::string("\ncvt.") + (std::is_signed_v<D> ? "s64." : "u64.") + name + " %d, %rd5;";
    for (const char* mode : {".rni", ".rzi", ".rmi", ".rpi"}) {
      const auto wanted = [&](float a) { return static_cast<int64_t>(to_integer<D, float>(a, mode)); };
      expect_unary<int64_t, uint16_t>(
          "cvt" + std::string(mode) + "." + name + ".f16 %rd5, %a;" + extend,
          [&](uint16_t a) { return wanted(static_cast<float>(bit_cast_to<_Float16>(a))); }, some);
      expect_unary<int64_t, uint16_t>(
          "cvt" + std::string(mode) + "." + name + ".bf16 %rd5, %a;" + extend,
          [&](uint16_t a) { return wanted(bit_cast_to<float>(uint32_t{a} << 16)); }, some);
    }
    if constexpr (sizeof(D) < 8) {
      // Below 2^24, so that the compiler's single precision holds them.
      std::vector<D> v;
      for (const D x : values_of<D>(60)) v.push_back(sizeof(D) == 4 ? static_cast<D>(x % 10000000) : x);
      expect_unary<uint16_t, D>(
          "cvt.rn.f16." + name + " %d, %a;", [](D a) { return half_bits(static_cast<float>(a)); }, v);
      expect_unary<uint16_t, D>(
          "cvt.rn.bf16." + name + " %d, %a;", [](D a) { return bfloat_bits(static_cast<float>(a)); }, v);
    }
  });
  expect_unary<uint16_t, double>("cvt.rn.bf16.f64 %d, %a;", [](double a) { return bfloat_bits(static_cast<float>(a)); },
                                 {0, 1, -0.1, 3e38, 1e-40});
}

GMR_SIM_TEST(conversion_tf32) {
  const std::vector<float> v = narrow_values();
  // By the distance to the two neighbours with 13 zero digits.
  const auto wanted = [](float a, int mode) {
    if (std::isnan(a)) return std::numeric_limits<float>::quiet_NaN();
    if (std::isinf(a)) return a;
    const uint32_t bits = bit_cast_to<uint32_t>(a);
    const double below = bit_cast_to<float>(bits & ~0x1fffu);
    const uint32_t above_bits = (bits & ~0x1fffu) + 0x2000;
    const bool infinite = (above_bits & 0x7f800000u) == 0x7f800000u;
    const double above = infinite ? std::copysign(std::ldexp(1.0, 128), a) : double{bit_cast_to<float>(above_bits)};
    const double to_below = std::fabs(a - below);
    const double to_above = std::fabs(above - a);
    const bool even = (bits >> 13 & 1) == 0;
    const bool up = mode == 2 ? false : to_above < to_below || (to_above == to_below && (mode == 0 || !even));
    return up ? static_cast<float>(above) : static_cast<float>(below);
  };
  expect_unary<float, float>(
      "cvt.rna.tf32.f32 %d, %a;", [&](float a) { return wanted(a, 0); }, v);
  expect_unary<float, float>(
      "cvt.rn.tf32.f32 %d, %a;", [&](float a) { return wanted(a, 1); }, v);
  expect_unary<float, float>(
      "cvt.rz.tf32.f32 %d, %a;", [&](float a) { return wanted(a, 2); }, v);
  expect_unary<float, float>(
      "cvt.rn.relu.tf32.f32 %d, %a;",
      [&](float a) { return std::signbit(wanted(a, 1)) && !std::isnan(a) ? 0.0f : wanted(a, 1); }, v);
  expect_unary<float, float>(
      "cvt.rna.satfinite.tf32.f32 %d, %a;",
      [&](float a) {
        const float near = wanted(a, 0);
        return std::isinf(near) ? std::copysign(bit_cast_to<float>(0x7f7fe000u), a) : near;
      },
      v);
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
