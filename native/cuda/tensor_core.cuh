// Products of float32 on tensor cores, by way of TF32, numbers of 11 binary digits: a float32 is the sum of two of them
// but for its last digit, and of the four products of two such sums the smallest is left out.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace gmr::cuda {

// Whether `high` runs on tensor cores here. Three TF32 products must take less time than one on the float32 units. Per
// multiprocessor and clock those do 64 (sm_80) or 128 multiply-adds; tensor cores 512 on sm_80, 1024 and more on sm_90
// and sm_100, but at most 256 on sm_86, sm_89 and sm_120; sm_75 has no TF32.
constexpr bool is_fast_at_tf32(int compute_capability) {
  return compute_capability == 80 || compute_capability == 90 || compute_capability == 100;
}
#ifdef __CUDA_ARCH__
constexpr bool has_fast_tf32 = is_fast_at_tf32(__CUDA_ARCH__ / 10);
#else
constexpr bool has_fast_tf32 = false;
#endif

// N values of a fragment. The hardware ignores the 13 digits below TF32's.
template <int N>
struct Tf32Split {
  uint32_t big[N], small[N];

  // `big` is x to the nearest TF32 number, so that `small` is at most 2^-11 of it and takes either sign.
  __device__ void set(int i, float x) {
    big[i] = (__float_as_uint(x) + 0x1000) & 0xffffe000;
    small[i] = __float_as_uint(x - __uint_as_float(big[i]));
  }
};

constexpr int tensor_depth = 8;
__device__ inline int fragment_row() { return static_cast<int>(threadIdx.x) % warp_threads / 4; }     // g below
__device__ inline int fragment_column() { return static_cast<int>(threadIdx.x) % warp_threads % 4; }  // t

// d += a b for 16 x 8, 8 x 8 and 16 x 8. With g = lane / 4 and t = lane % 4 a lane has
//   a   (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
//   b   (t, g), (t + 4, g)
//   d   (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
__device__ inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// A warp's sums of m_tiles x n_tiles results of 16 x 8. Where tensor cores add they cut digits off, always towards
// zero, so that long sums would drift: they add up the products of one call, and float32 additions the calls.
template <int m_tiles, int n_tiles>
struct TensorSums {
  float sum[m_tiles][n_tiles][4] = {};

  // Adds `steps` products of depth 8. What a lane brings to one, with g and t as above: a(step, h, i, v) is row
  // 16 i + 8 v + g of a, b(step, h, j) column 8 j + g of b, and h = 0 and 1 its first and second k. Which of the eight
  // k these are is free, as long as both operands agree.
  template <typename A, typename B>
  __device__ void add(int steps, A&& a, B&& b) {
    float part[m_tiles][n_tiles][4] = {};
    for (int step = 0; step < steps; ++step) {
      Tf32Split<4> a_split[m_tiles];
      Tf32Split<2> b_split[n_tiles];
#pragma unroll
      for (int i = 0; i < m_tiles; ++i) {
#pragma unroll
        for (int e = 0; e < 4; ++e) a_split[i].set(e, a(step, e / 2, i, e % 2));
      }
#pragma unroll
      for (int j = 0; j < n_tiles; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) b_split[j].set(e, b(step, e, j));
      }
      // Small products first; one kind after the other, so that neighbours do not wait for each other.
      const auto add_products = [&](uint32_t(Tf32Split<4>::*of_a)[4], uint32_t(Tf32Split<2>::*of_b)[2]) {
#pragma unroll
        for (int i = 0; i < m_tiles; ++i) {
#pragma unroll
          for (int j = 0; j < n_tiles; ++j) mma_tf32(part[i][j], a_split[i].*of_a, b_split[j].*of_b);
        }
      };
      add_products(&Tf32Split<4>::small, &Tf32Split<2>::big);
      add_products(&Tf32Split<4>::big, &Tf32Split<2>::small);
      add_products(&Tf32Split<4>::big, &Tf32Split<2>::big);
    }
#pragma unroll
    for (int i = 0; i < m_tiles; ++i) {
#pragma unroll
      for (int j = 0; j < n_tiles; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) sum[i][j][e] += part[i][j][e];
      }
    }
  }
};

}  // namespace gmr::cuda
