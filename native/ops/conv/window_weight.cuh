// The weight gradient of float32 activations from windows (window_conv.cuh): a block has outputs x operand rows, one
// tap of one channel each, in registers over its share of the tiles. An operand row adds a number of its own to a
// pixel's place, so that a thread reads its rows of a pixel one after the other. The next tile's windows and dy are on
// their way while this one's are multiplied.
#pragma once

#include "ops/conv/window_conv.cuh"

namespace gmr::cuda {

// 8 x 8 results a thread.
struct FloatWindowWeightTile {
  static constexpr int outputs = 64, rows = 128, pixels = 56;
  static constexpr int outputs_a_thread = 8, rows_a_thread = 8;
  static constexpr int row_threads = rows / rows_a_thread;
  static constexpr int threads = outputs / outputs_a_thread * row_threads;
  static constexpr int pitch = outputs + 4;  // of dy, so that copies of 8 pixels of 4 outputs meet different banks
  static constexpr int gradient_floats = pixels * pitch;
  static constexpr int window_floats = 2048;  // of all channels
  static constexpr int shared_floats = 2 * (gradient_floats + window_floats);

  float sum[outputs_a_thread][rows_a_thread] = {};

  __device__ static int output(int i) { return static_cast<int>(threadIdx.x) / row_threads * outputs_a_thread + i; }
  __device__ static int row(int j) { return static_cast<int>(threadIdx.x) % row_threads + j * row_threads; }

  // Adds `count` neighbouring pixels of a row.
  __device__ void add(const float* gradient, const float* const (&rows_at)[rows_a_thread], int place, int count) {
    const float* a_at = gradient + output(0);
    const float* b_at[rows_a_thread];
#pragma unroll
    for (int j = 0; j < rows_a_thread; ++j) b_at[j] = rows_at[j] + place;
    const auto add_pixel = [&](int pixel) {
      const auto a = load_pack<outputs_a_thread>(a_at + pixel * pitch);
      float b[rows_a_thread];
#pragma unroll
      for (int j = 0; j < rows_a_thread; ++j) b[j] = b_at[j][pixel];
#pragma unroll
      for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
        for (int j = 0; j < rows_a_thread; ++j) sum[i][j] += a.v[i] * b[j];
      }
    };
    constexpr int unrolled = 4;
    int pixel = 0;
#pragma unroll 1
    for (; pixel + unrolled <= count; pixel += unrolled) {
#pragma unroll
      for (int i = 0; i < unrolled; ++i) add_pixel(i);
      a_at += unrolled * pitch;
#pragma unroll
      for (int j = 0; j < rows_a_thread; ++j) b_at[j] += unrolled;
    }
#pragma unroll 1
    for (int i = 0; pixel + i < count; ++i) add_pixel(i);
  }
};

struct WindowWeightProduct {
  ProductShape shape;
  TapWindow window;
  const float* x;
  const float* dy;
  float* partials;  // [splits][groups][outputs][channels][taps]
  int chunk_channels, channel_pitch;
  int64_t output_parts, chunks, splits;  // chunks: of channels, for each part of the kernel
  Divisor by_parts, by_chunks, by_groups;

  __host__ __device__ int64_t items() const { return splits * shape.groups * chunks * output_parts; }
};

// Starts to copy dy of a tile as [pixels][outputs]; of outputs beyond the group's there are zeros.
__device__ inline void copy_gradient(const WindowWeightProduct& p, const TapWindow::Corner& corner, int64_t group,
                                     int64_t first_output, float* gradient) {
  using Tile = FloatWindowWeightTile;
  constexpr int lane_pixels = 8, lane_outputs = warp_threads / lane_pixels, warps = Tile::threads / warp_threads;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  const auto outputs = static_cast<int>(min(int64_t{Tile::outputs}, p.shape.outputs - first_output));
  for (int pixel = warp * lane_pixels + lane % lane_pixels; pixel < Tile::pixels; pixel += warps * lane_pixels) {
    const Place place = p.window.output_of(corner, pixel);
    if (place.image < 0) continue;
    const int first = lane / lane_pixels;
    const int64_t plane = (place.image * p.shape.groups + group) * p.shape.outputs + first_output + first;
    const float* from = p.dy + plane * p.shape.out_plane + place.pixel;
    float* to = gradient + pixel * Tile::pitch + first;
#pragma unroll 4
    for (int o = first; o < Tile::outputs; o += lane_outputs) {
      copy_or_zero(to, o < outputs ? from : p.dy, o < outputs);
      to += lane_outputs;
      from += lane_outputs * p.shape.out_plane;
    }
  }
}

__device__ inline void window_weight_product(const WindowWeightProduct& p) {
  using Tile = FloatWindowWeightTile;
  extern __shared__ float4 shared_memory[];
  auto* gradients = reinterpret_cast<float*>(shared_memory);  // of two tiles
  float* windows = gradients + 2 * Tile::gradient_floats;     // of two tiles
  const TapWindow& w = p.window;
  const int64_t all_rows = p.shape.channels * w.taps;
  const int64_t size = p.shape.groups * p.shape.outputs * all_rows;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [rest, output_part] = p.by_parts.divide(item);
    const auto [split_and_group, chunk] = p.by_chunks.divide(rest);
    const auto [split, group] = p.by_groups.divide(split_and_group);
    const int64_t first = chunk / w.parts * p.chunk_channels, first_output = output_part * Tile::outputs;
    const TapWindow::Part part = w.part_at(static_cast<int>(chunk % w.parts));
    const auto channels = static_cast<int>(min(int64_t{p.chunk_channels}, p.shape.channels - first));
    const int part_taps = part.end - part.first;

    Tile product;
    const float* rows_at[Tile::rows_a_thread];
#pragma unroll
    for (int j = 0; j < Tile::rows_a_thread; ++j) {
      const int row = product.row(j), channel = row / part_taps, tap = row % part_taps;
      const bool is_there = channel < channels;
      rows_at[j] = windows + (is_there ? channel * p.channel_pitch + w.tap_places()[part.first + tap] : 0);
    }

    const int64_t last_tile = w.tiles * (split + 1) / p.splits;
    int64_t tile = w.tiles * split / p.splits;
    int buffer = 0;
    const auto start = [&, group = group](int64_t of_tile, int to) {
      const TapWindow::Corner corner = w.corner(of_tile);
      copy_window<Tile::threads>(w, p.x, corner, part, group * p.shape.channels + first, channels, channels,
                                 p.channel_pitch, windows + to * Tile::window_floats);
      copy_gradient(p, corner, group, first_output, gradients + to * Tile::gradient_floats);
    };
    start(tile, 0);
    for (; tile < last_tile; ++tile) {
      wait_for_copies();
      __syncthreads();
      if (tile + 1 < last_tile) start(tile + 1, 1 - buffer);
      // Nothing is multiplied by zero that no output sees: it may be infinite.
      const TapWindow::Corner corner = w.corner(tile);
      const auto images = static_cast<int>(min(int64_t{w.box_images}, w.images - corner.image));
      const int slices = min(w.box[0], w.window.out[0] - corner.z), rows = min(w.box[1], w.window.out[1] - corner.y),
                columns = min(w.box[2], w.window.out[2] - corner.x);
      for (int image = 0; image < images; ++image) {
        for (int z = 0; z < slices; ++z) {
          for (int y = 0; y < rows; ++y) {
            const int pixel = ((image * w.box[0] + z) * w.box[1] + y) * w.box[2];
            const int place = image * w.image_pitch + z * w.window.stride[0] * w.slice_pitch +
                              y * w.window.stride[1] * w.row_pitch + buffer * Tile::window_floats;
            product.add(gradients + buffer * Tile::gradient_floats + pixel * Tile::pitch, rows_at, place, columns);
          }
        }
      }
      buffer = 1 - buffer;
    }
    __syncthreads();  // before the next item's first copies

    float* to = p.partials + split * size + (group * p.shape.outputs + first_output) * all_rows + part.first;
#pragma unroll
    for (int j = 0; j < Tile::rows_a_thread; ++j) {
      const int row = product.row(j), channel = row / part_taps;
      if (channel >= channels) continue;
      float* column = to + (first + channel) * w.taps + row % part_taps;
#pragma unroll
      for (int i = 0; i < Tile::outputs_a_thread; ++i) {
        if (first_output + product.output(i) < p.shape.outputs)
          column[product.output(i) * all_rows] = product.sum[i][j];
      }
    }
  }
}

}  // namespace gmr::cuda
