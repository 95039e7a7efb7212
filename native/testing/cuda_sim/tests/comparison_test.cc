#include <cmath>

#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

// By name: what holds for less, equal, greater and unordered.
struct Comparison {
  const char* name;
  bool less, equal, greater, unordered;
};
constexpr Comparison ordered[] = {{"eq", false, true, false, false}, {"ne", true, false, true, false},
                                  {"lt", true, false, false, false}, {"le", true, true, false, false},
                                  {"gt", false, false, true, false}, {"ge", false, true, true, false}};
constexpr Comparison unsigned_only[] = {{"lo", true, false, false, false},
                                        {"ls", true, true, false, false},
                                        {"hi", false, false, true, false},
                                        {"hs", false, true, true, false}};
constexpr Comparison with_nan[] = {{"equ", false, true, false, true}, {"neu", true, false, true, true},
                                   {"ltu", true, false, false, true}, {"leu", true, true, false, true},
                                   {"gtu", false, false, true, true}, {"geu", false, true, true, true},
                                   {"num", true, true, true, false},  {"nan", false, false, false, true}};

template <class T>
bool holds(const Comparison& comparison, T a, T b) {
  return a < b ? comparison.less : a == b ? comparison.equal : a > b ? comparison.greater : comparison.unordered;
}

// All ways to join the result with a predicate, setp and set.
template <class T, class V = T>
void expect_comparison(
    const Comparison& comparison, const std::string& type, V (*value)(T) = [](T a) { return V(a); },
    const std::vector<T>& v = values_of<T>(2), bool has_set = true) {
  std::vector<T> a, b;
  for (const T x : v) {
    for (const T y : v) a.push_back(x), b.push_back(y);
  }
  const auto check = [&](const std::string& body, auto wanted) {
    const std::vector<uint32_t> d = evaluate<uint32_t>(body, a, b);
    for (size_t i = 0; i < d.size(); ++i) {
      const uint32_t expected = wanted(holds<V>(comparison, value(a[i]), value(b[i])), i % 2 != 0);
      expect(d[i] == expected, body + " of " + shown(a[i]) + ", " + shown(b[i]) + ": expected " +
                                   std::to_string(expected) + ", received " + std::to_string(d[i]));
    }
  };
  const std::string name = std::string(".") + comparison.name;
  const std::string both = "\nselp.u32 %d, 1, 0, %p1;\n@%p2 add.u32 %d, %d, 2;";
  check("setp" + name + "." + type + " %p1, %a, %b;\nselp.u32 %d, 1, 0, %p1;",
        [](bool x, bool) { return uint32_t{x}; });
  check("setp" + name + "." + type + " %p1|%p2, %a, %b;" + both, [](bool x, bool) { return x ? 1u : 2u; });
  const std::pair<const char*, bool (*)(bool, bool)> joins[] = {{".and", [](bool x, bool y) { return x && y; }},
                                                                {".or", [](bool x, bool y) { return x || y; }},
                                                                {".xor", [](bool x, bool y) { return x != y; }}};
  for (const auto& [join, joined] : joins) {
    const std::string opcode = name + join + "." + type;
    check("setp" + opcode + " %p1|%p2, %a, %b, %q;" + both,
          [joined](bool x, bool q) { return uint32_t{joined(x, q)} + 2 * joined(!x, q); });
    check("setp" + opcode + " %p1, %a, %b, !%q;\nselp.u32 %d, 1, 0, %p1;",
          [joined](bool x, bool q) { return uint32_t{joined(x, !q)}; });
    if (!has_set) continue;
    check("set" + name + join + ".u32." + type + " %d, %a, %b, %q;",
          [joined](bool x, bool q) { return joined(x, q) ? ~0u : 0; });
    check("set" + name + join + ".f32." + type + " %d, %a, %b, %q;",
          [joined](bool x, bool q) { return joined(x, q) ? 0x3f800000u : 0; });
  }
  if (!has_set) return;
  check("set" + name + ".s32." + type + " %d, %a, %b;", [](bool x, bool) { return x ? ~0u : 0; });
  check("set" + name + ".f32." + type + " %d, %a, %b;", [](bool x, bool) { return x ? 0x3f800000u : 0; });
}

GMR_SIM_TEST(comparison_integers) {
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    for (const Comparison& comparison : ordered) expect_comparison<T>(comparison, named.name);
    if constexpr (std::is_unsigned_v<T>) {
      for (const Comparison& comparison : unsigned_only) expect_comparison<T>(comparison, named.name);
    }
  });
  for_bit_types([]<class N>(N named) {
    expect_comparison<typename N::type>(ordered[0], named.name);
    expect_comparison<typename N::type>(ordered[1], named.name);
  });
}

template <class F>
void for_float_comparisons(F f) {
  for (const Comparison& comparison : ordered) f(comparison);
  for (const Comparison& comparison : with_nan) f(comparison);
}

GMR_SIM_TEST(comparison_floats) {
  for_float_comparisons([](const Comparison& comparison) {
    expect_comparison<float>(comparison, "f32");
    expect_comparison<double>(comparison, "f64");
  });
}

GMR_SIM_TEST(comparison_flush) {
  const std::vector<float> v = {0, 1e-40f, -1e-40f, 1};
  for_float_comparisons([&](const Comparison& comparison) {
    expect_binary<uint32_t, float, float>(
        std::string("setp.") + comparison.name + ".ftz.f32 %p1, %a, %b;\nselp.u32 %d, 1, 0, %p1;",
        [&](float a, float b) { return uint32_t{holds<float>(comparison, a == 1 ? 1 : 0, b == 1 ? 1 : 0)}; }, v, v);
  });
}

float half_value(uint16_t a) { return static_cast<float>(bit_cast_to<_Float16>(a)); }
float bfloat_value(uint16_t a) { return bit_cast_to<float>(uint32_t{a} << 16); }

void expect_halves(const Comparison& comparison, const std::string& type, float (*value)(uint16_t),
                   const std::vector<uint16_t>& v, uint32_t one) {
  expect_comparison<uint16_t, float>(comparison, type, value, v, false);
  std::vector<uint32_t> a, b;
  for (size_t i = 0; i < v.size() * v.size(); ++i) {
    a.push_back(v[i % v.size()] | uint32_t{v[i / v.size()]} << 16);
    b.push_back(v[(i * 7 + 1) % v.size()] | uint32_t{v[(i * 3) % v.size()]} << 16);
  }
  const auto check = [&](const std::string& body, auto wanted) {
    const std::vector<uint32_t> d = evaluate<uint32_t>(body, a, b);
    for (size_t i = 0; i < d.size(); ++i) {
      const bool low = holds<float>(comparison, value(uint16_t(a[i])), value(uint16_t(b[i])));
      const bool high = holds<float>(comparison, value(uint16_t(a[i] >> 16)), value(uint16_t(b[i] >> 16)));
      expect(d[i] == wanted(low, high, i % 2 != 0), body);
    }
  };
  const std::string name = std::string(".") + comparison.name;
  const std::string both = "\nselp.u32 %d, 1, 0, %p1;\n@%p2 add.u32 %d, %d, 2;";
  check("setp" + name + "." + type + "x2 %p1|%p2, %a, %b;" + both,
        [](bool x, bool y, bool) { return uint32_t{x} + 2 * y; });
  check("setp" + name + ".and." + type + "x2 %p1|%p2, %a, %b, %q;" + both,
        [](bool x, bool y, bool q) { return uint32_t{x && q} + 2 * (y && q); });
  check("set" + name + "." + type + "x2." + type + "x2 %d, %a, %b;",
        [&](bool x, bool y, bool) { return (x ? one : 0) + (y ? one << 16 : 0); });
  check("set" + name + ".u32." + type + "x2 %d, %a, %b;",
        [](bool x, bool y, bool) { return (x ? 0xffffu : 0) + (y ? 0xffff0000u : 0); });
}

GMR_SIM_TEST(comparison_halves) {
  for_float_comparisons([](const Comparison& comparison) {
    expect_halves(comparison, "f16", half_value, {0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0x7e00, 1}, 0x3c00);
    expect_halves(comparison, "bf16", bfloat_value, {0, 0x8000, 0x3f80, 0xbf80, 0x7f80, 0x7fc0, 1}, 0x3f80);
  });
}

GMR_SIM_TEST(comparison_select) {
  const auto check = [](auto zero, const std::string& types) {
    using T = decltype(zero);
    for (size_t at = 0; at < types.size(); at += 3) {
      const std::string type = types.substr(at, 3);
      std::vector<T> a = values_of<T>(40), b = a;
      for (T& x : b) x = static_cast<T>(x + 1);
      const std::vector<T> d = evaluate<T>("selp." + type + " %d, %a, %b, %q;", a, b);
      const std::vector<T> e = evaluate<T>("selp." + type + " %d, %a, %b, !%q;", a, b);
      for (size_t i = 0; i < d.size(); ++i)
        expect(d[i] == (i % 2 ? a[i] : b[i]) && e[i] == (i % 2 ? b[i] : a[i]), "selp." + type);
    }
  };
  check(uint16_t{}, "b16s16u16");
  check(uint32_t{}, "b32f32s32u32");
  check(uint64_t{}, "b64f64s64u64");
  using U = uint32_t;
  expect_ternary<U, U, U, int32_t>("slct.b32.s32 %d, %a, %b, %c;", [](U a, U b, int32_t c) { return c >= 0 ? a : b; });
  expect_ternary<U, U, U, float>("slct.b32.f32 %d, %a, %b, %c;", [](U a, U b, float c) { return c >= 0 ? a : b; });
  using W = uint64_t;
  expect_ternary<W, W, W, int32_t>("slct.b64.s32 %d, %a, %b, %c;", [](W a, W b, int32_t c) { return c >= 0 ? a : b; });
  expect_ternary<W, W, W, float>("slct.b64.f32 %d, %a, %b, %c;", [](W a, W b, float c) { return c >= 0 ? a : b; });
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
