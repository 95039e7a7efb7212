// Layouts of fragments, written down here from the manual's own formulas and compared by way of a naive product.
#include <cmath>

#include "testing/cuda_sim/tests/harness.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim::tests {

namespace {

// The manual's index formulas of m16n8k16 with 16-bit elements: element i of a lane's fragment.
struct Place {
  int row, column;
};
Place a_place_16(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  const int row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
  return {row, i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8};
}
Place b_place_16(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8, group};
}
Place c_place(int lane, int i) { return {i < 2 ? lane >> 2 : (lane >> 2) + 8, lane % 4 * 2 + (i & 1)}; }
// m16n8k8 and m16n8k4 with tf32.
Place a_place_tf32(int lane, int i) {
  return {i % 2 == 0 ? lane >> 2 : (lane >> 2) + 8, i < 2 ? lane % 4 : lane % 4 + 4};
}
Place b_place_tf32(int lane, int i) { return {i == 0 ? lane % 4 : lane % 4 + 4, lane >> 2}; }
// m16n8k8 with 16-bit elements.
Place a_place_8(int lane, int i) { return {i < 2 ? lane >> 2 : (lane >> 2) + 8, lane % 4 * 2 + (i & 1)}; }
Place b_place_8(int lane, int i) { return {lane % 4 * 2 + (i & 1), lane >> 2}; }

struct Shape {
  const char* name;
  int k;
  int element_bits;
  Place (*a)(int, int);
  Place (*b)(int, int);
  uint32_t (*bits)(float);
};

uint32_t half(float a) { return bit_cast_to<uint16_t>(static_cast<_Float16>(a)); }
uint32_t bfloat(float a) { return bit_cast_to<uint32_t>(a) >> 16; }
uint32_t tf32(float a) { return bit_cast_to<uint32_t>(a) | 0x1fff; }  // digits that must be ignored

// Small integers: exact in all formats, in any order of summation.
float small(std::mt19937& random) { return static_cast<float>(static_cast<int>(random() % 17) - 8); }

void expect_mma(const Shape& shape) {
  std::mt19937 random(1);
  float a[16][16], b[16][8], c[16][8];
  for (auto& row : a)
    for (float& x : row) x = small(random);
  for (auto& row : b)
    for (float& x : row) x = small(random);
  for (auto& row : c)
    for (float& x : row) x = small(random) * 0.5f;
  const int per_register = 32 / shape.element_bits;
  const int a_count = 16 * shape.k / 32 / per_register;
  const int b_count = a_count / 2;
  // 12 words a lane: the fragments of a, b and c.
  std::vector<uint32_t> words(32 * 12);
  const uint32_t mask = shape.element_bits == 32 ? ~0u : 0xffffu;
  for (int lane = 0; lane < 32; ++lane) {
    uint32_t* const word = &words[static_cast<size_t>(lane) * 12];
    for (int i = 0; i < a_count * per_register; ++i) {
      const Place at = shape.a(lane, i);
      word[i / per_register] |= (shape.bits(a[at.row][at.column]) & mask) << shape.element_bits * (i % per_register);
    }
    for (int i = 0; i < b_count * per_register; ++i) {
      const Place at = shape.b(lane, i);
      word[4 + i / per_register] |= (shape.bits(b[at.row][at.column]) & mask)
                                    << shape.element_bits * (i % per_register);
    }
    for (int i = 0; i < 4; ++i) {
      const Place at = c_place(lane, i);
      word[8 + i] = bit_cast_to<uint32_t>(c[at.row][at.column]);
    }
  }
  const auto registers = [](const std::string& prefix, int first, int count) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += (i ? ", " : "") + prefix + std::to_string(first + i);
    return text + "}";
  };
  Device device;
  uint32_t* const in = device.upload(words);
  float* const out = device.upload(std::vector<float>(128));
  device.launch(
      kernel_text(".param .u64 in, .param .u64 out",
                  "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\nmad.wide.u32 %rd1, %tid, 48, "
                  "%rd1;\nmad.wide.u32 %rd2, %tid, 16, %rd2;\nld.global.v4.u32 " +
                      registers("%r", 0, 4) + ", [%rd1];\nld.global.v2.u32 " + registers("%r", 4, 2) +
                      ", [%rd1+16];\nld.global.v4.f32 " + registers("%f", 0, 4) + ", [%rd1+32];\nmma.sync.aligned." +
                      std::string(shape.name) + " " + registers("%f", 4, 4) + ", " + registers("%r", 0, a_count) +
                      ", " + registers("%r", 4, b_count) + ", " + registers("%f", 0, 4) +
                      ";\nst.global.v4.f32 [%rd2], " + registers("%f", 4, 4) + ";"),
      {1}, {32}, in, out);
  const std::vector<float> d = device.download(out, 128);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const Place at = c_place(lane, i);
      float sum = c[at.row][at.column];
      for (int k = 0; k < shape.k; ++k) sum += a[at.row][k] * b[k][at.column];
      expect(d[static_cast<size_t>(lane * 4 + i)] == sum,
             std::string(shape.name) + " at row " + std::to_string(at.row) + ", column " + std::to_string(at.column));
    }
  }
}

GMR_SIM_TEST(tensor_mma) {
  expect_mma({"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 16, a_place_16, b_place_16, bfloat});
  expect_mma({"m16n8k16.row.col.f32.f16.f16.f32", 16, 16, a_place_16, b_place_16, half});
  expect_mma({"m16n8k8.row.col.f32.bf16.bf16.f32", 8, 16, a_place_8, b_place_8, bfloat});
  expect_mma({"m16n8k8.row.col.f32.f16.f16.f32", 8, 16, a_place_8, b_place_8, half});
  expect_mma({"m16n8k8.row.col.f32.tf32.tf32.f32", 8, 32, a_place_tf32, b_place_tf32, tf32});
  expect_mma({"m16n8k4.row.col.f32.tf32.tf32.f32", 4, 32, a_place_tf32, b_place_tf32, tf32});
}

// Matrix m has element 64 m + 8 row + column, and its rows lie 32 bytes apart.
void expect_matrix(int count, bool transposed, bool stores) {
  Device device;
  uint32_t* const out = device.upload(std::vector<uint32_t>(32 * 4));
  std::string list = "{";
  for (int i = 0; i < count; ++i) list += (i ? ", %r2" : "%r2") + std::to_string(i);
  list += "}";
  const std::string name =
      ".sync.aligned.m8n8.x" + std::to_string(count) + (transposed ? ".trans" : "") + ".shared.b16 ";
  // Thread t fills row t of all matrices' rows, then loads the row's address.
  std::string body =
      ".shared .align 16 .b8 rows[1024];\nld.param.u64 %rd2, [out];\nmad.wide.u32 %rd2, %tid, 16, %rd2;\nmov.u32 %r1, "
      "rows;\nmad.lo.u32 %r1, %tid, 32, %r1;\n";
  for (int column = 0; column < 8; ++column) {
    body += "mad.lo.u32 %r2, %tid, 8, " + std::to_string(stores ? 0 : column) +
            ";\ncvt.u16.u32 %h1, %r2;\nst.shared.u16 [%r1+" + std::to_string(2 * column) + "], %h1;\n";
  }
  body += "bar.warp.sync -1;\n";
  if (stores) {
    // Lane l holds of matrix m the elements (l / 4, 2 (l % 4)) and the next.
    for (int i = 0; i < count; ++i) {
      body += "mad.lo.u32 %r3, %tid, 2, " + std::to_string(64 * i) +
              ";\nadd.u32 %r4, %r3, 1;\nshl.b32 %r4, %r4, 16;\nor.b32 %r2" + std::to_string(i) + ", %r3, %r4;\n";
    }
    body += "stmatrix" + name + "[%r1], " + list +
            ";\nbar.warp.sync -1;\nld.shared.v4.u32 {%r5, %r6, %r7, %r8}, [%r1];\nst.global.v4.u32 [%rd2], {%r5, %r6, "
            "%r7, %r8};";
  } else {
    body += "mov.u32 %r21, 0;\nmov.u32 %r22, 0;\nmov.u32 %r23, 0;\nldmatrix" + name + list +
            ", [%r1];\nst.global.v4.u32 [%rd2], {%r20, %r21, %r22, %r23};";
  }
  device.launch(kernel_text(".param .u64 out", body), {1}, {32}, out);
  const std::vector<uint32_t> d = device.download(out, 128);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const uint32_t word = d[static_cast<size_t>(lane * 4 + i)];
      for (int e = 0; e < 2; ++e) {
        const int value = static_cast<int>(word >> 16 * e & 0xffff);
        if (stores) {
          // Lane l reads row l back: matrix l / 8, row l % 8, columns 2 i + e.
          const int row = lane % 8, column = 2 * i + e;
          const int wanted =
              lane / 8 < count ? 64 * (lane / 8) + (transposed ? 8 * column + row : 8 * row + column) : 8 * lane;
          expect(value == wanted, "stmatrix" + name);
        } else if (i < count) {
          const int row = lane / 4, column = lane % 4 * 2 + e;
          expect(value == 64 * i + (transposed ? 8 * column + row : 8 * row + column), "ldmatrix" + name);
        }
      }
    }
  }
}

GMR_SIM_TEST(tensor_ldmatrix_stmatrix) {
  for (const int count : {1, 2, 4}) {
    for (const bool transposed : {false, true}) {
      expect_matrix(count, transposed, false);
      expect_matrix(count, transposed, true);
    }
  }
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
