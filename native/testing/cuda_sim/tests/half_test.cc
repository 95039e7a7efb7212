#include <cmath>

#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

using Exact = __float128;

// All numbers of a format by brute force: the nearest of them is the rounded value.
struct Format {
  const char* type;
  int exponent_bits;
  int fraction_bits;
  double value(uint16_t bits) const {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int field = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    const int fraction = bits & ((1 << fraction_bits) - 1);
    double magnitude = std::ldexp(fraction, 1 - bias - fraction_bits);
    if (field != 0) magnitude = std::ldexp(fraction + (1 << fraction_bits), field - bias - fraction_bits);
    if (field == (1 << exponent_bits) - 1) magnitude = fraction == 0 ? INFINITY : NAN;
    return bits & 0x8000 ? -magnitude : magnitude;
  }
  uint16_t infinity() const { return static_cast<uint16_t>(((1 << exponent_bits) - 1) << fraction_bits); }
  bool is_nan(uint16_t bits) const { return (bits & 0x7fff) > infinity(); }
  // Nearest, ties to even, by bisection among the numbers of one sign, which are in the order of their bits.
  uint16_t nearest(Exact exact, bool negative_zero) const {
    if (exact != exact) return 0x7fff;
    if (exact == 0) return negative_zero ? 0x8000 : 0;
    const uint16_t sign = exact < 0 ? 0x8000 : 0;
    const Exact magnitude = exact < 0 ? -exact : exact;
    uint16_t below = 0;
    uint16_t above = infinity();
    while (above - below > 1) {
      const uint16_t middle = static_cast<uint16_t>((below + above) / 2);
      (Exact{value(middle)} <= magnitude ? below : above) = middle;
    }
    // Beyond the largest number lies what its successor would be.
    const Exact next = above == infinity()
                           ? Exact{value(below)} + (Exact{value(below)} - value(static_cast<uint16_t>(below - 1)))
                           : Exact{value(above)};
    const Exact to_below = magnitude - value(below);
    const Exact to_above = next - magnitude;
    const bool up = to_above < to_below || (to_above == to_below && below & 1);
    return sign | (up ? above : below);
  }
};

constexpr Format formats[] = {{"f16", 5, 10}, {"bf16", 8, 7}};

std::vector<uint16_t> some_values(const Format& format, size_t random_count) {
  std::vector<uint16_t> values = {0,
                                  0x8000,
                                  1,
                                  0x8001,
                                  format.nearest(1, false),
                                  format.nearest(-1.5, false),
                                  format.infinity(),
                                  static_cast<uint16_t>(format.infinity() - 1),
                                  0x7fff,
                                  format.nearest(0.1, false)};
  std::mt19937 random(3);
  for (size_t i = 0; i < random_count; ++i) values.push_back(static_cast<uint16_t>(random()));
  for (size_t i = 0; i < random_count; ++i) values.push_back(format.nearest(int(random() % 2001) / 100.0 - 10, false));
  return values;
}

// Also two at a time: the neighbour of each value goes into the other half.
template <class F>
void check(const Format& format, const std::string& name, int sources, size_t random_count, F f) {
  std::vector<uint16_t> v = some_values(format, random_count);
  if (sources == 3) {
    // What 113 digits hold of a product and a sum.
    std::erase_if(v, [&](uint16_t bits) {
      const double magnitude = std::fabs(format.value(bits));
      return std::isfinite(magnitude) && magnitude != 0 && std::fabs(std::log2(magnitude)) > 30;
    });
  }
  std::vector<uint16_t> a, b, c;
  for (const uint16_t x : v) {
    for (const uint16_t y : v) {
      for (size_t k = 0; k < (sources == 3 ? v.size() : 1); ++k) a.push_back(x), b.push_back(y), c.push_back(v[k]);
    }
  }
  const std::string operands = sources == 1 ? " %d, %a;" : sources == 2 ? " %d, %a, %b;" : " %d, %a, %b, %c;";
  const std::string single = name + "." + format.type + operands;
  const std::vector<uint16_t> d = evaluate<uint16_t>(single, a, b, c);
  for (size_t i = 0; i < d.size(); ++i) {
    const uint16_t wanted = f(a[i], b[i], c[i]);
    expect(d[i] == wanted || (format.is_nan(d[i]) && format.is_nan(wanted)),
           single + " of " + shown(format.value(a[i])) + ", " + shown(format.value(b[i])) + ", " +
               shown(format.value(c[i])) + ": expected " + shown(format.value(wanted)) + ", received " +
               shown(format.value(d[i])));
  }
  const auto paired = [](const std::vector<uint16_t>& x) {
    std::vector<uint32_t> pairs(x.size());
    for (size_t i = 0; i < x.size(); ++i) pairs[i] = x[i] | uint32_t{x[(i + 1) % x.size()]} << 16;
    return pairs;
  };
  const std::string twice = name + "." + format.type + "x2" + operands;
  const std::vector<uint32_t> two = evaluate<uint32_t>(twice, paired(a), paired(b), paired(c));
  for (size_t i = 0; i < two.size(); ++i) {
    const uint32_t wanted = d[i] | uint32_t{d[(i + 1) % d.size()]} << 16;
    expect(two[i] == wanted, twice + " differs from one at a time");
  }
}

bool minus(double a) { return std::signbit(a); }

GMR_SIM_TEST(half_arithmetic) {
  for (const Format& format : formats) {
    const auto value = [&](uint16_t bits) { return format.value(bits); };
    for (const std::string rn : {"", ".rn"}) {
      check(format, "add" + rn, 2, 12, [&](uint16_t a, uint16_t b, uint16_t) {
        return format.nearest(Exact{value(a)} + value(b), minus(value(a) + value(b)));
      });
      check(format, "sub" + rn, 2, 12, [&](uint16_t a, uint16_t b, uint16_t) {
        return format.nearest(Exact{value(a)} - value(b), minus(value(a) - value(b)));
      });
      check(format, "mul" + rn, 2, 12, [&](uint16_t a, uint16_t b, uint16_t) {
        const double sign = std::copysign(1.0, value(a)) * std::copysign(1.0, value(b));
        return format.nearest(Exact{value(a)} * value(b), sign < 0) |
               (Exact{value(a)} * value(b) == 0 && sign < 0 ? 0x8000 : 0);
      });
    }
    const auto fma = [&](uint16_t a, uint16_t b, uint16_t c) {
      return format.nearest(Exact{value(a)} * value(b) + value(c), minus(std::fma(value(a), value(b), value(c))));
    };
    check(format, "fma.rn", 3, 4, fma);
    check(format, "fma.rn.relu", 3, 3, [&](uint16_t a, uint16_t b, uint16_t c) {
      const uint16_t d = fma(a, b, c);
      return format.is_nan(d) ? d : static_cast<uint16_t>(d & 0x8000 ? 0 : d);
    });
  }
}

GMR_SIM_TEST(half_flush_and_saturate) {
  const Format& format = formats[0];
  const auto flushed = [](uint16_t a) { return static_cast<uint16_t>((a & 0x7c00) == 0 ? a & 0x8000 : a); };
  check(format, "add.ftz", 2, 8, [&](uint16_t a, uint16_t b, uint16_t) {
    const double sum = format.value(flushed(a)) + format.value(flushed(b));
    return flushed(format.nearest(sum, minus(sum)));
  });
  check(format, "add.sat", 2, 8, [&](uint16_t a, uint16_t b, uint16_t) {
    const double sum = format.value(a) + format.value(b);
    return format.nearest(sum > 0 ? std::fmin(sum, 1.0) : 0.0, false);
  });
}

GMR_SIM_TEST(half_min_max_neg_abs) {
  for (const Format& format : formats) {
    const auto least = [&](uint16_t a, uint16_t b, uint16_t) {
      if (format.is_nan(a)) return b;
      if (format.is_nan(b)) return a;
      const double x = format.value(a);
      const double y = format.value(b);
      return x == y ? (minus(x) ? a : b) : x < y ? a : b;
    };
    const auto most = [&](uint16_t a, uint16_t b, uint16_t) {
      if (format.is_nan(a)) return b;
      if (format.is_nan(b)) return a;
      const double x = format.value(a);
      const double y = format.value(b);
      return x == y ? (minus(x) ? b : a) : x > y ? a : b;
    };
    const auto with_nan = [&](auto f) {
      return [&format, f](uint16_t a, uint16_t b, uint16_t c) -> uint16_t {
        return format.is_nan(a) || format.is_nan(b) ? 0x7fff : f(a, b, c);
      };
    };
    check(format, "min", 2, 12, least);
    check(format, "max", 2, 12, most);
    check(format, "min.NaN", 2, 12, with_nan(least));
    check(format, "max.NaN", 2, 12, with_nan(most));
    check(format, "neg", 1, 12, [](uint16_t a, uint16_t, uint16_t) { return static_cast<uint16_t>(a ^ 0x8000); });
    check(format, "abs", 1, 12, [](uint16_t a, uint16_t, uint16_t) { return static_cast<uint16_t>(a & 0x7fff); });
    check(format, "tanh.approx", 1, 6, [&](uint16_t a, uint16_t, uint16_t) {
      return format.nearest(std::tanh(format.value(a)), minus(format.value(a)));
    });
    const bool is_half = format.exponent_bits == 5;
    check(format, is_half ? "ex2.approx" : "ex2.approx.ftz", 1, 6, [&](uint16_t a, uint16_t, uint16_t) {
      const uint16_t d = format.nearest(std::exp2(format.value(a)), false);
      return static_cast<uint16_t>(!is_half && d < 0x80 ? 0 : d);
    });
  }
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
