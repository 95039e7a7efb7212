// atom and red. Lanes that meet at an address go one after the other, in their order.
#include <algorithm>

#include "testing/cuda_sim/device_memory.h"
#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/narrow_float.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

enum Options : uint32_t { space_bits = 7, releases = 16 };

struct Add {
  template <class T>
  T operator()(T old, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(b));
    } else {
      return old + b;
    }
  }
};
template <bool is_bfloat>
struct AddNarrow {
  uint16_t operator()(uint16_t old, uint16_t b) const {
    constexpr FloatFormat format = is_bfloat ? bfloat_format : half_format;
    return narrow(multiply_add_to_odd(widen(old, format), 1, widen(b, format)), format, Rounding::nearest_even);
  }
};
template <bool is_bfloat>
struct AddNarrowTwo {
  uint32_t operator()(uint32_t old, uint32_t b) const {
    const AddNarrow<is_bfloat> add;
    return uint32_t{add(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16))} << 16 |
           add(static_cast<uint16_t>(old), static_cast<uint16_t>(b));
  }
};
struct Minimum {
  template <class T>
  T operator()(T old, T b) const {
    return std::min(old, b);
  }
};
struct Maximum {
  template <class T>
  T operator()(T old, T b) const {
    return std::max(old, b);
  }
};
struct And {
  template <class T>
  T operator()(T old, T b) const {
    return old & b;
  }
};
struct Or {
  template <class T>
  T operator()(T old, T b) const {
    return old | b;
  }
};
struct Xor {
  template <class T>
  T operator()(T old, T b) const {
    return old ^ b;
  }
};
struct Exchange {
  template <class T>
  T operator()(T, T b) const {
    return b;
  }
};
struct Increment {
  uint32_t operator()(uint32_t old, uint32_t b) const { return old >= b ? 0 : old + 1; }
};
struct Decrement {
  uint32_t operator()(uint32_t old, uint32_t b) const { return old == 0 || old > b ? b : old - 1; }
};

// `first` is the operand that holds the address: 1 where the old value is wanted, else 0.
template <class F, class T, size_t first>
void atomic(Warp& warp, const Instruction& i, uint32_t lanes) {
  if (i.variant & releases) warp.block->memory.fence();
  for_lanes(lanes, [&](int lane) {
    std::byte* const at = locate(warp, lane, static_cast<Space>(i.variant & space_bits),
                                 address_of(warp, i, first, 0, lane), sizeof(T), AccessKind::atomic);
    T old;
    std::memcpy(&old, at, sizeof old);
    const T value = F{}(old, warp.row<T>(i.reg[first + 1])[lane]);
    std::memcpy(at, &value, sizeof value);
    if constexpr (first == 1) warp.row<T>(i.reg[0])[lane] = old;
  });
}

template <class T>
void compare_and_swap(Warp& warp, const Instruction& i, uint32_t lanes) {
  if (i.variant & releases) warp.block->memory.fence();
  for_lanes(lanes, [&](int lane) {
    std::byte* const at = locate(warp, lane, static_cast<Space>(i.variant & space_bits),
                                 address_of(warp, i, 1, 0, lane), sizeof(T), AccessKind::atomic);
    T old;
    std::memcpy(&old, at, sizeof old);
    if (old == warp.row<T>(i.reg[2])[lane]) std::memcpy(at, &warp.row<T>(i.reg[3])[lane], sizeof old);
    warp.row<T>(i.reg[0])[lane] = old;
  });
}

struct Line {
  const char* operation;
  uint8_t width;
  Handler atom;
  Handler red;         // nullptr where there is none
  bool swaps = false;  // takes two values
};

template <class F, class T>
Line line(const char* operation) {
  return {operation, sizeof(T), atomic<F, T, 1>, atomic<F, T, 0>};
}

template <class T>
Line exchange(const char* operation) {
  return {operation, sizeof(T), atomic<Exchange, T, 1>, nullptr};
}

template <class T>
Line swap(const char* operation) {
  return {operation, sizeof(T), compare_and_swap<T>, nullptr, true};
}

}  // namespace

void add_atomic_opcodes(OpcodeTable& table) {
  const Line lines[] = {
      line<Add, uint32_t>(".add.{u32,s32}"),
      line<Add, uint64_t>(".add.{u64,s64}"),
      line<Add, float>(".add{,.ftz}.f32"),
      line<Add, double>(".add.f64"),
      line<AddNarrow<false>, uint16_t>(".add.noftz.f16"),
      line<AddNarrow<true>, uint16_t>(".add.noftz.bf16"),
      line<AddNarrowTwo<false>, uint32_t>(".add.noftz.f16x2"),
      line<AddNarrowTwo<true>, uint32_t>(".add.noftz.bf16x2"),
      line<Minimum, uint32_t>(".min.u32"),
      line<Minimum, int32_t>(".min.s32"),
      line<Minimum, uint64_t>(".min.u64"),
      line<Minimum, int64_t>(".min.s64"),
      line<Maximum, uint32_t>(".max.u32"),
      line<Maximum, int32_t>(".max.s32"),
      line<Maximum, uint64_t>(".max.u64"),
      line<Maximum, int64_t>(".max.s64"),
      line<And, uint32_t>(".and.b32"),
      line<And, uint64_t>(".and.b64"),
      line<Or, uint32_t>(".or.b32"),
      line<Or, uint64_t>(".or.b64"),
      line<Xor, uint32_t>(".xor.b32"),
      line<Xor, uint64_t>(".xor.b64"),
      line<Increment, uint32_t>(".inc.u32"),
      line<Decrement, uint32_t>(".dec.u32"),
      exchange<uint32_t>(".exch.b32"),
      exchange<uint64_t>(".exch.b64"),
      swap<uint16_t>(".cas.b16"),
      swap<uint32_t>(".cas.b32"),
      swap<uint64_t>(".cas.b64"),
  };
  const std::pair<const char*, Space> spaces[] = {
      {"", Space::generic}, {".global", Space::global}, {"{.shared,.shared::cta}", Space::shared}};
  const std::pair<const char*, uint32_t> semantics[] = {{"{,.relaxed,.acquire}", 0}, {"{.release,.acq_rel}", releases}};
  for (const Line& line : lines) {
    for (const auto& [space_name, space] : spaces) {
      for (const auto& [order, release] : semantics) {
        const std::string modifiers = std::string(order) + "{,.cta,.cluster,.gpu,.sys}" + space_name + line.operation;
        const std::string width = " " + std::to_string(line.width);
        Opcode opcode{line.atom, "=" + std::to_string(line.width) + " @" + width + (line.swaps ? width : "")};
        opcode.variant = static_cast<uint32_t>(space) | release;
        opcode.shared_bytes = space != Space::global ? line.width : 0;
        opcode.global_bytes = space != Space::shared ? line.width : 0;
        table.add("atom" + modifiers, opcode);
        if (line.red == nullptr) continue;
        opcode.handler = line.red;
        opcode.signature = "@" + width;
        table.add("red" + modifiers, opcode);
      }
    }
  }
}

}  // namespace gmr::cuda_sim
