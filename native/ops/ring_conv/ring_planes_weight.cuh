// The weight gradient of standard 2-D ring convolutions of bfloat16 on small planes: `height` x `width` outputs, same
// padding, stride and dilation 1. Planes of x and of dy are copied as they lie. Of a fragment's 16 pixels a lane has
// four, of an image of its own: it sums the rings of a channel's whole plane (ring_sums.cuh), and four pixels after
// four they go to the tensor cores from the registers in which they were made, against the same pixels of dy.
//
// Planes have an odd number of elements, so that of every other output words of dy begin with the second pixel. A
// product has outputs of one kind, with the pair of ring sums that its words have; the pixel that is left, the last or the
// first, has a product of its own.
//
// Of shared memory every access is without conflicts: lanes read the same word of every other plane, which are an odd
// number of words apart, so of eight in eight banks modulo 8; and of four images, which are 8 or 24 banks apart.
#pragma once

#include "cuda/weight_product.cuh"
#include "ops/ring_conv/ring_planes.cuh"

namespace gmr::cuda {

template <int side, int height, int width>
struct RingPlanesWeight {
  using Element = bfloat16;
  static constexpr int half = side / 2, rings = half + 1;
  static constexpr int threads = planes_weight_threads, teams = planes_weight_teams, team_threads = threads / teams;
  static constexpr int outputs = planes_weight_outputs, channels = planes_weight_channels;
  static constexpr int chunks = 1, blocks_at_a_time = planes_weight_blocks_at_a_time;
  static constexpr int m_tiles = outputs / 16, warp_channels = 8, warps = team_threads / warp_threads;
  static_assert(warps * warp_channels == channels && m_tiles % 2 == 0);

  // A team's images are those of the lanes of a fragment's row.
  static constexpr int team_images = 4, images = teams * team_images;
  static constexpr int plane = height * width, words = plane / 2 + 1;
  static_assert(plane % 4 == 1 && warps == team_images);

  // Planes of so many channels, or outputs, are whole pieces of copies.
  static constexpr int aligned_channels = RingPlanes<side, height, width>::aligned_channels;

  // Words from one image to the next, of x and of dy.
  static constexpr int image_words(int planes) {
    const int data = planes * plane / 2;
    return data + (8 + 16 - data % 16) % 16;
  }
  static constexpr int x_words = image_words(channels), dy_words = image_words(outputs);
  static constexpr int team_words = team_images * (x_words + dy_words);
  static_assert(x_words % 4 == 0 && dy_words % 4 == 0);

  // The second team's sums on their way to the first one, as fragments, and all sums on their way to memory, [even, then
  // odd outputs][channels][rings]: four rows are as far apart as it takes for the rows and channels of a fragment to
  // meet different banks.
  static constexpr int fragment_words = m_tiles * rings * 4 * team_threads;
  static constexpr int sums_row = channels * rings + 1, sums_rows = 4 * sums_row + 12;
  static_assert(fragment_words + outputs / 4 * sums_rows <= teams * team_words);

  // There is no panel, and dy is in work_floats.
  static constexpr int panel_rows = 0, pitch = 0;

  const bfloat16* x;
  int rows, chunk_depth, work_floats;
  int64_t all_channels, all_images, tiles;

  RingPlanesWeight(const bfloat16* x, int64_t all_images, int64_t all_channels)
      : x(x),
        rows(rings),
        chunk_depth(channels * rings),
        work_floats(teams * team_words),
        all_channels(all_channels),
        all_images(all_images),
        tiles((all_images + images - 1) / images) {}
};

template <int side, int height, int width>
class RingPlanesWeightSums {
  using Gather = RingPlanesWeight<side, height, width>;
  static constexpr int rings = Gather::rings, plane = Gather::plane, words = Gather::words;
  static constexpr int parity_tiles = Gather::m_tiles / 2;
  static constexpr int channel_step = 2;  // between a warp's channels

 public:
  // Adds what a team's images give.
  __device__ void add(uint32_t dy, uint32_t x) {
    const uint32_t from = x + (fragment_column() * Gather::x_words + channel_of(fragment_row()) * plane / 2) * 4;
    const uint32_t a_at = dy + (fragment_column() * Gather::dy_words + fragment_row() * plane) * 4;
    PlaneReader<height, width> reader(from, channel_of(0) % 2 == 1);
    uint32_t b[rings][words];  // pairs of pixels
    float first[rings];        // of the next pair
    RingSums<side, width, height, Gather::half> sums;
    sums.make(
        Gather::half, height + Gather::half,
        [&](auto r, float(&x)[decltype(sums)::window]) { reader.template read<r - Gather::half, Gather::half>(x); },
        [&](auto l, auto y, const float(&sum)[width]) {
          unroll<width>([&](auto c) {
            constexpr int i = y * width + c;
            if constexpr (i % 2 == 1) {
              b[l][i / 2] = rounded_pair(first[l], sum[c]);
            } else if constexpr (i + 1 == plane) {
              b[l][i / 2] = rounded_pair(sum[c], 0);
            } else {
              first[l] = sum[c];
            }
          });
          if constexpr (l == rings - 1) {  // the ring that is whole last
            constexpr int begin = y * width / 2, end = y + 1 == height ? words : (y + 1) * width / 2;
            unroll<end - begin>([&](auto i) { multiply<begin + i>(a_at, b); });
          }
        });
  }

  __device__ void store(float4* to) const {
    unroll<Gather::m_tiles * rings>([&](auto i) {
      const float(&sum)[4] = products_.sum[i / rings][i % rings];
      to[i * Gather::team_threads] = {sum[0], sum[1], sum[2], sum[3]};
    });
  }

  __device__ void add(const float4* from) {
    unroll<Gather::m_tiles * rings>([&](auto i) {
      const float4 other = from[i * Gather::team_threads];
      float(&sum)[4] = products_.sum[i / rings][i % rings];
      sum[0] += other.x;
      sum[1] += other.y;
      sum[2] += other.z;
      sum[3] += other.w;
    });
  }

  // Writes the sums as [outputs][channels][rings], even outputs before odd ones.
  __device__ void put(float* to) const {
    const int row = fragment_row();
    const uint32_t at =
        shared_address(to) +
        (row / 4 * Gather::sums_rows + row % 4 * Gather::sums_row + channel_of(2 * fragment_column()) * rings) * 4;
    unroll<Gather::m_tiles * rings>([&](auto i) {
      constexpr int tile = i / rings, ring = i % rings;
      unroll<4>([&](auto e) {
        constexpr int rows = (16 * tile + e / 2 * 8) / 4, channel = e % 2 * channel_step;
        store_word<(rows * Gather::sums_rows + channel * rings + ring) * 4>(
            at, __float_as_uint(products_.sum[tile][ring][e]));
      });
    });
  }

 private:
  // Of the block's channels number i of this warp: those of one parity.
  __device__ static int channel_of(int i) {
    const int warp = static_cast<int>(threadIdx.x) % Gather::team_threads / warp_threads;
    return warp / channel_step * 16 + channel_step * i + warp % channel_step;
  }

  // The products that word `last` of ring sums completes.
  template <int last>
  __device__ void multiply(uint32_t a_at, const uint32_t (&b)[rings][words]) {
    // Of odd outputs, whose words begin with the second pixel: the first pixel alone, then pixels 4 s + 1 to 4 s + 4.
    constexpr int odd_at = plane / 2 + 1;
    if constexpr (last == 0) {
      multiply_pixel<1, (odd_at - 1) * 4 + 2>(a_at, [&](auto ring) { return b[ring][0] & 0xffffu; });
    } else if constexpr (last % 2 == 0) {
      multiply_four<1, odd_at + last - 2>(a_at, [&](auto ring) {
        return uint2{__funnelshift_r(b[ring][last - 2], b[ring][last - 1], 16),
                     __funnelshift_r(b[ring][last - 1], b[ring][last], 16)};
      });
    }
    // Of even outputs: pixels 4 s to 4 s + 3, and the last one alone.
    if constexpr (last % 2 == 1) {
      multiply_four<0, last - 1>(a_at, [&](auto ring) { return uint2{b[ring][last - 1], b[ring][last]}; });
    } else if constexpr (last == words - 1) {
      multiply_pixel<0, last * 4>(a_at, [&](auto ring) { return b[ring][last]; });
    }
  }

  template <int parity, int word, typename B>
  __device__ void multiply_four(uint32_t a_at, B&& b_of) {
    uint2 b[rings];
    unroll<rings>([&](auto ring) { b[ring] = b_of(ring); });
    unroll<parity_tiles>([&](auto i) {
      constexpr int upper = (16 * i * plane + word) * 4, lower = upper + 8 * plane * 4;
      const uint4 a{load_word<upper>(a_at), load_word<lower>(a_at), load_word<upper + 4>(a_at),
                    load_word<lower + 4>(a_at)};
      unroll<rings>([&](auto ring) { mma_bfloat16(products_.sum[parity * parity_tiles + i][ring], a, b[ring]); });
    });
  }

  template <int parity, int byte, typename B>
  __device__ void multiply_pixel(uint32_t a_at, B&& b_of) {
    uint32_t b[rings];
    unroll<rings>([&](auto ring) { b[ring] = b_of(ring); });
    unroll<parity_tiles>([&](auto i) {
      constexpr int upper = 16 * i * plane * 4 + byte, lower = upper + 8 * plane * 4;
      const uint4 a{load_half<upper>(a_at), load_half<lower>(a_at), 0, 0};
      unroll<rings>([&](auto ring) { mma_bfloat16(products_.sum[parity * parity_tiles + i][ring], a, {b[ring], 0}); });
    });
  }

  Bfloat16Sums<Gather::m_tiles, rings> products_;
};

// A warp starts to copy `planes` planes of an image, with zeros for those from `there` on.
template <int plane, int planes>
__device__ void start_planes(const bfloat16* from, int there, uint32_t to) {
  constexpr int bytes = static_cast<int>(sizeof(uint4)), elements = bytes / static_cast<int>(sizeof(bfloat16));
  constexpr int pieces = planes * plane / elements;
  static_assert(planes * plane % elements == 0);
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, lane_pieces = there * plane / elements - lane;
  from += lane * elements;
  to += lane * bytes;
  unroll<(pieces + warp_threads - 1) / warp_threads>([&](auto i) {
    constexpr int first = i * warp_threads;
    if (first + warp_threads > pieces && lane >= pieces - first) return;
    copy_or_zero_at<uint4, first * bytes, first * bytes>(to, from, first < lane_pieces);
  });
}

template <int side, int height, int width>
__device__ void ring_planes_weight_product(
    const BackwardWeightProduct<RingPlanesWeight<side, height, width>, bfloat16>& p) {
  using Gather = RingPlanesWeight<side, height, width>;
  constexpr int rings = Gather::rings, plane = Gather::plane;
  extern __shared__ float4 shared_memory[];
  const int team = static_cast<int>(threadIdx.x) / Gather::team_threads;
  const int warp = static_cast<int>(threadIdx.x) % Gather::team_threads / warp_threads;  // copies this image
  const uint32_t dy_planes = shared_address(shared_memory) + team * Gather::team_words * 4;
  const uint32_t x_planes = dy_planes + Gather::team_images * Gather::dy_words * 4;
  const Gather& g = p.gather;
  const int64_t x_image = g.all_channels * plane, dy_image = p.shape.groups * p.shape.outputs * plane;
  // Teams run apart, so that one multiplies while another one copies.
  const auto wait_for_team = [&] {
    asm volatile("bar.sync %0, %1;" : : "r"(1 + team), "n"(Gather::team_threads) : "memory");
  };

  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [split, group, band, part] = p.item_at(item);
    const int64_t first_output = part * Gather::outputs, first_channel = band * Gather::channels;
    const int64_t output = group * p.shape.outputs + first_output;
    const auto outputs = static_cast<int>(min(int64_t{Gather::outputs}, p.shape.outputs - first_output));
    const auto channels = static_cast<int>(min(int64_t{Gather::channels}, p.shape.channels - first_channel));
    const bfloat16* x = g.x + (group * p.shape.channels + first_channel) * plane;
    const bfloat16* dy = p.dy + output * plane;

    RingPlanesWeightSums<side, height, width> product;
    const int64_t last_tile = g.tiles * (split + 1) / p.splits;
    for (int64_t tile = g.tiles * split / p.splits; tile < last_tile; ++tile) {
      const int64_t first_image = tile * Gather::images + team * Gather::team_images;
      if (first_image >= g.all_images) break;
      const bool is_there = first_image + warp < g.all_images;
      const int64_t image = is_there ? first_image + warp : first_image;
      start_planes<plane, Gather::outputs>(dy + image * dy_image, is_there ? outputs : 0,
                                           dy_planes + warp * Gather::dy_words * 4);
      start_planes<plane, Gather::channels>(x + image * x_image, is_there ? channels : 0,
                                            x_planes + warp * Gather::x_words * 4);
      wait_for_copies();
      wait_for_team();
      product.add(dy_planes, x_planes);
      wait_for_team();
    }
    // The first team adds the second one's sums to its own.
    static_assert(Gather::teams == 2);
    __syncthreads();
    float4* fragments = shared_memory + threadIdx.x % Gather::team_threads;
    auto* sums = reinterpret_cast<float*>(shared_memory) + Gather::fragment_words;
    if (team == 1) product.store(fragments);
    __syncthreads();
    if (team == 0) {
      product.add(fragments);
      product.put(sums);
    }
    __syncthreads();
    constexpr int warps = Gather::threads / warp_threads;
    static_assert(warps == 8);  // a warp's outputs are all even or all odd, and four rows of `sums` apart
    const int lane = static_cast<int>(threadIdx.x) % warp_threads, first = static_cast<int>(threadIdx.x) / warp_threads;
    const float* from =
        sums + first % 2 * (Gather::outputs / 8) * Gather::sums_rows + first / 2 * Gather::sums_row + lane;
    float* to = p.partials + split * p.size + (output + first) * p.all_rows + first_channel * rings + lane;
    for (int o = first; o < outputs; o += warps) {
#pragma unroll
      for (int row = 0; row < Gather::channels * rings; row += warp_threads) {
        if (row + lane < channels * rings) to[row] = from[row];
      }
      from += Gather::sums_rows;
      to += warps * p.all_rows;
    }
    __syncthreads();
  }
}

}  // namespace gmr::cuda
