// The convolution of float32 activations from windows in shared memory (tap_window.cuh), without a panel: a thread has
// outputs x pixels, of which every pixel has a place in the window; a tap adds the same number to all of them, and
// channels lie a constant distance apart, so that an operand row is one read a pixel.
//
//   window   [8 channels][places], with zeros where there is no input                   by cp.async, a part ahead
//   weights  [taps of a slice][8 channels][outputs], of pack_window_weights             by cp.async, a slice ahead
//     -> sums of outputs x pixels                                                       in registers
#pragma once

#include "ops/conv/conv_cuda_tuning.h"
#include "ops/conv/float_results.cuh"
#include "ops/conv/tap_window.cuh"
#include "ops/conv/window_weights.cuh"

namespace gmr::cuda {

// Channels whose products are unrolled: all, but for targets where that would take more registers than there are.
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ < 800 || __CUDA_ARCH__ >= 1200)
constexpr int float_window_unrolled = 2;
#else
constexpr int float_window_unrolled = float_window_channels;
#endif

// A block's results, 8 x 7 a thread.
template <int tile_outputs, int tile_pixels>
struct FloatWindowTile : FloatResults<8, 7> {
  static constexpr int outputs = tile_outputs, pixels = tile_pixels;
  static constexpr int threads = outputs / outputs_a_thread * (pixels / pixels_a_thread);
  static constexpr int lanes = 16;  // that read neighbouring pixels
  // Taps whose weights are copied at a time, and floats from channel to channel of them.
  static constexpr int slice_taps = float_window_slice_taps, pitch = outputs;
  static constexpr int tap_floats = float_window_channels * pitch;
  // Of a window, at most, and from channel to channel.
  static constexpr int places = float_window_places(pixels);
  static constexpr int window_floats = float_window_channels * places;
  static constexpr int shared_floats = 2 * (slice_taps * tap_floats + window_floats);
  static_assert(pixels % (lanes * pixels_a_thread) == 0 && threads % warp_threads == 0);

  __device__ static int group() { return static_cast<int>(threadIdx.x) / lanes; }
  __device__ static int output(int i) { return group() % (outputs / outputs_a_thread) * outputs_a_thread + i; }
  __device__ static int pixel(int j) {
    return group() / (outputs / outputs_a_thread) * (lanes * pixels_a_thread) + j * lanes +
           static_cast<int>(threadIdx.x) % lanes;
  }

  // Adds `taps` taps, whose weights follow each other. `at`: places of the thread's pixels in a window that the read
  // one lies `to_window` floats behind.
  __device__ void add(const float* weights, const float* const (&at)[pixels_a_thread], int to_window,
                      const int32_t* tap_places, int taps) {
    const float* a_at = weights + output(0);
    int next = tap_places[0];
#pragma unroll 1
    for (int tap = 0; tap < taps; ++tap, a_at += tap_floats) {
      const int64_t to_tap = to_window + next;
      const float* b_at[pixels_a_thread];
#pragma unroll
      for (int j = 0; j < pixels_a_thread; ++j) b_at[j] = at[j] + to_tap;
      next = tap_places[tap + 1];
#pragma unroll float_window_unrolled
      for (int c = 0; c < float_window_channels; ++c) {
        float b[pixels_a_thread];
#pragma unroll
        for (int j = 0; j < pixels_a_thread; ++j) b[j] = b_at[j][c * places];
        const auto a = load_pack<outputs_a_thread>(a_at + c * pitch);
#pragma unroll
        for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
          for (int j = 0; j < pixels_a_thread; ++j) sum[i][j] += a.v[i] * b[j];
        }
      }
    }
  }
};

struct WindowProduct {
  ProductShape shape;
  TapWindow window;
  const float* x;
  const float* weights;  // packed
  Epilogue epilogue;
  float* y;
  int64_t output_parts, chunks;
  Divisor by_parts, by_groups;

  __host__ __device__ int64_t items() const { return window.tiles * shape.groups * output_parts; }
};

// Starts to copy the window of some channels under a part of the kernel, `pitch` floats from channel to channel, with
// zeros for what there is not: input, and channels beyond `channels` of `all`. A thread works out where a place lies and
// copies it for all channels.
template <int threads>
__device__ inline void copy_window(const TapWindow& w, const float* x, const TapWindow::Corner& corner,
                                   const TapWindow::Part& part, int64_t first_channel, int channels, int all, int pitch,
                                   float* window) {
  const Window& g = w.window;
  const int z0 = corner.z * g.stride[0] - g.padding[0] + part.z, y0 = corner.y * g.stride[1] - g.padding[1] + part.y,
            x0 = corner.x * g.stride[2] - g.padding[2] + part.x;
  const int count = w.box_images * w.span[0] * w.span[1] * w.span[2];
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
    const int rows = w.span_x.divide(i), slices = w.span_y.divide(rows), image = w.span_z.divide(slices);
    const int column = i - rows * w.span[2], row = rows - slices * w.span[1], slice = slices - image * w.span[0];
    const bool is_there = corner.image + image < w.images && g.is_inside(z0 + slice, y0 + row, x0 + column);
    const int64_t plane = (corner.image + image) * w.all_channels + first_channel;
    const float* from = is_there ? x + plane * w.in_plane + g.offset(z0 + slice, y0 + row, x0 + column) : x;
    float* to = window + image * w.image_pitch + slice * w.slice_pitch + row * w.row_pitch + w.column_place(column);
    if (channels == all) {
      const int64_t step = is_there ? w.in_plane : 0;
#pragma unroll 8
      for (int c = 0; c < all; ++c, from += step) copy_or_zero(to + c * pitch, from, is_there);
    } else {
      for (int c = 0; c < all; ++c) {
        const bool has_channel = is_there && c < channels;
        copy_or_zero(to + c * pitch, has_channel ? from + c * w.in_plane : x, has_channel);
      }
    }
  }
}

template <typename Tile>
__device__ void copy_slice(const float* from, int taps, float* to) {
  for (int i = static_cast<int>(threadIdx.x) * 4; i < taps * Tile::tap_floats; i += Tile::threads * 4) {
    copy_or_zero(reinterpret_cast<float4*>(to + i), reinterpret_cast<const float4*>(from + i), true);
  }
}

template <typename Tile>
__device__ void window_product(const WindowProduct& p) {
  extern __shared__ float4 shared_memory[];
  auto* weights = reinterpret_cast<float*>(shared_memory);             // of two slices
  float* windows = weights + 2 * Tile::slice_taps * Tile::tap_floats;  // of two parts
  const TapWindow& w = p.window;

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    // Blocks that share a tile run next to each other, so that its input stays in the cache.
    const auto [tile_and_group, output_part] = p.by_parts.divide(item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const TapWindow::Corner corner = w.corner(tile);
    Tile product;
    const float* at[Tile::pixels_a_thread];
#pragma unroll
    for (int j = 0; j < Tile::pixels_a_thread; ++j) at[j] = windows + w.place_of(product.pixel(j));

    // Weights of all chunks, parts and slices follow each other.
    const float* from = p.weights + (group * p.output_parts + output_part) * p.chunks * w.taps * Tile::tap_floats;
    TapWindow::Part part = w.part_at(0);
    const auto chunks = static_cast<int>(p.chunks);
    int slice = 0, of_part = 0, part_index = 0;
    const auto start_weights = [&](int taps, int to) {
      copy_slice<Tile>(from, taps, weights + to * (Tile::slice_taps * Tile::tap_floats));
      from += taps * Tile::tap_floats;
    };
    const auto start_window = [&, group = group](int chunk, int to) {
      const int64_t first = int64_t{chunk} * float_window_channels;
      const auto channels = static_cast<int>(min(int64_t{float_window_channels}, p.shape.channels - first));
      copy_window<Tile::threads>(w, p.x, corner, part, group * p.shape.channels + first, channels,
                                 float_window_channels, Tile::places, windows + to * Tile::window_floats);
    };
    start_window(0, 0);
    start_weights(min(Tile::slice_taps, part.end - part.first), 0);
    for (int chunk = 0; chunk < chunks;) {
      const TapWindow::Part own = part;
      const int to_window = of_part * Tile::window_floats;
      const bool is_last_part = part_index + 1 == w.parts;
      part_index = is_last_part ? 0 : part_index + 1;
      chunk += is_last_part ? 1 : 0;
      of_part = 1 - of_part;
      for (int tap = own.first; tap < own.end; tap += Tile::slice_taps) {
        wait_for_copies();
        __syncthreads();
        if (tap == own.first && chunk < chunks) {
          part = w.part_at(part_index);
          start_window(chunk, of_part);
        }
        const int next = tap + Tile::slice_taps;
        const int ahead = next < own.end ? own.end - next : part.end - part.first;
        if (chunk < chunks || next < own.end) start_weights(min(Tile::slice_taps, ahead), 1 - slice);
        product.add(weights + slice * (Tile::slice_taps * Tile::tap_floats), at, to_window, w.tap_places() + tap,
                    min(Tile::slice_taps, own.end - tap));
        slice = 1 - slice;
      }
    }
    __syncthreads();  // before the next tile's first copies

#pragma unroll
    for (int i = 0; i < Tile::outputs_a_thread; ++i) {
      const int64_t output = output_part * Tile::outputs + product.output(i);
      if (output < p.shape.outputs) product.finish(i, p.epilogue, group * p.shape.outputs + output);
    }
    const int64_t first_output = output_part * Tile::outputs + product.output(0);
    const auto outputs = static_cast<int>(min(int64_t{Tile::outputs_a_thread}, p.shape.outputs - first_output));
#pragma unroll
    for (int j = 0; j < Tile::pixels_a_thread; ++j) {
      const Place place = w.output_of(corner, product.pixel(j));
      if (place.image < 0) continue;
      const int64_t plane = (place.image * p.shape.groups + group) * p.shape.outputs + first_output;
      float* to = p.y + plane * p.shape.out_plane + place.pixel;
#pragma unroll
      for (int i = 0; i < Tile::outputs_a_thread; ++i, to += p.shape.out_plane) {
        if (i < outputs) *to = product.sum[i][j];
      }
    }
  }
}

}  // namespace gmr::cuda
