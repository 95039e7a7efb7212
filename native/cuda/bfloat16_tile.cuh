// Products of bfloat16 on tensor cores, added up in float32, and how the warps of a block share two tiles of shared
// memory. On sm_75, which has no such units, the same fragments are multiplied on the float32 units.
#pragma once

#include <algorithm>

#include "cuda/bfloat16.cuh"
#include "cuda/launch.h"
#include "cuda/product_tuning.h"
#include "cuda/reduction.cuh"
#include "cuda/shared_words.cuh"
#include "cuda/tensor_core.cuh"

namespace gmr::cuda {

// d += a b for 16 x 16, 16 x 8 and 16 x 8, two neighbours of the common axis a register. With g = lane / 4 and t = lane
// % 4 a lane has
//   a   (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8), and what lies behind each
//   b   (2t, g), (2t + 8, g), and what lies below each
//   d   (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
__device__ inline void mma_bfloat16(float (&d)[4], const uint4& a, const uint2& b) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
#else
  const int row = fragment_row() * 4, column = fragment_column() * 8;  // the first lanes that hold what d needs
  const auto add = [&](uint32_t a_upper, uint32_t a_lower, uint32_t b_pair, int k) {
    const uint32_t upper = __shfl_sync(all_lanes, a_upper, row + k), lower = __shfl_sync(all_lanes, a_lower, row + k);
    const uint32_t left = __shfl_sync(all_lanes, b_pair, column + k);
    const uint32_t right = __shfl_sync(all_lanes, b_pair, column + 4 + k);
    d[0] += first_of(upper) * first_of(left) + second_of(upper) * second_of(left);
    d[1] += first_of(upper) * first_of(right) + second_of(upper) * second_of(right);
    d[2] += first_of(lower) * first_of(left) + second_of(lower) * second_of(left);
    d[3] += first_of(lower) * first_of(right) + second_of(lower) * second_of(right);
  };
#pragma unroll 1  // unrolled it would take more registers than there are
  for (int k = 0; k < 4; ++k) {
    add(a.x, a.y, b.x, k);
    add(a.z, a.w, b.y, k);
  }
#endif
}

// Matrices of 8 x 8: lanes 8 i to 8 i + 7 bring the addresses of the rows of matrix i, 16 bytes each. A lane gets of
// each matrix elements (g, 2t) and (g, 2t + 1), transposed (2t, g) and (2t + 1, g).
__device__ inline uint4 load_four_matrices(uint32_t row) {
  uint4 m;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m.x), "=r"(m.y), "=r"(m.z), "=r"(m.w)
               : "r"(row)
               : "memory");
  return m;
}
__device__ inline uint4 load_four_matrices(const bfloat16* row) { return load_four_matrices(shared_address(row)); }
__device__ inline uint2 load_two_matrices(uint32_t row) {
  uint2 m;
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];" : "=r"(m.x), "=r"(m.y) : "r"(row) : "memory");
  return m;
}
__device__ inline uint2 load_two_matrices(const bfloat16* row) { return load_two_matrices(shared_address(row)); }
template <int distance>
__device__ inline uint4 load_four_transposed(uint32_t row) {
  uint4 m;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4+%5];"
               : "=r"(m.x), "=r"(m.y), "=r"(m.z), "=r"(m.w)
               : "r"(row), "n"(distance)
               : "memory");
  return m;
}
template <int distance>
__device__ inline uint2 load_two_transposed(uint32_t row) {
  uint2 m;
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2+%3];"
               : "=r"(m.x), "=r"(m.y)
               : "r"(row), "n"(distance)
               : "memory");
  return m;
}

// A warp's results, tiles of 16 x 8 side by side.
template <int m_tiles_, int n_tiles_>
struct Bfloat16Sums {
  static constexpr int m_tiles = m_tiles_, n_tiles = n_tiles_;
  float sum[m_tiles][n_tiles][4] = {};

  __device__ void add(const uint4 (&a)[m_tiles], const uint2 (&b)[n_tiles]) {
#pragma unroll
    for (int i = 0; i < m_tiles; ++i) {
#pragma unroll
      for (int j = 0; j < n_tiles; ++j) mma_bfloat16(sum[i][j], a[i], b[j]);
    }
  }
};

// Of tall warp tiles fewer values are read for each product.
constexpr int tall_warps(int outputs, int threads) {
  return std::min(outputs / 16, threads == 8 * warp_threads ? 4 : 2);
}

// A block's results, outputs x pixels, in the registers of its warps.
template <int tile_outputs, int tile_pixels, int tile_threads, int output_warps>
struct Bfloat16Results {
  static constexpr int outputs = tile_outputs, pixels = tile_pixels, threads = tile_threads;
  static constexpr int warps = threads / warp_threads, pixel_warps = warps / output_warps;
  static constexpr int warp_outputs = outputs / output_warps, warp_pixels = pixels / pixel_warps;
  static constexpr int m_tiles = warp_outputs / 16, n_tiles = warp_pixels / 8;
  static_assert(m_tiles * 16 * output_warps == outputs && n_tiles * 8 * pixel_warps == pixels);

  Bfloat16Sums<m_tiles, n_tiles> sums;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int first_output() {
    return static_cast<int>(threadIdx.x) / warp_threads / pixel_warps * warp_outputs;
  }
  __device__ static int first_pixel() {
    return static_cast<int>(threadIdx.x) / warp_threads % pixel_warps * warp_pixels;
  }

  // What a thread holds: outputs output(0), .. and pairs of neighbouring pixels, from pixel(0), .. on.
  static constexpr int outputs_a_thread = 2 * m_tiles, pairs_a_thread = n_tiles;
  __device__ static int output(int i) { return first_output() + 8 * i + fragment_row(); }
  __device__ static int pixel(int j) { return first_pixel() + 8 * j + 2 * fragment_column(); }
  __device__ void start(int i, float value) {
#pragma unroll
    for (int j = 0; j < n_tiles; ++j) sums.sum[i / 2][j][i % 2 * 2] = sums.sum[i / 2][j][i % 2 * 2 + 1] = value;
  }
  template <typename F>
  __device__ void finish(int i, const F& f) {
#pragma unroll
    for (int j = 0; j < n_tiles; ++j) {
      float *first = &sums.sum[i / 2][j][i % 2 * 2], *second = first + 1;
      *first = f(*first);
      *second = f(*second);
    }
  }
  __device__ float2 values(int i, int j) const {
    return {sums.sum[i / 2][j][i % 2 * 2], sums.sum[i / 2][j][i % 2 * 2 + 1]};
  }
  __device__ uint32_t pair(int i, int j) const { return rounded_pair(values(i, j).x, values(i, j).y); }
};

// A warp's columns of a panel [row][pixel], 16 rows at a time.
template <typename Results, int pitch = bfloat16_pitch(Results::pixels)>
class PanelColumns {
 public:
  static constexpr int n_tiles = Results::n_tiles;
  static_assert(pitch % 16 == 8);

  // Lanes bring the addresses of matrices: of two of them the first 16.
  __device__ explicit PanelColumns(const bfloat16* panel)
      : two_at_(
            shared_address(panel + Results::lane() % 16 * pitch + Results::first_pixel() + Results::lane() / 16 * 8)),
        last_at_(shared_address(panel + Results::lane() % 16 * pitch + Results::first_pixel())) {}

  __device__ void next(uint2 (&b)[n_tiles]) {
    constexpr int element = static_cast<int>(sizeof(bfloat16));
    unroll<n_tiles / 2>([&](auto j) {
      const uint4 two = load_four_transposed<16 * j * element>(two_at_);
      b[2 * j] = {two.x, two.y};
      b[2 * j + 1] = {two.z, two.w};
    });
    if constexpr (n_tiles % 2 == 1) b[n_tiles - 1] = load_two_transposed<(n_tiles - 1) * 8 * element>(last_at_);
    two_at_ += bfloat16_depth * pitch * element;
    last_at_ += bfloat16_depth * pitch * element;
  }

 private:
  uint32_t two_at_, last_at_;
};

// The forward product. Weights lie in the order of fragments (pack_weights), so that a lane's part of 16 x 16 is one read
// of 16 bytes; the panel as [row][pixel].
template <int tile_outputs, int tile_pixels, int tile_threads,
          int output_warps = tall_warps(tile_outputs, tile_threads), int panel_pitch = bfloat16_pitch(tile_pixels)>
struct Bfloat16Tile : Bfloat16Results<tile_outputs, tile_pixels, tile_threads, output_warps> {
  using Results = Bfloat16Results<tile_outputs, tile_pixels, tile_threads, output_warps>;
  using Results::first_output, Results::lane, Results::m_tiles, Results::n_tiles, Results::outputs, Results::sums;
  static constexpr int pitch = panel_pitch;
  static constexpr bool streams_weights = false;

  // sum += weights^T panel over 16 `steps` operand rows.
  __device__ void add(const bfloat16* weights, const bfloat16* panel, int steps) {
    constexpr int fragment = warp_threads * static_cast<int>(sizeof(uint4));
    uint32_t a_at = shared_address(weights) + first_output() / 16 * fragment + lane() * static_cast<int>(sizeof(uint4));
    PanelColumns<Results, pitch> columns(panel);
    for (int step = 0; step < steps; ++step) {
      uint4 a[m_tiles];
      uint2 b[n_tiles];
      unroll<m_tiles>([&](auto i) { a[i] = load_four_words<i * fragment>(a_at); });
      columns.next(b);
      sums.add(a, b);
      a_at += outputs / 16 * fragment;
    }
  }
};

// The same where a warp has all pixels of its outputs: each weight is read once, and so from global memory, which saves
// its way through shared memory.
template <int tile_outputs, int tile_pixels, int tile_threads>
struct Bfloat16StreamedTile : Bfloat16Results<tile_outputs, tile_pixels, tile_threads, tile_threads / warp_threads> {
  using Results = Bfloat16Results<tile_outputs, tile_pixels, tile_threads, tile_threads / warp_threads>;
  using Results::first_output, Results::lane, Results::m_tiles, Results::n_tiles, Results::outputs, Results::sums;
  static constexpr int pitch = bfloat16_pitch(tile_pixels);
  static constexpr bool streams_weights = true;
  static constexpr int steps_ahead = 2;  // a read of L2 takes longer than the products of one

  // Reads the first weights of a chunk, of at least `steps_ahead` steps.
  __device__ void start_weights(const bfloat16* weights) {
    unroll<steps_ahead>([&](auto i) { read(weights, i, ahead_[i]); });
  }

  __device__ void add(const bfloat16* weights, const bfloat16* panel, int steps) {
    PanelColumns<Results> columns(panel);
    for (int first = 0; first < steps; first += steps_ahead) {
      unroll<steps_ahead>([&](auto i) {
        const int step = first + i;
        if (step >= steps) return;
        uint4 a[m_tiles];
        uint2 b[n_tiles];
        unroll<m_tiles>([&](auto j) { a[j] = ahead_[i][j]; });
        if (step + steps_ahead < steps) read(weights, step + steps_ahead, ahead_[i]);
        columns.next(b);
        sums.add(a, b);
      });
    }
  }

 private:
  __device__ static void read(const bfloat16* weights, int step, uint4 (&a)[m_tiles]) {
    const auto* from =
        reinterpret_cast<const uint4*>(weights) + (step * (outputs / 16) + first_output() / 16) * warp_threads + lane();
#pragma unroll
    for (int i = 0; i < m_tiles; ++i) a[i] = from[i * warp_threads];
  }

  uint4 ahead_[steps_ahead][m_tiles];
};

// outputs x rows of the weight gradient: dy as [output][pixel], the panel as [row][pixel].
template <int tile_outputs, int tile_rows, int tile_pixels, int tile_threads, int tile_chunks,
          int panel_pitch = bfloat16_pitch(tile_pixels)>
struct Bfloat16WeightTile {
  using Element = bfloat16;
  static constexpr int outputs = tile_outputs, rows = tile_rows, pixels = tile_pixels, threads = tile_threads;
  static constexpr int chunks = tile_chunks;
  static constexpr int warps = threads / warp_threads;
  static constexpr int output_warps = tall_warps(outputs, threads), row_warps = warps / output_warps;
  static constexpr int warp_outputs = outputs / output_warps, warp_rows = rows / row_warps;
  static constexpr int m_tiles = warp_outputs / 16, n_tiles = warp_rows / 8;
  static constexpr int pitch = bfloat16_pitch(pixels);
  static_assert(m_tiles * 16 * output_warps == outputs && n_tiles * 8 * row_warps == rows && pitch % 16 == 8 &&
                panel_pitch % 16 == 8);

  Bfloat16Sums<m_tiles, n_tiles> sums;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int first_output() {
    return static_cast<int>(threadIdx.x) / warp_threads / row_warps * warp_outputs;
  }
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / warp_threads % row_warps * warp_rows; }

  static constexpr int outputs_a_thread = 2 * m_tiles, rows_a_thread = 2 * n_tiles;
  __device__ static int output(int i) { return first_output() + 8 * i + fragment_row(); }
  __device__ static int row(int j) { return first_row() + 8 * (j / 2) + 2 * fragment_column() + j % 2; }
  __device__ float value(int i, int j) const { return sums.sum[i / 2][j / 2][i % 2 * 2 + j % 2]; }

  // sum += gradient panel^T over the tile's pixels.
  __device__ void add(const bfloat16* gradient, const bfloat16* panel) {
    const bfloat16* a_at = gradient + (first_output() + lane() % 16) * pitch + lane() / 16 * 8;
    const bfloat16* four_at = panel + (first_row() + lane() / 16 * 8 + lane() % 8) * panel_pitch + lane() / 8 % 2 * 8;
    const bfloat16* two_at = panel + (first_row() + (n_tiles - 1) * 8 + lane() % 8) * panel_pitch + lane() / 8 % 2 * 8;
#pragma unroll 2
    for (int step = 0; step < pixels / bfloat16_depth; ++step) {
      uint4 a[m_tiles];
      uint2 b[n_tiles];
#pragma unroll
      for (int i = 0; i < m_tiles; ++i) a[i] = load_four_matrices(a_at + 16 * i * pitch + step * bfloat16_depth);
#pragma unroll
      for (int j = 0; j + 1 < n_tiles; j += 2) {
        const uint4 two = load_four_matrices(four_at + 8 * j * panel_pitch + step * bfloat16_depth);
        b[j] = {two.x, two.y};
        b[j + 1] = {two.z, two.w};
      }
      if constexpr (n_tiles % 2 == 1) b[n_tiles - 1] = load_two_matrices(two_at + step * bfloat16_depth);
      sums.add(a, b);
    }
  }
};

}  // namespace gmr::cuda
