#include <algorithm>

#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

template <class T>
bool bit(T value, uint32_t at) {
  return at < static_cast<uint32_t>(bits_of<T>) && (value >> at & 1) != 0;
}

const std::vector<uint32_t> amounts = {0, 1, 3, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200};

GMR_SIM_TEST(bits_logic) {
  for_bit_types([]<class N>(N named) {
    using T = typename N::type;
    const std::string type = std::string(".") + named.name;
    expect_binary<T, T, T>("and" + type + " %d, %a, %b;", [](T a, T b) { return T(a & b); });
    expect_binary<T, T, T>("or" + type + " %d, %a, %b;", [](T a, T b) { return T(a | b); });
    expect_binary<T, T, T>("xor" + type + " %d, %a, %b;", [](T a, T b) { return T(a ^ b); });
    expect_unary<T, T>("not" + type + " %d, %a;", [](T a) { return T(~a); });
    expect_unary<T, T>("cnot" + type + " %d, %a;", [](T a) { return T(a == 0); });
  });
}

GMR_SIM_TEST(bits_lop3) {
  using U = uint32_t;
  for (const int table : {0x00, 0x96, 0xe8, 0xca, 0x1b, 0xff, 0x80}) {
    expect_ternary<U, U, U, U>("lop3.b32 %d, %a, %b, %c, " + std::to_string(table) + ";", [&](U a, U b, U c) {
      U d = 0;
      for (U i = 0; i < 32; ++i) d |= U(table >> (bit(a, i) * 4 + bit(b, i) * 2 + bit(c, i)) & 1) << i;
      return d;
    });
  }
}

GMR_SIM_TEST(bits_shifts) {
  for_bit_types([]<class N>(N named) {
    using T = typename N::type;
    const std::string type = std::string(".") + named.name;
    const auto left = [](T a, uint32_t by) {
      T d = 0;
      for (uint32_t i = by; i < static_cast<uint32_t>(bits_of<T>); ++i) d |= T(bit(a, i - by)) << i;
      return d;
    };
    const auto right = [](T a, uint32_t by) {
      T d = 0;
      for (uint32_t i = 0; i < static_cast<uint32_t>(bits_of<T>); ++i) d |= T(bit(a, i + by)) << i;
      return d;
    };
    expect_binary<T, T, uint32_t>("shl" + type + " %d, %a, %b;", left, values_of<T>(), amounts);
    expect_binary<T, T, uint32_t>("shr" + type + " %d, %a, %b;", right, values_of<T>(), amounts);
  });
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    expect_binary<T, T, uint32_t>(
        std::string("shr.") + named.name + " %d, %a, %b;",
        [](__int128 a, uint32_t by) { return T(by > 100 ? (a < 0 ? -1 : 0) : a >> by); }, values_of<T>(), amounts);
  });
}

GMR_SIM_TEST(bits_counts) {
  for_bit_types([]<class N>(N named) {
    using T = typename N::type;
    if constexpr (sizeof(T) >= 4) {
      const std::string type = std::string(".") + named.name;
      constexpr uint32_t top = bits_of<T>;
      expect_unary<uint32_t, T>("popc" + type + " %d, %a;", [](T a) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < top; ++i) n += bit(a, i);
        return n;
      });
      expect_unary<uint32_t, T>("clz" + type + " %d, %a;", [](T a) {
        uint32_t n = 0;
        while (n < top && !bit(a, top - 1 - n)) ++n;
        return n;
      });
      expect_unary<T, T>("brev" + type + " %d, %a;", [](T a) {
        T d = 0;
        for (uint32_t i = 0; i < top; ++i) d |= T(bit(a, i)) << (top - 1 - i);
        return d;
      });
    }
  });
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    if constexpr (sizeof(T) >= 4) {
      constexpr int top = bits_of<T>;
      const auto highest = [](T a) {
        for (int i = top - 1; i >= 0; --i) {
          if (bit(a, static_cast<uint32_t>(i)) != (a < 0)) return i;
        }
        return -1;
      };
      const std::string type = named.name;
      expect_unary<uint32_t, T>("bfind." + type + " %d, %a;", [&](T a) { return uint32_t(highest(a)); });
      expect_unary<uint32_t, T>("bfind.shiftamt." + type + " %d, %a;",
                                [&](T a) { return highest(a) < 0 ? ~0u : uint32_t(top - 1 - highest(a)); });
    }
  });
}

GMR_SIM_TEST(bits_fields) {
  for_integer_types([]<class N>(N named) {
    using T = typename N::type;
    if constexpr (sizeof(T) >= 4) {
      const auto extract = [](T a, uint32_t position, uint32_t length) {
        position &= 255, length &= 255;
        using U = std::make_unsigned_t<T>;
        U d = 0;
        constexpr uint32_t top = bits_of<T> - 1;
        const bool sign = std::is_signed_v<T> && length != 0 && bit(a, std::min(position + length - 1, top));
        for (uint32_t i = 0; i <= top; ++i)
          d |= U(i < length && position + i <= top ? bit(a, position + i) : sign) << i;
        return T(d);
      };
      expect_ternary<T, T, uint32_t, uint32_t>(std::string("bfe.") + named.name + " %d, %a, %b, %c;", extract,
                                               values_of<T>(2), amounts, amounts);
    }
  });
  for_bit_types([]<class N>(N named) {
    using T = typename N::type;
    if constexpr (sizeof(T) >= 4) {
      for (const uint32_t position : amounts) {
        for (const uint32_t length : {0u, 1u, 7u, 32u, 64u}) {
          const std::string body = std::string("bfi.") + named.name + " %d, %a, %b, " + std::to_string(position) +
                                   ", " + std::to_string(length) + ";";
          expect_binary<T, T, T>(
              body,
              [&](T a, T b) {
                for (uint32_t i = 0; i < length && position + i < static_cast<uint32_t>(bits_of<T>); ++i) {
                  b = T((b & ~(T{1} << (position + i))) | T(bit(a, i)) << (position + i));
                }
                return b;
              },
              values_of<T>(2), values_of<T>(1));
        }
      }
    }
  });
}

GMR_SIM_TEST(bits_prmt) {
  using U = uint32_t;
  const std::vector<U> words = {0x33221100, 0x77665544, 0x80ff7f01, 0x12345678};
  const std::vector<U> controls = {0x3210, 0x7654, 0x0426, 0x8888, 0xfa51, 0x0001, 0x0002, 0x0003};
  const auto byte = [](U a, U b, U i) { return (i & 4 ? b : a) >> 8 * (i & 3) & 255; };
  const auto check = [&](const std::string& mode, auto chosen) {
    expect_ternary<U, U, U, U>(
        "prmt.b32" + mode + " %d, %a, %b, %c;",
        [&](U a, U b, U c) {
          U d = 0;
          for (U i = 0; i < 4; ++i) d |= byte(a, b, chosen(c & 3, i) & 7) << 8 * i;
          return d;
        },
        words, words, controls);
  };
  expect_ternary<U, U, U, U>(
      "prmt.b32 %d, %a, %b, %c;",
      [&](U a, U b, U c) {
        U d = 0;
        for (U i = 0; i < 4; ++i) {
          const U nibble = c >> 4 * i & 15;
          const U value = byte(a, b, nibble & 7);
          d |= (nibble & 8 ? (value & 128 ? 255 : 0) : value) << 8 * i;
        }
        return d;
      },
      words, words, controls);
  check(".f4e", [](U k, U i) { return k + i; });
  check(".b4e", [](U k, U i) { return k - i; });
  check(".rc8", [](U k, U) { return k; });
  check(".ecl", [](U k, U i) { return std::max(k, i); });
  check(".ecr", [](U k, U i) { return std::min(k, i); });
  check(".rc16", [](U k, U i) { return 2 * (k & 1) + (i & 1); });
}

GMR_SIM_TEST(bits_funnel_shift) {
  using U = uint32_t;
  for (const bool wraps : {false, true}) {
    const std::string mode = wraps ? ".wrap" : ".clamp";
    const auto count = [&](U c) { return wraps ? c % 32 : std::min(c, 32u); };
    expect_ternary<U, U, U, U>(
        "shf.l" + mode + ".b32 %d, %a, %b, %c;",
        [&](U a, U b, U c) { return count(c) == 0    ? b
                                    : count(c) == 32 ? a
                                                     : b << count(c) | a >> (32 - count(c)); },
        values_of<U>(2), values_of<U>(2), amounts);
    expect_ternary<U, U, U, U>(
        "shf.r" + mode + ".b32 %d, %a, %b, %c;",
        [&](U a, U b, U c) { return count(c) == 0    ? a
                                    : count(c) == 32 ? b
                                                     : b << (32 - count(c)) | a >> count(c); },
        values_of<U>(2), values_of<U>(2), amounts);
  }
}

GMR_SIM_TEST(bits_predicates) {
  const std::string before = "setp.lt.u32 %p1, %a, 10;\nsetp.gt.u32 %p2, %a, 5;\n";
  const std::string after = "\nselp.u32 %d, 1, 0, %p3;";
  const std::vector<uint32_t> a = {0, 3, 5, 6, 9, 10, 11, 70};
  const auto check = [&](const std::string& body, auto f) {
    expect_unary<uint32_t, uint32_t>(
        before + body + after, [&](uint32_t x) { return uint32_t(f(x<10, x> 5)); }, a);
  };
  check("and.pred %p3, %p1, %p2;", [](bool x, bool y) { return x && y; });
  check("and.pred %p3, %p1, !%p2;", [](bool x, bool y) { return x && !y; });
  check("or.pred %p3, %p1, %p2;", [](bool x, bool y) { return x || y; });
  check("xor.pred %p3, %p1, %p2;", [](bool x, bool y) { return x != y; });
  check("not.pred %p3, %p1;", [](bool x, bool) { return !x; });
  check("mov.pred %p3, %p2;", [](bool, bool y) { return y; });
  check("mov.pred %p3, -1;\n@%p1 mov.pred %p3, 0;", [](bool x, bool) { return !x; });
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
