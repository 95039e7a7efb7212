// Branches, ends, barriers of the block, and what the CUDA runtime provides to kernels as functions.
#include <cstdio>
#include <cstring>

#include "testing/cuda_sim/barriers.h"
#include "testing/cuda_sim/fault.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/opcode_table.h"

namespace gmr::cuda_sim {

namespace {

void nothing(Warp&, const Instruction&, uint32_t) {}

void trap(Warp& warp, const Instruction&, uint32_t lanes) {
  warp.fault(std::countr_zero(lanes), "trap", "the kernel gives up");
}

template <class T>
T argument(Warp& warp, const Instruction& i, size_t operand, int lane) {
  T value;
  std::memcpy(
      &value,
      locate(warp, lane, Space::param, warp.row<uint64_t>(i.reg[operand])[lane], sizeof value, AccessKind::read),
      sizeof value);
  return value;
}

std::string text_at(Warp& warp, int lane, uint64_t address) {
  std::string text;
  for (;; ++address) {
    const char c = static_cast<char>(*locate(warp, lane, Space::generic, address, 1, AccessKind::read));
    if (c == '\0') return text;
    text += c;
  }
}

void assert_fail(Warp& warp, const Instruction& i, uint32_t lanes) {
  const int lane = std::countr_zero(lanes);
  warp.fault(lane, "assertion failed",
             text_at(warp, lane, argument<uint64_t>(warp, i, 0, lane)) + ", " +
                 text_at(warp, lane, argument<uint64_t>(warp, i, 1, lane)) + ":" +
                 std::to_string(argument<uint32_t>(warp, i, 2, lane)));
}

// The arguments lie one after the other, each at a multiple of its size, as C promotes them.
void print(Warp& warp, int lane, const std::string& format, uint64_t at) {
  const auto next = [&](uint32_t bytes) {
    at = (at + bytes - 1) / bytes * bytes;
    uint64_t value = 0;
    std::memcpy(&value, locate(warp, lane, Space::generic, at, bytes, AccessKind::read), bytes);
    at += bytes;
    return value;
  };
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || format.substr(i, 2) == "%%") {
      std::putchar(format[i]);
      i += format[i] == '%';
      continue;
    }
    const size_t end = format.find_first_of("diouxXcsfFeEgGaAp", i);
    if (end == std::string::npos) return;
    const std::string one = format.substr(i, end - i + 1);
    const bool is_long = one.find('l') != std::string::npos || one.find('z') != std::string::npos;
    i = end;
    switch (format[end]) {
      case 's':
        std::printf(one.c_str(), text_at(warp, lane, next(8)).c_str());
        break;
      case 'p':
        std::printf(one.c_str(), reinterpret_cast<void*>(next(8)));
        break;
      case 'd':
      case 'i':
      case 'o':
      case 'u':
      case 'x':
      case 'X':
      case 'c':
        if (is_long) {
          std::printf(one.c_str(), next(8));
        } else {
          std::printf(one.c_str(), static_cast<uint32_t>(next(4)));
        }
        break;
      default: {
        const uint64_t bits = next(8);
        double value;
        std::memcpy(&value, &bits, sizeof value);
        std::printf(one.c_str(), value);
      }
    }
  }
}

void vprintf_call(Warp& warp, const Instruction& i, uint32_t lanes) {
  for_lanes(lanes, [&](int lane) {
    print(warp, lane, text_at(warp, lane, argument<uint64_t>(warp, i, 0, lane)), argument<uint64_t>(warp, i, 1, lane));
  });
  std::fflush(stdout);
}

void add_barriers(OpcodeTable& table, const std::string& prefix, const std::string& aligned, Flow flow) {
  const auto add = [&](const std::string& operation, const std::string& signature, BarrierKind kind) {
    table.add(prefix + operation, {nothing, signature, flow, static_cast<uint32_t>(kind)});
  };
  add(".sync" + aligned, "4/4 4", BarrierKind::sync);
  add(".arrive" + aligned, "4 4", BarrierKind::arrive);
  add(".red.popc" + aligned + ".u32", "=4 4 p/=4 4 4 p", BarrierKind::red_popc);
  add(".red.and" + aligned + ".pred", "=p 4 p/=p 4 4 p", BarrierKind::red_and);
  add(".red.or" + aligned + ".pred", "=p 4 p/=p 4 4 p", BarrierKind::red_or);
}

}  // namespace

void add_control_opcodes(OpcodeTable& table) {
  table.add("bra{,.uni}", {nothing, "L", Flow::branch});
  table.add("brx.idx{,.uni}", {nothing, "4 L", Flow::branch_indexed});
  // Out of an inlined function, or around it: the translator knows where to.
  table.add("bra.return", {nothing, "", Flow::branch});
  table.add("ret{,.uni}", {nothing, "", Flow::exit});
  table.add("exit", {nothing, "", Flow::exit});
  table.add("trap", {trap, ""});
  table.add("nanosleep.u32", {nothing, "4"});
  add_barriers(table, "bar", "", Flow::barrier_aligned);
  add_barriers(table, "barrier{,.cta}", ".aligned", Flow::barrier_aligned);
  add_barriers(table, "barrier{,.cta}", "", Flow::barrier);
  table.add("call.__assertfail", {assert_fail, "8 8 8 8 8"});
  table.add("call.vprintf", {vprintf_call, "8 8"});
}

}  // namespace gmr::cuda_sim
