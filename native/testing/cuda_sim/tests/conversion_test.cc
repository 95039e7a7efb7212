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

// The neighbour in the direction of a mode, from the nearest and how far the exact number is from it.
template <class F>
F directed(F near, Int exact_minus_near, const std::string& mode) {
  const bool down = mode == ".rm" || (mode == ".rz" && near > 0);
  const bool up = mode == ".rp" || (mode == ".rz" && near < 0);
  if (down && exact_minus_near < 0) return std::nextafter(near, -std::numeric_limits<F>::infinity());
  if (up && exact_minus_near > 0) return std::nextafter(near, std::numeric_limits<F>::infinity());
  return near;
}

GMR_SIM_TEST(conversion_integer_to_float) {
  for_all_integers([]<class S>(S source) {
    using A = typename S::type;
    const std::string name = source.name;
    const auto check = [&]<class F>(const std::string& type, F) {
      for (const std::string mode : {".rn", ".rz", ".rm", ".rp"}) {
        const auto wanted = [&](A a) {
          const F near = static_cast<F>(Int{a});
          return directed(near, Int{a} - static_cast<Int>(near), mode);
        };
        const std::string end = "." + type + "." + name + " %d, %a;";
        expect_unary<F, A>("cvt" + mode + end, wanted);
        expect_unary<F, A>("cvt" + mode + ".sat" + end, [](A a) { return static_cast<F>(a > 0); });
      }
    };
    check("f32", float{});
    check("f64", double{});
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
  v.push_back(static_cast<S>(1e-40));
  v.push_back(static_cast<S>(-1e-40));
  for_all_integers([&]<class T>(T target) {
    using D = typename T::type;
    // Bytes come in registers of 32 bits, extended by their sign.
    using Result = std::conditional_t<sizeof(D) == 1, uint32_t, D>;
    for (const char* mode : {".rni", ".rzi", ".rmi", ".rpi"}) {
      for (const std::string flush : {"", ".ftz"}) {
        if (sizeof(S) == 8 && !flush.empty()) continue;
        for (const std::string sat : {"", ".sat"}) {
          expect_unary<Result, S>(
              "cvt" + (mode + flush) + sat + "." + target.name + "." + type + " %d, %a;",
              [&](S a) {
                const bool flushed = !flush.empty() && std::fpclassify(a) == FP_SUBNORMAL;
                return static_cast<Result>(to_integer<D, S>(flushed ? S{0} : a, mode));
              },
              v);
        }
      }
    }
  });
}

GMR_SIM_TEST(conversion_float_to_integer) {
  expect_float_to_integer<float>("f32");
  expect_float_to_integer<double>("f64");
}

template <class F>
F to_integral(F a, const std::string& mode) {
  return mode == ".rni"   ? std::nearbyint(a)
         : mode == ".rzi" ? std::trunc(a)
         : mode == ".rmi" ? std::floor(a)
         : mode == ".rpi" ? std::ceil(a)
                          : a;
}

template <class F>
F saturated(F a) {
  return a > 0 ? std::min(a, F{1}) : F{0};  // NaN becomes 0
}

template <class F>
F flushed(F a) {
  return std::is_same_v<F, float> && std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(F{0}, a) : a;
}

// With each set of options that there is for the types.
template <class D, class S, class F>
void expect_with_options(const std::string& mode, const std::string& types, F f, const std::vector<S>& v) {
  for (const std::string flush : {"", ".ftz"}) {
    if (sizeof(D) == 8 && sizeof(S) == 8 && !flush.empty()) continue;
    for (const std::string sat : {"", ".sat"}) {
      expect_unary<D, S>(
          "cvt" + mode + flush + sat + types + " %d, %a;",
          [&](S a) {
            D d = f(flush.empty() ? a : flushed(a));
            if (!sat.empty()) d = saturated(d);
            return flush.empty() ? d : flushed(d);
          },
          v);
    }
  }
}

GMR_SIM_TEST(conversion_float_float) {
  const std::vector<float> f = {0,    -0.0f, 0.5f,  -0.5f,  1.5f,    2.5f,     -2.5f,     0.3f,
                                0.9f, -7.7f, 1e20f, 1e-40f, -1e-40f, INFINITY, -INFINITY, NAN};
  const std::vector<double> d = {0,     -0.0,   0.5,         2.5,    -3.7,  0.1,    -0.1,     0.99,      1e10 + 0.3,
                                 1e300, -1e300, -1234.56789, 1e-300, 1e-40, -1e-40, INFINITY, -INFINITY, NAN};
  for (const std::string mode : {"", ".rni", ".rzi", ".rmi", ".rpi"}) {
    expect_with_options<float, float>(
        mode, ".f32.f32", [&](float a) { return to_integral(a, mode); }, f);
    expect_with_options<double, double>(
        mode, ".f64.f64", [&](double a) { return to_integral(a, mode); }, d);
  }
  expect_with_options<double, float>(
      "", ".f64.f32", [](float a) { return double{a}; }, f);
  for (const std::string mode : {".rn", ".rz", ".rm", ".rp"}) {
    const auto toward = [&](double a) {
      const float near = static_cast<float>(a);
      const bool down = mode == ".rm" || (mode == ".rz" && a > 0);
      const bool up = mode == ".rp" || (mode == ".rz" && a < 0);
      if (down && double{near} > a) return std::nextafter(near, -INFINITY);
      return up && double{near} < a ? std::nextafter(near, INFINITY) : near;
    };
    expect_with_options<float, double>(mode, ".f32.f64", toward, d);
  }
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

// All finite numbers of a format in order, and beyond them the next power of two, which stands for infinity.
struct NarrowNumbers {
  std::string type;
  uint16_t infinity;
  std::vector<double> magnitudes;  // by bits

  NarrowNumbers(const std::string& name, int fraction_bits, int largest_exponent)
      : type(name), infinity(static_cast<uint16_t>(2 * largest_exponent + 1) << fraction_bits) {
    for (int bits = 0; bits <= infinity; ++bits) {
      const int exponent = bits >> fraction_bits;
      const int fraction = bits & ((1 << fraction_bits) - 1);
      const int digits = exponent == 0 ? fraction : fraction + (1 << fraction_bits);
      magnitudes.push_back(std::ldexp(digits, std::max(exponent, 1) - largest_exponent - fraction_bits));
    }
  }

  uint16_t rounded(long double a, const std::string& mode) const {
    if (std::isnan(a)) return 0x7fff;
    const bool negative = std::signbit(a);
    const uint16_t sign = negative ? 0x8000 : 0;
    const long double magnitude = std::fabs(a);
    if (std::isinf(magnitude)) return sign | infinity;
    const auto at = std::lower_bound(magnitudes.begin(), magnitudes.end(), magnitude);
    const bool away = mode == ".rp" ? !negative : mode == ".rm" && negative;
    if (at == magnitudes.end()) return static_cast<uint16_t>(sign | (infinity - (mode != ".rn" && !away)));
    const auto above = static_cast<uint16_t>(at - magnitudes.begin());
    if (*at == magnitude) return sign | above;
    const auto below = static_cast<uint16_t>(above - 1);
    if (mode != ".rn") return sign | (away ? above : below);
    const long double to_below = magnitude - magnitudes[below], to_above = magnitudes[above] - magnitude;
    return sign | (to_above < to_below || (to_above == to_below && below % 2 == 1) ? above : below);
  }

  double value(uint16_t bits) const { return std::copysign(magnitudes[bits & 0x7fff], bits >> 15 ? -1.0 : 1.0); }
};

const NarrowNumbers half_numbers("f16", 10, 15), bfloat_numbers("bf16", 7, 127);

template <class S>
void expect_narrowing(const NarrowNumbers& numbers, const std::string& mode, const std::string& options,
                      const std::string& source, const std::vector<S>& v) {
  const std::string body = "cvt" + mode + options + "." + numbers.type + "." + source + " %d, %a;";
  const std::vector<uint16_t> d = evaluate<uint16_t>(body, v);
  for (size_t i = 0; i < v.size(); ++i) {
    long double a = static_cast<long double>(v[i]);
    if (options == ".ftz" && std::fabs(a) < std::numeric_limits<float>::min()) a = std::copysign(0.0L, a);
    if (options == ".sat") a = a > 0 ? std::min(a, 1.0L) : 0.0L;  // NaN becomes 0
    uint16_t wanted = numbers.rounded(a, mode);
    if (options.starts_with(".relu") && wanted >> 15) wanted = 0;
    if (options.ends_with(".satfinite") && (wanted & 0x7fff) == numbers.infinity) wanted -= 1;
    expect(same_narrow(d[i], wanted, numbers.infinity), body + " of " + text_of(static_cast<double>(v[i])) +
                                                            ": expected " + std::to_string(wanted) + ", received " +
                                                            std::to_string(d[i]));
  }
}

GMR_SIM_TEST(conversion_narrow_directed) {
  const std::vector<float> f = narrow_values();
  std::vector<double> d(f.begin(), f.end());
  for (size_t i = 0; i < f.size(); ++i) d.push_back(f[i] * (1 + 1e-9));
  for (const std::string mode : {".rn", ".rz", ".rm", ".rp"}) {
    for (const char* options : {"", ".ftz", ".sat"}) expect_narrowing(half_numbers, mode, options, "f32", f);
    for (const char* options : {"", ".sat"}) expect_narrowing(half_numbers, mode, options, "f64", d);
    expect_narrowing(bfloat_numbers, mode, "", "f32", f);
    expect_narrowing(bfloat_numbers, mode, "", "f64", d);
    for_all_integers([&]<class T>(T source) {
      using S = typename T::type;
      if constexpr (sizeof(S) < 8) {
        for (const char* options : {"", ".sat"})
          expect_narrowing(half_numbers, mode, options, source.name, values_of<S>(60));
        expect_narrowing(bfloat_numbers, mode, "", source.name, values_of<S>(60));
      }
    });
  }
  for (const char* mode : {".rn", ".rz"}) {
    for (const char* options : {".relu", ".satfinite", ".relu.satfinite"}) {
      for (const NarrowNumbers& numbers : {half_numbers, bfloat_numbers}) {
        expect_narrowing(numbers, mode, options, "f32", f);
        const std::string body = "cvt" + std::string(mode) + options + "." + numbers.type;
        const std::vector<uint32_t> two = evaluate<uint32_t>(body + "x2.f32 %d, %a, %b;", f, f);
        const std::vector<uint16_t> one = evaluate<uint16_t>(body + ".f32 %d, %a;", f);
        for (size_t i = 0; i < f.size(); ++i) expect(two[i] == (uint32_t{one[i]} << 16 | one[i]), body + "x2");
      }
    }
  }
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
  for (const char* options : {".ftz", ".sat", ".ftz.sat"}) {  // no number of f16 is too small for f32
    expect_unary<float, uint16_t>(
        "cvt" + std::string(options) + ".f32.f16 %d, %a;",
        [&](uint16_t a) {
          const float value = static_cast<float>(half(a));
          return std::string(options).ends_with(".sat") ? saturated(value) : value;
        },
        all);
  }
  expect_unary<double, uint16_t>(
      "cvt.sat.f64.f16 %d, %a;", [&](uint16_t a) { return saturated(static_cast<double>(half(a))); }, all);
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
  });
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
