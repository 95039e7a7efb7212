#include <algorithm>
#include <limits>

#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

// The expected values are computed in 128 bits, with the result cut to the type.
using Int = __int128;

std::string op(const std::string& name, const char* type, int sources) {
  const char* const operands[] = {"", " %d, %a;", " %d, %a, %b;", " %d, %a, %b, %c;"};
  return name + "." + type + operands[sources];
}

GMR_SIM_TEST(integer_add_sub) {
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    expect_binary<T, T, T>(op("add", named.name, 2), [](Int a, Int b) { return static_cast<T>(a + b); });
    expect_binary<T, T, T>(op("sub", named.name, 2), [](Int a, Int b) { return static_cast<T>(a - b); });
  });
}

GMR_SIM_TEST(integer_mul) {
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    using U = std::conditional_t<std::is_signed_v<T>, Int, unsigned __int128>;
    expect_binary<T, T, T>(op("mul.lo", named.name, 2), [](U a, U b) { return static_cast<T>(a * b); });
    expect_binary<T, T, T>(op("mul.hi", named.name, 2), [](U a, U b) { return static_cast<T>((a * b) >> bits_of<T>); });
    expect_ternary<T, T, T, T>(op("mad.lo", named.name, 3), [](U a, U b, U c) { return static_cast<T>(a * b + c); });
    expect_ternary<T, T, T, T>(op("mad.hi", named.name, 3),
                               [](U a, U b, U c) { return static_cast<T>(((a * b) >> bits_of<T>)+c); });
    if constexpr (sizeof(T) < 8) {
      using W = Wide<T>;
      expect_binary<W, T, T>(op("mul.wide", named.name, 2), [](U a, U b) { return static_cast<W>(a * b); });
      expect_ternary<W, T, T, W>(op("mad.wide", named.name, 3),
                                 [](U a, U b, U c) { return static_cast<W>(a * b + c); });
    }
    if constexpr (sizeof(T) == 4) {
      const auto low = [](T a) {
        return std::is_signed_v<T> ? U(int32_t(uint32_t(a) << 8) >> 8) : U(uint32_t(a) & 0xffffff);
      };
      expect_binary<T, T, T>(op("mul24.lo", named.name, 2), [&](T a, T b) { return static_cast<T>(low(a) * low(b)); });
      expect_binary<T, T, T>(op("mul24.hi", named.name, 2),
                             [&](T a, T b) { return static_cast<T>((low(a) * low(b)) >> 16); });
      expect_ternary<T, T, T, T>(op("mad24.lo", named.name, 3),
                                 [&](T a, T b, T c) { return static_cast<T>(low(a) * low(b) + U(c)); });
    }
  });
}

GMR_SIM_TEST(integer_div_rem) {
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    expect_binary<T, T, T>(op("div", named.name, 2), [](Int a, Int b) { return static_cast<T>(b == 0 ? -1 : a / b); });
    expect_binary<T, T, T>(op("rem", named.name, 2), [](Int a, Int b) { return static_cast<T>(b == 0 ? a : a % b); });
  });
}

GMR_SIM_TEST(integer_min_max_abs_neg_sad) {
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    expect_binary<T, T, T>(op("min", named.name, 2), [](T a, T b) { return a < b ? a : b; });
    expect_binary<T, T, T>(op("max", named.name, 2), [](T a, T b) { return a < b ? b : a; });
    expect_ternary<T, T, T, T>(op("sad", named.name, 3),
                               [](Int a, Int b, Int c) { return static_cast<T>(c + (a < b ? b - a : a - b)); });
    if constexpr (std::is_signed_v<T>) {
      expect_unary<T, T>(op("abs", named.name, 1), [](Int a) { return static_cast<T>(a < 0 ? -a : a); });
      expect_unary<T, T>(op("neg", named.name, 1), [](Int a) { return static_cast<T>(-a); });
    }
  });
}

GMR_SIM_TEST(integer_saturated) {
  using I = int32_t;
  const auto saturate = [](Int a) { return static_cast<I>(std::clamp<Int>(a, INT32_MIN, INT32_MAX)); };
  expect_binary<I, I, I>("add.sat.s32 %d, %a, %b;", [&](Int a, Int b) { return saturate(a + b); });
  expect_binary<I, I, I>("sub.sat.s32 %d, %a, %b;", [&](Int a, Int b) { return saturate(a - b); });
  expect_ternary<I, I, I, I>("mad.hi.sat.s32 %d, %a, %b, %c;",
                             [&](Int a, Int b, Int c) { return saturate(((a * b) >> 32) + c); });
  expect_binary<I, I, I>("max.relu.s32 %d, %a, %b;", [](I a, I b) { return std::max({a, b, 0}); });
  expect_binary<I, I, I>("min.relu.s32 %d, %a, %b;", [](I a, I b) { return std::max(std::min(a, b), 0); });
}

template <class T, class F>
uint32_t each_half(uint32_t a, uint32_t b, F f) {
  const uint16_t low = static_cast<uint16_t>(f(static_cast<T>(a), static_cast<T>(b)));
  const uint16_t high = static_cast<uint16_t>(f(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
  return low | uint32_t{high} << 16;
}

GMR_SIM_TEST(integer_halves) {
  using U = uint32_t;
  const auto add = [](auto a, auto b) { return a + b; };
  const auto least = [](auto a, auto b) { return std::min(a, b); };
  const auto most = [](auto a, auto b) { return std::max(a, b); };
  expect_binary<U, U, U>("add.u16x2 %d, %a, %b;", [&](U a, U b) { return each_half<uint16_t>(a, b, add); });
  expect_binary<U, U, U>("min.u16x2 %d, %a, %b;", [&](U a, U b) { return each_half<uint16_t>(a, b, least); });
  expect_binary<U, U, U>("max.u16x2 %d, %a, %b;", [&](U a, U b) { return each_half<uint16_t>(a, b, most); });
  expect_binary<U, U, U>("min.s16x2 %d, %a, %b;", [&](U a, U b) { return each_half<int16_t>(a, b, least); });
  expect_binary<U, U, U>("max.s16x2 %d, %a, %b;", [&](U a, U b) { return each_half<int16_t>(a, b, most); });
}

template <class A, class B>
void expect_dot(const std::string& types) {
  using U = uint32_t;
  expect_ternary<U, U, U, U>("dp4a." + types + " %d, %a, %b, %c;", [](U a, U b, U c) {
    Int sum = c;
    for (int i = 0; i < 4; ++i) sum += Int{static_cast<A>(a >> 8 * i)} * static_cast<B>(b >> 8 * i);
    return static_cast<U>(sum);
  });
}

template <class A, class B>
void expect_dot2(const std::string& types) {
  using U = uint32_t;
  for (const int first : {0, 2}) {
    expect_ternary<U, U, U, U>((first == 0 ? "dp2a.lo." : "dp2a.hi.") + types + " %d, %a, %b, %c;", [&](U a, U b, U c) {
      Int sum = c;
      for (int i = 0; i < 2; ++i) sum += Int{static_cast<A>(a >> 16 * i)} * static_cast<B>(b >> 8 * (i + first));
      return static_cast<U>(sum);
    });
  }
}

GMR_SIM_TEST(integer_dot_products) {
  expect_dot<uint8_t, uint8_t>("u32.u32");
  expect_dot<int8_t, int8_t>("s32.s32");
  expect_dot<uint8_t, int8_t>("u32.s32");
  expect_dot<int8_t, uint8_t>("s32.u32");
  expect_dot2<uint16_t, uint8_t>("u32.u32");
  expect_dot2<int16_t, int8_t>("s32.s32");
  expect_dot2<uint16_t, int8_t>("u32.s32");
  expect_dot2<int16_t, uint8_t>("s32.u32");
}

// Numbers twice as wide as the registers.
template <class T>
void expect_carries(const std::string& type) {
  using W = Wide<T>;
  const std::string bits = std::to_string(bits_of<T>);
  const std::string registers = ".reg .b" + bits + " %x<8>;\n";
  // The two halves of the sum (%a %b) + (%c %e), of the difference and of %a * %b + %c, joined by xor.
  const std::vector<T> v = values_of<T>(1);
  std::vector<T> a, b, c, e;
  for (const T x : v) {
    for (const T y : v)
      a.push_back(x), b.push_back(y), c.push_back(static_cast<T>(y * 3 + x)), e.push_back(static_cast<T>(x - y));
  }
  const auto check = [&](const std::string& body, auto wanted) {
    const std::vector<T> d = evaluate<T>(registers + body + "\nxor.b" + bits + " %d, %x0, %x1;", a, b, c, e);
    for (size_t i = 0; i < d.size(); ++i) {
      const W value = wanted(W(b[i]) << bits_of<T> | a[i], W(e[i]) << bits_of<T> | c[i], W(a[i]) * b[i], c[i]);
      expect(d[i] == static_cast<T>(static_cast<T>(value) ^ static_cast<T>(value >> bits_of<T>)), body);
    }
  };
  const auto line = [&](const std::string& name, const std::string& operands) {
    return name + "." + type + " " + operands + ";\n";
  };
  check(line("add.cc", "%x0, %a, %c") + line("addc", "%x1, %b, %e"), [](W x, W y, W, W) { return x + y; });
  check(line("sub.cc", "%x0, %a, %c") + line("subc", "%x1, %b, %e"), [](W x, W y, W, W) { return x - y; });
  check(line("mad.lo.cc", "%x0, %a, %b, %c") + line("madc.hi", "%x1, %a, %b, 0"),
        [](W, W, W product, W z) { return product + z; });
  // The high half's product first: its low part plus nothing, then the carry of the low half.
  check(line("mad.lo.cc", "%x0, %a, %b, %c") + line("madc.hi.cc", "%x1, %a, %b, 0"),
        [](W, W, W product, W z) { return product + z; });
  // a + c with its carry added to nothing; in the third digit is the carry of the second.
  check(line("add.cc", "%x2, %a, %c") + line("addc.cc", "%x3, %b, %e") + line("addc", "%x0, 0, 0") + "mov.b" + bits +
            " %x1, 0;",
        [](W x, W y, W, W) { return W(x + y < x); });
  check(line("sub.cc", "%x2, %a, %c") + line("subc.cc", "%x3, %b, %e") + line("subc", "%x0, 0, 0") + "mov.b" + bits +
            " %x1, 0;",
        [](W x, W y, W, W) { return W(x < y ? static_cast<T>(-1) : 0); });
  check(line("mad.hi.cc", "%x2, %a, %b, %c") + line("madc.lo", "%x0, 0, 0, 0") + "mov.b" + bits + " %x1, 0;",
        [](W, W, W product, W z) { return W(((product >> bits_of<T>)+z) >> bits_of<T>); });
  check(line("mad.lo.cc", "%x2, %a, %b, %c") + line("madc.lo.cc", "%x3, %b, 1, %e") + line("addc", "%x0, 0, 0") +
            "mov.b" + bits + " %x1, 0;",
        [](W x, W y, W product, W z) {
          const W carry = (W(static_cast<T>(product)) + z) >> bits_of<T>;
          return W(((x >> bits_of<T>)+(y >> bits_of<T>)+carry) >> bits_of<T>);
        });
}

GMR_SIM_TEST(integer_carries) {
  expect_carries<uint32_t>("u32");
  expect_carries<uint64_t>("u64");
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
