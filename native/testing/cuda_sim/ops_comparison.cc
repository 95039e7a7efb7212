// setp, set, selp, slct.
#include <cmath>

#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/narrow_float.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

enum class Comparison : uint32_t { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };
constexpr const char* comparison_names[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                            "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

enum class Join : uint32_t { none, join_and, join_or, join_xor };
constexpr const char* join_names[] = {"", ".and", ".or", ".xor"};

constexpr uint32_t flush_variant = 1u << 8;

template <Comparison comparison, class T>
bool compare(T a, T b) {
  const bool unordered = a != a || b != b;
  switch (comparison) {
    case Comparison::eq:
      return a == b;
    case Comparison::ne:
      return a != b && !unordered;
    case Comparison::lt:
      return a < b;
    case Comparison::le:
      return a <= b;
    case Comparison::gt:
      return a > b;
    case Comparison::ge:
      return a >= b;
    case Comparison::equ:
      return a == b || unordered;
    case Comparison::neu:
      return a != b || unordered;
    case Comparison::ltu:
      return a < b || unordered;
    case Comparison::leu:
      return a <= b || unordered;
    case Comparison::gtu:
      return a > b || unordered;
    case Comparison::geu:
      return a >= b || unordered;
    case Comparison::num:
      return !unordered;
    case Comparison::nan:
      return unordered;
  }
  return false;
}

// A bit for each lane, `stride` elements apart.
template <Comparison comparison, class T, int stride = 1>
uint32_t compare_rows(Warp& warp, const Instruction& i, size_t first, int half = 0) {
  const T* const a = warp.row<T>(i.reg[first]) + half;
  const T* const b = warp.row<T>(i.reg[first + 1]) + half;
  const bool flushes = (i.variant & flush_variant) != 0;
  uint32_t result = 0;
  for (int lane = 0; lane < static_cast<int>(warp_size); ++lane) {
    if constexpr (std::is_same_v<T, float>) {
      if (flushes) {
        result |= uint32_t{compare<comparison, float>(flush(a[lane]), flush(b[lane]))} << lane;
        continue;
      }
    }
    if constexpr (std::is_class_v<T>) {
      result |= uint32_t{compare<comparison, double>(a[lane * stride], b[lane * stride])} << lane;
    } else {
      result |= uint32_t{compare<comparison, T>(a[lane], b[lane])} << lane;
    }
  }
  return result;
}

uint32_t join(uint32_t variant, uint32_t a, uint32_t b) {
  switch (static_cast<Join>(variant & 3)) {
    case Join::join_and:
      return a & b;
    case Join::join_or:
      return a | b;
    case Join::join_xor:
      return a ^ b;
    default:
      return a;
  }
}

// p|q = comparison joined with c, and its negation joined with c. In form 0 there is no q.
template <Comparison comparison, class T>
void setp(Warp& warp, const Instruction& i, uint32_t lanes) {
  const size_t first = i.form + 1;
  const uint32_t holds = compare_rows<comparison, T>(warp, i, first);
  const bool joins = (i.variant & 3) != 0;
  const uint32_t c = joins ? warp.predicate(i, first + 2) : 0;
  warp.set_predicate(i.reg[0], lanes, join(i.variant, holds, c));
  if (i.form == 1) warp.set_predicate(i.reg[1], lanes, join(i.variant, ~holds, c));
}

// Of two halves p and q are the comparisons of each.
template <Comparison comparison, class T>
void setp_halves(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint32_t low = compare_rows<comparison, T, 2>(warp, i, 2, 0);
  const uint32_t high = compare_rows<comparison, T, 2>(warp, i, 2, 1);
  const uint32_t c = (i.variant & 3) != 0 ? warp.predicate(i, 4) : 0;
  warp.set_predicate(i.reg[0], lanes, join(i.variant, low, c));
  warp.set_predicate(i.reg[1], lanes, join(i.variant, high, c));
}

// A number for true: all ones, or 1.0.
template <Comparison comparison, class T, class D>
void set(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint32_t c = (i.variant & 3) != 0 ? warp.predicate(i, 3) : 0;
  const uint32_t holds = join(i.variant, compare_rows<comparison, T>(warp, i, 1), c);
  D* const d = warp.row<D>(i.reg[0]);
  const D yes = std::is_floating_point_v<D> ? static_cast<D>(1) : static_cast<D>(-1);
  for_lanes(lanes, [&](int lane) { d[lane] = holds >> lane & 1 ? yes : D{0}; });
}

template <Comparison comparison, class T>
void set_halves(Warp& warp, const Instruction& i, uint32_t lanes) {
  const uint32_t yes = i.variant >> 16;
  const uint32_t low = compare_rows<comparison, T, 2>(warp, i, 1, 0);
  const uint32_t high = compare_rows<comparison, T, 2>(warp, i, 1, 1);
  uint32_t* const d = warp.row<uint32_t>(i.reg[0]);
  for_lanes(lanes, [&](int lane) { d[lane] = (low >> lane & 1 ? yes : 0) | (high >> lane & 1 ? yes << 16 : 0); });
}

template <class T>
void selp(Warp& warp, const Instruction& i, uint32_t lanes) {
  T* const d = warp.row<T>(i.reg[0]);
  const T* const a = warp.row<T>(i.reg[1]);
  const T* const b = warp.row<T>(i.reg[2]);
  const uint32_t c = warp.predicate(i, 3);
  if (lanes == full_mask) {
    GMR_LANES d[lane] = c >> lane & 1 ? a[lane] : b[lane];
  } else {
    for_lanes(lanes, [&](int lane) { d[lane] = c >> lane & 1 ? a[lane] : b[lane]; });
  }
}

template <class T, class C>
void slct(Warp& warp, const Instruction& i, uint32_t lanes) {
  map_lanes<T, T, T, C>(warp, i, lanes, [](T a, T b, C c) -> T { return c >= 0 ? a : b; });
}

template <Comparison comparison, class T>
void add_setp(OpcodeTable& table, const std::string& name, const std::string& type) {
  const std::string width = bytes<T>();
  for (uint32_t join = 0; join < 4; ++join) {
    const std::string source = join == 0 ? "" : " p";
    const std::string signature = "=p " + width + " " + width + source + "/=p|=p " + width + " " + width + source;
    const std::string modifiers = "." + name + join_names[join];
    table.add("setp" + modifiers + type, {setp<comparison, T>, signature, Flow::straight, join});
    if (join == 0 && type == ".f32") {
      table.add("setp" + modifiers + ".ftz.f32", {setp<comparison, T>, signature, Flow::straight, flush_variant});
    }
    if constexpr (!std::is_class_v<T>) {
      const std::string set_signature = "=4 " + width + " " + width + source;
      table.add("set" + modifiers + ".{u32,s32}" + type,
                {set<comparison, T, uint32_t>, set_signature, Flow::straight, join});
      table.add("set" + modifiers + ".f32" + type, {set<comparison, T, float>, set_signature, Flow::straight, join});
    }
  }
}

template <Comparison comparison, class T>
void add_halves(OpcodeTable& table, const std::string& name, const std::string& type, uint32_t one) {
  add_setp<comparison, T>(table, name, "." + type);
  for (uint32_t join = 0; join < 4; ++join) {
    const std::string signature = join == 0 ? "=p|=p 4 4" : "=p|=p 4 4 p";
    table.add("setp." + name + join_names[join] + "." + type + "x2",
              {setp_halves<comparison, T>, signature, Flow::straight, join});
  }
  table.add("set." + name + "." + type + "x2." + type + "x2",
            {set_halves<comparison, T>, "=4 4 4", Flow::straight, one << 16});
  table.add("set." + name + ".u32." + type + "x2", {set_halves<comparison, T>, "=4 4 4", Flow::straight, 0xffff0000u});
}

template <Comparison comparison>
void add_float_comparison(OpcodeTable& table) {
  const std::string name = comparison_names[static_cast<uint32_t>(comparison)];
  add_setp<comparison, float>(table, name, ".f32");
  add_setp<comparison, double>(table, name, ".f64");
  add_halves<comparison, Half>(table, name, "f16", 0x3c00);
  add_halves<comparison, Bfloat>(table, name, "bf16", 0x3f80);
}

template <Comparison comparison>
void add_integer_comparison(OpcodeTable& table, const std::string& unsigned_name = {}) {
  const std::string name = comparison_names[static_cast<uint32_t>(comparison)];
  for_integer_types([&]<class N>(N named) {
    using T = typename N::type;
    add_setp<comparison, T>(table, name, std::string(".") + named.name);
    if (std::is_unsigned_v<T> && !unsigned_name.empty()) {
      add_setp<comparison, T>(table, unsigned_name, std::string(".") + named.name);
    }
  });
  if constexpr (comparison == Comparison::eq || comparison == Comparison::ne) {
    for_bit_types(
        [&]<class N>(N named) { add_setp<comparison, typename N::type>(table, name, std::string(".") + named.name); });
  }
}

}  // namespace

void add_comparison_opcodes(OpcodeTable& table) {
  using C = Comparison;
  add_integer_comparison<C::eq>(table);
  add_integer_comparison<C::ne>(table);
  add_integer_comparison<C::lt>(table, "lo");
  add_integer_comparison<C::le>(table, "ls");
  add_integer_comparison<C::gt>(table, "hi");
  add_integer_comparison<C::ge>(table, "hs");
  add_float_comparison<C::eq>(table);
  add_float_comparison<C::ne>(table);
  add_float_comparison<C::lt>(table);
  add_float_comparison<C::le>(table);
  add_float_comparison<C::gt>(table);
  add_float_comparison<C::ge>(table);
  add_float_comparison<C::equ>(table);
  add_float_comparison<C::neu>(table);
  add_float_comparison<C::ltu>(table);
  add_float_comparison<C::leu>(table);
  add_float_comparison<C::gtu>(table);
  add_float_comparison<C::geu>(table);
  add_float_comparison<C::num>(table);
  add_float_comparison<C::nan>(table);
  table.add("selp.{b16,u16,s16}", {selp<uint16_t>, "=2 2 2 p"});
  table.add("selp.{b32,u32,s32,f32}", {selp<uint32_t>, "=4 4 4 p"});
  table.add("selp.{b64,u64,s64,f64}", {selp<uint64_t>, "=8 8 8 p"});
  table.add("slct.{b32,u32,s32,f32}.s32", {slct<uint32_t, int32_t>, "=4 4 4 4"});
  table.add("slct.{b64,u64,s64,f64}.s32", {slct<uint64_t, int32_t>, "=8 8 8 4"});
  table.add("slct.{b32,u32,s32,f32}.f32", {slct<uint32_t, float>, "=4 4 4 4"});
  table.add("slct.{b64,u64,s64,f64}.f32", {slct<uint64_t, float>, "=8 8 8 4"});
}

}  // namespace gmr::cuda_sim
