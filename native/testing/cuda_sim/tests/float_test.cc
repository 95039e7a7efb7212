#include <cfloat>
#include <cmath>

#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

enum class Mode { nearest, zero, down, up };
constexpr std::pair<const char*, Mode> modes[] = {
    {".rn", Mode::nearest}, {".rz", Mode::zero}, {".rm", Mode::down}, {".rp", Mode::up}};

using Exact = __float128;  // holds sums and products of the values below without rounding

// Rounds by comparing the two neighbours with the exact value.
template <class T>
T rounded(Exact exact, Mode mode) {
  if (exact == 0) return mode == Mode::down ? T(-0.0) : T(0);  // of numbers that cancel
  const T nearest = static_cast<T>(exact);
  const T infinity = std::numeric_limits<T>::infinity();
  const bool too_large = Exact{nearest} > exact;
  const bool too_small = Exact{nearest} < exact;
  const bool wants_less = mode == Mode::down || (mode == Mode::zero && exact > 0);
  const bool wants_more = mode == Mode::up || (mode == Mode::zero && exact < 0);
  if (wants_less && too_large) return std::nextafter(nearest, -infinity);
  if (wants_more && too_small) return std::nextafter(nearest, infinity);
  return nearest;
}

template <class T>
std::vector<T> moderate() {
  std::vector<T> values = {1, -1, T(0.1), T(-0.1), 3, T(1e5), T(-7.25)};
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(-50, 50);
  for (int i = 0; i < 12; ++i) values.push_back(static_cast<T>(uniform(random)));
  return values;
}

template <class T>
void expect_arithmetic(const std::string& type) {
  expect_binary<T, T, T>("add." + type + " %d, %a, %b;", [](T a, T b) { return a + b; });
  expect_binary<T, T, T>("sub." + type + " %d, %a, %b;", [](T a, T b) { return a - b; });
  expect_binary<T, T, T>("mul." + type + " %d, %a, %b;", [](T a, T b) { return a * b; });
  expect_binary<T, T, T>("div.rn." + type + " %d, %a, %b;", [](T a, T b) { return a / b; });
  expect_unary<T, T>("rcp.rn." + type + " %d, %a;", [](T a) { return T{1} / a; });
  expect_unary<T, T>("sqrt.rn." + type + " %d, %a;", [](T a) { return std::sqrt(a); });
  expect_ternary<T, T, T, T>("fma.rn." + type + " %d, %a, %b, %c;", [](T a, T b, T c) { return std::fma(a, b, c); });
  expect_unary<T, T>("neg." + type + " %d, %a;", [](T a) { return -a; });
  expect_unary<T, T>("abs." + type + " %d, %a;", [](T a) { return std::fabs(a); });
  expect_binary<T, T, T>("copysign." + type + " %d, %a, %b;", [](T a, T b) { return std::copysign(b, a); });
}

GMR_SIM_TEST(float_arithmetic) {
  expect_arithmetic<float>("f32");
  expect_arithmetic<double>("f64");
}

template <class T>
void expect_roundings(const std::string& type) {
  const std::vector<T> v = moderate<T>();
  for (const auto& [name, mode] : modes) {
    const std::string suffix = std::string(name) + "." + type;
    expect_binary<T, T, T>(
        "add" + suffix + " %d, %a, %b;", [&](T a, T b) { return rounded<T>(Exact{a} + b, mode); }, v, v);
    expect_binary<T, T, T>(
        "sub" + suffix + " %d, %a, %b;", [&](T a, T b) { return rounded<T>(Exact{a} - b, mode); }, v, v);
    expect_binary<T, T, T>(
        "mul" + suffix + " %d, %a, %b;", [&](T a, T b) { return rounded<T>(Exact{a} * b, mode); }, v, v);
    expect_binary<T, T, T>(
        "div" + suffix + " %d, %a, %b;", [&](T a, T b) { return rounded<T>(Exact{a} / b, mode); }, v, v);
    for (const char* name : {"fma", "mad"}) {
      expect_ternary<T, T, T, T>(
          name + suffix + " %d, %a, %b, %c;", [&](T a, T b, T c) { return rounded<T>(Exact{a} * b + c, mode); }, v,
          {T(0.3), T(-7.5)}, v);
    }
    expect_unary<T, T>(
        "rcp" + suffix + " %d, %a;", [&](T a) { return rounded<T>(Exact{1} / a, mode); }, v);
    std::vector<T> squares;
    for (const T x : v) squares.push_back(std::fabs(x));
    expect_unary<T, T>(
        "sqrt" + suffix + " %d, %a;",
        [&](T a) {
          const T near = std::sqrt(a);
          const Exact square = Exact{near} * near;
          const T infinity = std::numeric_limits<T>::infinity();
          if ((mode == Mode::zero || mode == Mode::down) && square > Exact{a}) return std::nextafter(near, T{0});
          if (mode == Mode::up && square < Exact{a}) return std::nextafter(near, infinity);
          return near;
        },
        squares);
  }
}

GMR_SIM_TEST(float_rounding_modes) {
  expect_roundings<float>("f32");
  expect_roundings<double>("f64");
}

float flushed(float a) { return std::fabs(a) < FLT_MIN && a == a ? std::copysign(0.0f, a) : a; }
float saturated(float a) { return a > 0 ? std::fmin(a, 1.0f) : 0.0f; }

GMR_SIM_TEST(float_flush_and_saturate) {
  using F = float;
  const std::vector<F> v = {0,     -0.0f, 1e-40f, -1e-40f, FLT_MIN,  -FLT_MIN, 0.25f,
                            0.75f, 1,     3,      -2,      INFINITY, NAN,      1e-20f};
  expect_binary<F, F, F>(
      "add.ftz.f32 %d, %a, %b;", [](F a, F b) { return flushed(flushed(a) + flushed(b)); }, v, v);
  expect_binary<F, F, F>(
      "mul.ftz.f32 %d, %a, %b;", [](F a, F b) { return flushed(flushed(a) * flushed(b)); }, v, v);
  expect_binary<F, F, F>(
      "add.sat.f32 %d, %a, %b;", [](F a, F b) { return saturated(a + b); }, v, v);
  expect_binary<F, F, F>(
      "mul.ftz.sat.f32 %d, %a, %b;", [](F a, F b) { return saturated(flushed(flushed(a) * flushed(b))); }, v, v);
  expect_binary<F, F, F>(
      "sub.ftz.f32 %d, %a, %b;", [](F a, F b) { return flushed(flushed(a) - flushed(b)); }, v, v);
  expect_ternary<F, F, F, F>(
      "fma.rn.ftz.sat.f32 %d, %a, %b, %c;",
      [](F a, F b, F c) { return saturated(flushed(std::fma(flushed(a), flushed(b), flushed(c)))); }, v, v, v);
  expect_unary<F, F>(
      "neg.ftz.f32 %d, %a;", [](F a) { return -flushed(a); }, v);
  expect_unary<F, F>(
      "abs.ftz.f32 %d, %a;", [](F a) { return std::fabs(flushed(a)); }, v);
}

GMR_SIM_TEST(float_min_max) {
  using F = float;
  const auto least = [](auto a, auto b) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
    return a == b ? (std::signbit(a) ? a : b) : a < b ? a : b;
  };
  const auto most = [](auto a, auto b) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
    return a == b ? (std::signbit(a) ? b : a) : a > b ? a : b;
  };
  const auto with_nan = [](auto f) { return [f](F a, F b) { return std::isnan(a) || std::isnan(b) ? NAN : f(a, b); }; };
  expect_binary<F, F, F>("min.f32 %d, %a, %b;", least, values_of<F>(), values_of<F>());
  expect_binary<F, F, F>("max.f32 %d, %a, %b;", most, values_of<F>(), values_of<F>());
  expect_binary<F, F, F>("min.NaN.f32 %d, %a, %b;", with_nan(least), values_of<F>(), values_of<F>());
  expect_binary<F, F, F>("max.NaN.f32 %d, %a, %b;", with_nan(most), values_of<F>(), values_of<F>());
  expect_binary<F, F, F>("max.ftz.f32 %d, %a, %b;", [&](F a, F b) { return flushed(most(flushed(a), flushed(b))); });
  expect_ternary<F, F, F, F>("min.f32 %d, %a, %b, %c;", [&](F a, F b, F c) { return least(least(a, b), c); });
  expect_ternary<F, F, F, F>("max.NaN.f32 %d, %a, %b, %c;",
                             [&](F a, F b, F c) { return with_nan(most)(with_nan(most)(a, b), c); });
  using D = double;
  expect_binary<D, D, D>("min.f64 %d, %a, %b;", least, values_of<D>(), values_of<D>());
  expect_binary<D, D, D>("max.f64 %d, %a, %b;", most, values_of<D>(), values_of<D>());
}

// The error that the manual grants, not the one that the simulator makes.
template <class T, class F>
void expect_close(const std::string& body, F f, const std::vector<T>& v, double relative, double absolute = 0) {
  const std::vector<T> d = evaluate<T>(body, v);
  for (size_t i = 0; i < v.size(); ++i) {
    const double wanted = f(static_cast<double>(v[i]));
    const bool close = std::fabs(d[i] - wanted) <= relative * std::fabs(wanted) + absolute;
    expect(close || same<double>(d[i], wanted),
           body + " of " + shown(v[i]) + ": expected " + shown(wanted) + ", received " + shown(d[i]));
  }
}

GMR_SIM_TEST(float_approximate) {
  std::vector<float> v = moderate<float>();
  std::vector<float> positive = {0, INFINITY};
  for (const float x : v) positive.push_back(std::fabs(x));
  const double tight = 4 * FLT_EPSILON;
  for (const std::string ftz : {"", ".ftz"}) {
    const std::string suffix = ".approx" + ftz + ".f32 %d, %a;";
    expect_close<float>(
        "rcp" + suffix, [](double a) { return 1 / a; }, v, tight);
    expect_close<float>(
        "sqrt" + suffix, [](double a) { return std::sqrt(a); }, positive, tight);
    expect_close<float>(
        "rsqrt" + suffix, [](double a) { return 1 / std::sqrt(a); }, positive, tight);
    expect_close<float>(
        "ex2" + suffix, [](double a) { return std::exp2(a); }, v, tight);
    expect_close<float>(
        "lg2" + suffix, [](double a) { return std::log2(a); }, positive, tight, 1e-6);
    expect_close<float>(
        "sin" + suffix, [](double a) { return std::sin(a); }, v, 0, 1e-6);
    expect_close<float>(
        "cos" + suffix, [](double a) { return std::cos(a); }, v, 0, 1e-6);
  }
  expect_close<float>(
      "tanh.approx.f32 %d, %a;", [](double a) { return std::tanh(a); }, v, 5e-4);
  for (const std::string name : {"div.approx.f32", "div.full.f32", "div.full.ftz.f32"}) {
    const std::vector<float> d = evaluate<float>(name + " %d, %a, %b;", v, std::vector<float>(v.rbegin(), v.rend()));
    for (size_t i = 0; i < v.size(); ++i) {
      const double wanted = double{v[i]} / v[v.size() - 1 - i];
      expect(std::fabs(d[i] - wanted) <= tight * std::fabs(wanted), name);
    }
  }
  const std::vector<double> doubles = {1, 0.3, 7, 1e10, 1e-10};
  const double upper_half = std::ldexp(1.0, -19);
  expect_close<double>(
      "rcp.approx.ftz.f64 %d, %a;", [](double a) { return 1 / a; }, doubles, upper_half);
  expect_close<double>(
      "rsqrt.approx.ftz.f64 %d, %a;", [](double a) { return 1 / std::sqrt(a); }, doubles, upper_half);
  expect_close<double>(
      "rsqrt.approx.f64 %d, %a;", [](double a) { return 1 / std::sqrt(a); }, doubles, 1e-8);
}

GMR_SIM_TEST(float_pairs) {
  struct Pair {
    float low, high;
  };
  const std::vector<float> v = moderate<float>();
  std::vector<Pair> a, b, c;
  for (size_t i = 0; i + 2 < v.size(); ++i)
    a.push_back({v[i], v[i + 1]}), b.push_back({v[i + 1], v[i + 2]}), c.push_back({v[i + 2], v[i]});
  const auto check = [&](const std::string& body, auto f) {
    const std::vector<Pair> d = evaluate<Pair>(body, a, b, c);
    for (size_t i = 0; i < d.size(); ++i) {
      expect(d[i].low == f(a[i].low, b[i].low, c[i].low) && d[i].high == f(a[i].high, b[i].high, c[i].high), body);
    }
  };
  check("add.rn.f32x2 %d, %a, %b;", [](float x, float y, float) { return x + y; });
  check("sub.rn.f32x2 %d, %a, %b;", [](float x, float y, float) { return x - y; });
  check("mul.rn.f32x2 %d, %a, %b;", [](float x, float y, float) { return x * y; });
  check("fma.rn.f32x2 %d, %a, %b, %c;", [](float x, float y, float z) { return std::fma(x, y, z); });
}

template <class T>
void expect_properties(const std::string& type) {
  const auto check = [&](const std::string& property, auto f) {
    expect_unary<uint32_t, T>("testp." + property + "." + type + " %p1, %a;\nselp.u32 %d, 1, 0, %p1;",
                              [&](T a) { return uint32_t{f(a)}; });
  };
  check("finite", [](T a) { return std::isfinite(a); });
  check("infinite", [](T a) { return std::isinf(a); });
  check("number", [](T a) { return !std::isnan(a); });
  check("notanumber", [](T a) { return std::isnan(a); });
  check("normal", [](T a) { return std::isnormal(a); });
  check("subnormal", [](T a) { return std::fpclassify(a) == FP_SUBNORMAL; });
}

GMR_SIM_TEST(float_properties) {
  expect_properties<float>("f32");
  expect_properties<double>("f64");
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
