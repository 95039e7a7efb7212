// Ring sums of standard 2-D kernels for the bfloat16 product where images are small planes: `height` x `width` outputs,
// same padding, stride and dilation 1. Planes of neighbouring channels lie beside each other, and are copied as they
// lie; a thread has one of them, and slides down its rows (ring_sums.cuh). Channels are cut into `splits` blocks'.
//
// Of shared memory every access is without conflicts:
//   reads   a plane is an odd number of elements, so that the words at the same place of 16 planes are in 16 banks; those
//           of the other image, half of all banks further, are in the rest
//   writes  of 8 bytes, 16 lanes at a time: eight channels, whose rows of the panel are an odd multiple of 16 bytes
//           apart, and of each two images, which are an odd multiple of 8 bytes apart
#pragma once

#include "cuda/bfloat16_product.cuh"
#include "ops/ring_conv/ring_conv_cuda_tuning.h"
#include "ops/ring_conv/ring_sums.cuh"

namespace gmr::cuda {

// Reads the rows of a plane, which lies in shared memory as in global, one after the other. `is_odd`: it begins in the
// second half of a word.
template <int height, int width>
class PlaneReader {
 public:
  __device__ PlaneReader(uint32_t from, bool is_odd)
      : from_(from), shift_(is_odd ? 16 : 0), word_(load_word<0>(from)) {}

  // Row y, of zeros where it is none, with `margin` columns of zeros before it, and as many behind it as there are.
  template <int y, int margin, int window>
  __device__ void read(float (&x)[window]) {
    constexpr int plane = height * width;
    unroll<window>([&](auto i) { x[i] = -0.F; });  // which compilers do not add
    unroll<width>([&](auto c) {
      constexpr int i = y * width + c;
      if constexpr (i >= 0 && i < plane) {
        if constexpr (i % 2 == 0) {
          uint32_t after = word_;
          if constexpr (i + 1 < plane) after = load_word<(i / 2 + 1) * 4>(from_);
          pair_ = __funnelshift_r(word_, after, shift_);
          word_ = after;
        }
        x[margin + c] = i % 2 == 0 ? first_of(pair_) : second_of(pair_);
      }
    });
  }

 private:
  uint32_t from_;
  int shift_;
  uint32_t word_;      // that has the next element, or the one before it
  uint32_t pair_ = 0;  // of the plane
};

template <int side, int height, int width>
struct RingPlanes {
  static constexpr int half = side / 2, rings = half + 1;
  static constexpr int threads = planes_threads, images = planes_images, splits = planes_splits;
  static constexpr int channels = threads / images;
  static constexpr int panel_rows = channels * rings;
  static constexpr int steps = panel_rows / bfloat16_depth;
  static constexpr bool is_interleaved = true, streams_weights = true;
  static constexpr int channel_step = 1;

  // Columns of the panel: of each image its plane, and what is left of the last four.
  static constexpr int plane = height * width, store_elements = 4;
  static constexpr int image_columns = (plane + store_elements - 1) / store_elements * store_elements;
  static constexpr int pixels = images * image_columns, written_pixels = pixels;
  static_assert(pixels % 8 == 0 && image_columns % 8 == 4);

  // Words from one image's planes to the next one's.
  static constexpr int plane_elements = channels * plane;
  static constexpr int image_words = padded_words(plane_elements / 2, 16);
  // Planes of so many channels are whole pieces, which copies are of.
  static constexpr int piece_elements = 8, aligned_channels = 8, pieces = plane_elements / piece_elements;
  static_assert(plane % 2 == 1 && image_words % 4 == 0);

  // What plane of a chunk a thread has: a warp 16 channels of both images.
  static constexpr int image_of(int thread) { return thread / 8 % images; }
  static constexpr int channel_of(int thread) { return thread / 16 * 8 + thread % 8; }
  // The word that a plane begins in; its first half is the end of the plane before where the channel is odd.
  static constexpr int word_of(int image, int channel) { return image * image_words + channel * plane / 2; }

  static constexpr bool warps_read_all_banks() {
    uint32_t banks = 0;
    for (int lane = 0; lane < warp_threads; ++lane) banks |= 1U << word_of(image_of(lane), channel_of(lane)) % 32;
    return banks == ~0U;
  }

  const bfloat16* x;
  int rows, chunk_depth, work_floats;
  int64_t all_channels, all_images, tiles;

  RingPlanes(const bfloat16* x, int64_t all_images, int64_t all_channels)
      : x(x),
        rows(rings),
        chunk_depth(panel_rows),
        work_floats(images * image_words),
        all_channels(all_channels),
        all_images(all_images),
        tiles((all_images + images - 1) / images) {}

  __host__ __device__ int steps_of(int depth) const {
    return (depth / rings + bfloat16_depth - 1) / bfloat16_depth * rings;
  }

  class AtTile;
};

template <int side, int height, int width>
class RingPlanes<side, height, width>::AtTile {
 public:
  __device__ AtTile(const RingPlanes& gather, int64_t tile, float* work)
      : g_(gather), planes_(reinterpret_cast<uint4*>(work)), first_image_(tile * images) {}

  // The planes of a chunk's channels, with zeros where there is no channel. Of an image that is not there those of
  // another one, since nothing is stored of it.
  __device__ void start(int64_t first_channel, const Chunk& chunk) const {
    if (chunk.depth > 0) {
      const int64_t channel = first_channel + static_cast<unsigned>(chunk.first_row) / rings;
      const int there = chunk.depth / rings * plane / piece_elements;
#pragma unroll
      for (int i = 0; i < images; ++i) {
        const int64_t image = min(first_image_ + i, g_.all_images - 1);
        const auto* from = reinterpret_cast<const uint4*>(g_.x + (image * g_.all_channels + channel) * plane);
        uint4* to = planes_ + i * (image_words / 4);
#pragma unroll
        for (int k = static_cast<int>(threadIdx.x); k < pieces; k += threads) {
          copy_or_zero(to + k, from + (k < there ? k : 0), k < there);
        }
      }
    }
    finish_group();
  }

  __device__ void fill(bfloat16* panel, int64_t first_channel, const Chunk&, const Chunk& next) const {
    wait_for_all_groups_but<1>();
    __syncthreads();
    constexpr int pitch = bfloat16_pitch(pixels), element = static_cast<int>(sizeof(bfloat16));
    static_assert(warps_read_all_banks());
    const int image = image_of(static_cast<int>(threadIdx.x)), channel = channel_of(static_cast<int>(threadIdx.x));
    const uint32_t from = shared_address(planes_) + word_of(image, channel) * 4;
    const int row = channel / bfloat16_depth * rings * bfloat16_depth + channel % bfloat16_depth;
    const uint32_t to = shared_address(panel + row * pitch + image * image_columns);
    PlaneReader<height, width> reader(from, channel * plane % 2 == 1);
    float stored[rings][store_elements];
    RingSums<side, width, height, half> sums;
    sums.make(
        half, height + half,
        [&](auto r, float(&x)[decltype(sums)::window]) { reader.template read<r - half, half>(x); },
        [&](auto l, auto y, const float(&sum)[width]) {
          unroll<width>([&](auto c) {
            constexpr int i = y * width + c, last = store_elements - 1;
            stored[l][i % store_elements] = sum[c];
            if constexpr (i + 1 == plane) {
              unroll<store_elements>([&](auto k) {
                if constexpr (k > i % store_elements) stored[l][k] = 0;
              });
            }
            if constexpr (i % store_elements == last || i + 1 == plane) {
              store_two_words<(l * bfloat16_depth * pitch + i / store_elements * store_elements) * element>(
                  to, {rounded_pair(stored[l][0], stored[l][1]), rounded_pair(stored[l][2], stored[l][3])});
            }
          });
        });
    __syncthreads();
    start(first_channel, next);  // the planes are free again
  }

 private:
  const RingPlanes& g_;
  uint4* planes_;  // [image][channel][pixel]
  int64_t first_image_;
};

// y from the sums of the splits of all tiles, added in order.
template <typename Tile, typename Gather>
__device__ void sum_planes(const Bfloat16Product<Gather>& p) {
  constexpr int outputs = planes_sum_outputs, plane = Gather::plane, images = Gather::images;
  constexpr int slices = Tile::outputs / outputs, packs = Gather::pixels / 4, pieces = outputs * plane / 8;
  static_assert(outputs * plane % 8 == 0 && Gather::image_columns % 4 == 0);
  __shared__ alignas(16) bfloat16 planes[images][outputs * plane];
  for (int64_t item = blockIdx.x; item < p.items() / p.splits * slices; item += gridDim.x) {
    const int64_t tile_item = item / slices, slice = item % slices;
    const auto [tile_and_group, part] = p.by_parts.divide(tile_item);
    const auto [tile, group] = p.by_groups.divide(tile_and_group);
    const int64_t first_output = part * Tile::outputs + slice * outputs;
    const auto there = static_cast<int>(max(min(int64_t{outputs}, p.shape.outputs - first_output), int64_t{0}));
    const int64_t o = group * p.shape.outputs + first_output;
    const float* from =
        p.partials + (tile_item * p.splits * Tile::outputs + slice * outputs) * static_cast<int64_t>(Gather::pixels);
    for (int i = static_cast<int>(threadIdx.x); i < there * packs; i += Gather::threads) {
      const int output = i / packs, column = (i - output * packs) * 4;
      const int image = column / Gather::image_columns, pixel = column - image * Gather::image_columns;
      Pack<4> sum = load_pack<4>(from + 4 * i);
#pragma unroll
      for (int split = 1; split < p.splits; ++split) {
        const Pack<4> next = load_pack<4>(from + split * Tile::outputs * Gather::pixels + 4 * i);
#pragma unroll
        for (int k = 0; k < 4; ++k) sum.v[k] += next.v[k];
      }
      const float bias = p.epilogue.bias_of(o + output);
#pragma unroll
      for (int k = 0; k < 4; ++k) sum.v[k] += bias;
      if (p.epilogue.normalises()) {
        const OutputNorm norm = p.epilogue.norm_of(o + output);
#pragma unroll
        for (int k = 0; k < 4; ++k) sum.v[k] = norm(sum.v[k]);
      }
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (pixel + k < plane) planes[image][output * plane + pixel + k] = rounded<bfloat16>(sum.v[k]);
      }
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < images * pieces; i += Gather::threads) {
      const int image = i / pieces, piece = i - image * pieces;
      const int64_t n = tile * images + image;
      if (n >= p.gather.all_images || piece * 8 >= there * plane) continue;
      auto* to = reinterpret_cast<uint4*>(p.y + (n * p.shape.groups * p.shape.outputs + o) * plane);
      to[piece] = reinterpret_cast<const uint4*>(planes[image])[piece];
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
