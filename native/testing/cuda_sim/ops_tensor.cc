// Matrices spread over a warp: ldmatrix, stmatrix and mma.sync. The order in which mma adds is the hardware's own, so
// results agree with it to rounding, not to the bit.
#include <cstring>

#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/narrow_float.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

// 8 rows of 8 elements of 16 bits. Lane l holds elements 2 (l % 4) and the next one of row l / 4; lanes 8k to 8k + 7
// bring the addresses of the rows of matrix k.
template <bool transposed>
void ldmatrix(Warp& warp, const Instruction& i, uint32_t) {
  const size_t count = i.operand_count - 1u;
  for (size_t matrix = 0; matrix < count; ++matrix) {
    uint16_t element[8][8];
    for (int row = 0; row < 8; ++row) {
      const int lane = static_cast<int>(matrix) * 8 + row;
      std::memcpy(element[row],
                  locate(warp, lane, Space::shared, address_of(warp, i, count, 0, lane), 16, AccessKind::read), 16);
    }
    uint32_t* const d = warp.row<uint32_t>(i.reg[matrix]);
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
      const uint32_t row = lane / 4;
      const uint32_t column = lane % 4 * 2;
      const uint32_t low = transposed ? element[column][row] : element[row][column];
      const uint32_t high = transposed ? element[column + 1][row] : element[row][column + 1];
      d[lane] = low | high << 16;
    }
  }
}

template <bool transposed>
void stmatrix(Warp& warp, const Instruction& i, uint32_t) {
  const size_t count = i.operand_count - 1u;
  for (size_t matrix = 0; matrix < count; ++matrix) {
    uint16_t element[8][8];
    const uint32_t* const s = warp.row<uint32_t>(i.reg[matrix + 1]);
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
      const uint32_t row = lane / 4;
      const uint32_t column = lane % 4 * 2;
      (transposed ? element[column][row] : element[row][column]) = static_cast<uint16_t>(s[lane]);
      (transposed ? element[column + 1][row] : element[row][column + 1]) = static_cast<uint16_t>(s[lane] >> 16);
    }
    for (int row = 0; row < 8; ++row) {
      const int lane = static_cast<int>(matrix) * 8 + row;
      std::memcpy(
          locate(warp, lane, Space::shared, address_of(warp, i, 0, 0, lane), 16, AccessKind::write, element[row]),
          element[row], 16);
    }
  }
}

// How the two operands' elements lie in their registers.
struct BfloatElement {
  static constexpr int a_register = 2;  // elements of one register, along k
  static float value(uint32_t bits, int index) { return widen_bfloat(static_cast<uint16_t>(bits >> 16 * index)); }
};
struct HalfElement {
  static constexpr int a_register = 2;
  static float value(uint32_t bits, int index) {
    return static_cast<float>(widen(static_cast<uint16_t>(bits >> 16 * index), half_format));
  }
};
struct Tf32Element {
  static constexpr int a_register = 1;
  static float value(uint32_t bits, int) { return bit_cast_to<float>(bits & ~0x1fffu); }  // lower digits are ignored
};

// D = A B + C for 16 x k, k x 8 and 16 x 8. With e elements a register, register r of A holds row l / 4 + 8 (r % 2) and
// columns e (l % 4) + 4 e (r / 2); register r of B rows e (l % 4) + 4 e r of column l / 4; C and D two columns each.
template <class Element, int k_extent>
void mma(Warp& warp, const Instruction& i, uint32_t) {
  constexpr int per_register = Element::a_register;
  constexpr int b_registers = k_extent / (4 * per_register);
  constexpr int a_registers = 2 * b_registers;
  float a[16][k_extent];
  float b[k_extent][8];
  float d[16][8];
  for (int lane = 0; lane < static_cast<int>(warp_size); ++lane) {
    const int group = lane / 4;
    const int within = lane % 4;
    for (int r = 0; r < a_registers; ++r) {
      const uint32_t bits = warp.row<uint32_t>(i.reg[4 + r])[lane];
      for (int e = 0; e < per_register; ++e) {
        a[group + 8 * (r % 2)][per_register * within + 4 * per_register * (r / 2) + e] = Element::value(bits, e);
      }
    }
    for (int r = 0; r < b_registers; ++r) {
      const uint32_t bits = warp.row<uint32_t>(i.reg[4 + a_registers + r])[lane];
      for (int e = 0; e < per_register; ++e) {
        b[per_register * within + 4 * per_register * r + e][group] = Element::value(bits, e);
      }
    }
    for (int r = 0; r < 4; ++r) {
      d[group + 8 * (r / 2)][2 * within + r % 2] = warp.row<float>(i.reg[4 + a_registers + b_registers + r])[lane];
    }
  }
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < k_extent; ++k) {
      for (int column = 0; column < 8; ++column) d[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < static_cast<int>(warp_size); ++lane) {
    for (int r = 0; r < 4; ++r) warp.row<float>(i.reg[r])[lane] = d[lane / 4 + 8 * (r / 2)][2 * (lane % 4) + r % 2];
  }
}

}  // namespace

void add_tensor_opcodes(OpcodeTable& table) {
  for (const int count : {1, 2, 4}) {
    const std::string name = "matrix.sync.aligned.m8n8.x" + std::to_string(count);
    const std::string vector = "4x" + std::to_string(count);
    Opcode opcode;
    opcode.flow = Flow::collective_warp;
    opcode.shared_bytes = 4;  // rows of 16 bytes
    // A vector of one may come with its braces or without.
    opcode.signature = count == 1 ? "=4 @/=4x1 @" : "=" + vector + " @";
    opcode.handler = ldmatrix<false>;
    table.add("ld" + name + "{.shared,.shared::cta}.b16", opcode);
    opcode.handler = ldmatrix<true>;
    table.add("ld" + name + ".trans{.shared,.shared::cta}.b16", opcode);
    opcode.signature = count == 1 ? "@ 4/@ 4x1" : "@ " + vector;
    opcode.handler = stmatrix<false>;
    table.add("st" + name + "{.shared,.shared::cta}.b16", opcode);
    opcode.handler = stmatrix<true>;
    table.add("st" + name + ".trans{.shared,.shared::cta}.b16", opcode);
  }
  const auto add = [&](const std::string& name, Handler handler, int a_registers) {
    const std::string signature =
        "=4x4 4x" + std::to_string(a_registers) + (a_registers == 4 ? " 4x2 4x4" : " 4x1 4x4/=4x4 4x2 4 4x4");
    table.add("mma.sync.aligned." + name, {handler, signature, Flow::collective_warp});
  };
  add("m16n8k16.row.col.f32.bf16.bf16.f32", mma<BfloatElement, 16>, 4);
  add("m16n8k16.row.col.f32.f16.f16.f32", mma<HalfElement, 16>, 4);
  add("m16n8k8.row.col.f32.bf16.bf16.f32", mma<BfloatElement, 8>, 2);
  add("m16n8k8.row.col.f32.f16.f16.f32", mma<HalfElement, 8>, 2);
  add("m16n8k8.row.col.f32.tf32.tf32.f32", mma<Tf32Element, 8>, 4);
  add("m16n8k4.row.col.f32.tf32.tf32.f32", mma<Tf32Element, 4>, 2);
}

}  // namespace gmr::cuda_sim
