// The weight gradient of bfloat16 activations from the windows of window_conv_bfloat16.cuh: 16 pixels of a tap are rows
// that ldmatrix transposes, and a block has 64 outputs x 16 channels x the taps of a part of the kernel in registers
// over its share of the tiles. The next tile's rows and dy are on their way while this one's are multiplied.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/conv/window_conv_bfloat16.cuh"

namespace gmr::cuda {

// 32 outputs x 8 channels x the taps of a part a warp.
struct WindowWeightTile {
  static constexpr int outputs = window_weight_outputs, pixels = window_weight_pixels, threads = window_threads;
  static constexpr int taps = window_weight_taps;
  static constexpr int warp_outputs = 32, m_tiles = warp_outputs / 16, steps = pixels / bfloat16_depth;
  static constexpr int tap_pairs = (taps + 1) / 2;
  static constexpr int pitch = bfloat16_pitch(pixels);
  static constexpr int gradient_elements = outputs * pitch;
  // The sums on their way to memory, [outputs][16 channels][taps].
  static constexpr int sums_pitch = window_channels * taps + 4;
  static constexpr int sums_bytes = outputs * sums_pitch * static_cast<int>(sizeof(float));
  static_assert(outputs / warp_outputs * 2 * warp_threads == threads && steps * bfloat16_depth == pixels);

  Bfloat16Sums<m_tiles, taps> sums;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / warp_threads; }
  __device__ static int first_output() { return warp() / 2 * warp_outputs; }
  __device__ static int half() { return warp() % 2; }

  // What a lane brings of a pair of taps: a pixel of a step, of one of the two.
  __device__ static int lane_pixel(int step) { return step * bfloat16_depth + lane() % 16; }
  __device__ static int lane_tap(int pair) { return 2 * pair + lane() / 16; }

  // at: of each step's pixel, to_tap: what a tap adds to that, in bytes. Pixels that `there` has no bit of stand for
  // nothing and read zeros: what lies at their places may be infinite.
  __device__ void add(const bfloat16* gradient, const uint32_t (&at)[steps], uint32_t zeros, uint32_t there,
                      const uint32_t (&to_tap)[tap_pairs], int part_taps) {
    const bfloat16* a_at = gradient + (first_output() + lane() % 16) * pitch + lane() / 16 * 8;
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      uint4 a[m_tiles];
#pragma unroll
      for (int i = 0; i < m_tiles; ++i) a[i] = load_four_matrices(a_at + 16 * i * pitch + step * bfloat16_depth);
      const bool is_there = (there >> step & 1) != 0;
#pragma unroll
      for (int pair = 0; pair < tap_pairs; ++pair) {
        if (2 * pair >= part_taps) break;
        const uint4 two = load_four_transposed<0>(is_there ? at[step] + to_tap[pair] : zeros);
#pragma unroll
        for (int i = 0; i < m_tiles; ++i) {
          mma_bfloat16(sums.sum[i][2 * pair], a[i], {two.x, two.y});
          if (2 * pair + 1 < taps) mma_bfloat16(sums.sum[i][2 * pair + 1], a[i], {two.z, two.w});
        }
      }
    }
  }

  // Channels of a half are 4 half + t and, 8 behind, its neighbour.
  __device__ void store(float* to) const {
#pragma unroll
    for (int i = 0; i < m_tiles; ++i) {
#pragma unroll
      for (int tap = 0; tap < taps; ++tap) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int output = first_output() + 16 * i + e / 2 * 8 + fragment_row();
          const int channel = half() * (window_half / 2) + fragment_column() + e % 2 * window_half;
          to[output * sums_pitch + channel * taps + tap] = sums.sum[i][tap][e];
        }
      }
    }
  }
};

using WindowWeightGather = WindowGatherOf<WindowWeightTile::pixels>;

// Bands are of 16 channels, for each part of the kernel.
__device__ inline void window_weight_product(const BackwardWeightProduct<WindowWeightGather, bfloat16>& p) {
  using Tile = WindowWeightTile;
  extern __shared__ float4 shared_memory[];
  const WindowWeightGather& g = p.gather;
  const TapWindow& w = g.window;
  auto* gradients = reinterpret_cast<bfloat16*>(shared_memory);  // dy of two tiles, [outputs][pixels]
  bfloat16* zeros = gradients + 2 * Tile::gradient_elements;     // 16 bytes
  bfloat16* window = zeros + window_half;
  bfloat16* staged = window + w.places * window_channels;
  auto* sums = reinterpret_cast<float*>(shared_memory);
  // Outputs that stand for nothing are not written, and must be numbers.
  for (int i = static_cast<int>(threadIdx.x); i < 2 * Tile::gradient_elements / 8; i += Tile::threads) {
    reinterpret_cast<uint4*>(gradients)[i] = {0, 0, 0, 0};
  }
  __syncthreads();

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [split, group, band, output_part] = p.item_at(item);
    const auto first = static_cast<int>(band / w.parts) * window_channels;
    const TapWindow::Part part = w.part_at(static_cast<int>(band % w.parts));
    const auto channels = static_cast<int>(min(int64_t{window_channels}, p.shape.channels - first));
    const int64_t first_channel = group * p.shape.channels + first, first_output = output_part * Tile::outputs;
    const int part_taps = part.end - part.first;

    Tile product;
    uint32_t at[Tile::steps], to_tap[Tile::tap_pairs], in_box = 0;
#pragma unroll
    for (int step = 0; step < Tile::steps; ++step) {
      const int pixel = Tile::lane_pixel(step);
      at[step] = shared_address(window + (Tile::half() * w.places + w.place_of(pixel)) * window_half);
      in_box |= (w.position_of(pixel).image < w.box_images ? 1u : 0u) << step;
    }
#pragma unroll
    for (int pair = 0; pair < Tile::tap_pairs; ++pair) {
      const int tap = Tile::lane_tap(pair);
      to_tap[pair] = (tap < part_taps ? w.tap_places()[part.first + tap] : 0) * static_cast<int>(sizeof(uint4));
    }
    if (threadIdx.x == 0) *reinterpret_cast<uint4*>(zeros) = {0, 0, 0, 0};

    const int64_t last_tile = w.tiles * (split + 1) / p.splits;
    int64_t tile = w.tiles * split / p.splits;
    int buffer = 0;
    const auto start = [&, group = group](const WindowGather::AtTile& at_tile, int to) {
      at_tile.stage(first_channel, channels, part);
      copy_gradient<Tile>(p, at_tile, group, first_output, gradients + to * Tile::gradient_elements);
      finish_group();
    };
    start(WindowGather::AtTile(g, tile, window, staged), 0);
    for (; tile < last_tile; ++tile) {
      const WindowGather::AtTile at_tile(g, tile, window, staged);
      wait_for_all_groups_but<0>();
      __syncthreads();
      at_tile.fill(first_channel, channels, part);
      __syncthreads();
      if (tile + 1 < last_tile) start(WindowGather::AtTile(g, tile + 1, window, staged), 1 - buffer);
      uint32_t there = in_box;
      if (!at_tile.is_whole()) {
        there = 0;
#pragma unroll
        for (int step = 0; step < Tile::steps; ++step) {
          there |= (at_tile.output(Tile::lane_pixel(step)).image >= 0 ? 1u : 0u) << step;
        }
      }
      product.add(gradients + buffer * Tile::gradient_elements, at, shared_address(zeros), there, to_tap, part_taps);
      buffer = 1 - buffer;
    }
    __syncthreads();
    product.store(sums);
    __syncthreads();

    // Rows of an output, channel by channel.
    const int count = channels * part_taps;
    const auto outputs = static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output));
    float* to = p.partials + split * p.size + (group * p.shape.outputs + first_output) * p.all_rows +
                int64_t{first} * w.taps + part.first;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += Tile::threads) {
      const int channel = i / part_taps, tap = i % part_taps, row = channel * w.taps + tap;
      for (int output = 0; output < outputs; ++output) {
        to[output * p.all_rows + row] = sums[output * Tile::sums_pitch + channel * Tile::taps + tap];
      }
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
