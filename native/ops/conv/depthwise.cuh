// Depthwise layers of stride and dilation 1 in two dimensions, where a tile of whole rows fits in shared memory: a
// thread makes four columns of seven rows, a tap of four weights a row at a time, so that a read of shared memory serves
// some twenty multiply-adds. Tiles are bands of one plane, or several planes where they are small. The other layers of
// few channels a group are for direct_conv.cuh.
#pragma once

#include <limits>
#include <numeric>
#include <optional>

#include "cuda/implicit_product.cuh"
#include "ops/conv/plane_rows.cuh"

namespace gmr::cuda {

inline int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The extents that kernels use, of height and width.
struct PlaneGeometry {
  int in[2], out[2], kernel[2], padding[2];

  explicit PlaneGeometry(const WindowGeometry& g) {
    for (int axis = 0; axis < 2; ++axis) {
      in[axis] = static_cast<int>(g.in[axis + 1]);
      out[axis] = static_cast<int>(g.out[axis + 1]);
      kernel[axis] = static_cast<int>(g.kernel[axis + 1]);
      padding[axis] = static_cast<int>(g.padding[axis + 1]);
    }
  }
};

// What a block has: groups of seven rows of outputs of some planes, and where they and what they see lie in shared
// memory. Neighbouring threads have neighbouring slots of four columns, then planes, then groups of rows.
struct DepthwiseTile {
  int slots, planes, row_groups;
  int bands;                // of a plane; with several planes 1
  int pitch, plane_floats;  // from row to row and plane to plane
  int weights_floats;       // of a plane

  int threads() const {
    return static_cast<int>(divided_up(int64_t{slots} * planes * row_groups, warp_threads)) * warp_threads;
  }
  int floats() const { return planes * (plane_floats + weights_floats); }
};

constexpr int64_t access_lanes = 8;  // of a phase of accesses of 16 bytes

// From row to row of a kernel, whose chunks of four taps begin at 16 bytes.
inline int64_t kernel_pitch_of(int64_t kernel_width) { return divided_up(kernel_width, 4) * 4; }

// Whether a layer is one for these kernels, if a tile of it fits: of one channel a group, in two dimensions.
inline bool is_depthwise(const ProductShape& shape, const WindowGeometry& g) {
  if (shape.channels != 1 || shape.outputs > direct_most_channels) return false;
  if (g.in[0] != 1 || g.out[0] != 1 || g.kernel[0] != 1 || g.padding[0] != 0) return false;
  if (volume(g.kernel) > direct_most_taps) return false;
  for (int axis = 1; axis < 3; ++axis) {
    if (g.stride[axis] != 1 || g.dilation[axis] != 1 || g.spread[axis] != 1) return false;
    // Nothing that outputs see lies beyond the window of the last one.
    if (g.padding[axis] < 0 || g.in[axis] + g.padding[axis] > g.out[axis] + g.kernel[axis] - 1) return false;
    if (g.in[axis] < 1 || g.out[axis] < depthwise_least_extent ||
        std::max(g.in[axis], g.out[axis]) > depthwise_most_extent)
      return false;
  }
  return true;
}

// The tile of a layer, or none. Eight neighbouring threads, which read 16 bytes each, meet all banks: planes follow each
// other as slots do, and so do groups of rows where a plane is alone; of several planes threads of a group are a
// multiple of eight.
inline std::optional<DepthwiseTile> choose_depthwise_tile(const ProductShape& shape, const WindowGeometry& g) {
  if (!is_depthwise(shape, g)) return {};
  const int64_t height = g.out[1], width = g.out[2];
  const int64_t slots = divided_up(width, sum_columns), row_groups = divided_up(height, depthwise_rows);
  const int64_t quads = slots + divided_up(g.kernel[2] - 1, 4);  // of a row of the window
  const int64_t kernel_floats = g.kernel[1] * kernel_pitch_of(g.kernel[2]);
  const int64_t weights_floats = kernel_floats + (kernel_floats % 8 == 4 ? 0 : 4);
  const auto tile_of = [&](int64_t planes, int64_t groups, int64_t pitch_quads) -> std::optional<DepthwiseTile> {
    const int64_t plane_quads = (groups * depthwise_rows + g.kernel[1] - 1) * pitch_quads;
    const int64_t plane_floats = 4 * (plane_quads + (slots + access_lanes - plane_quads % access_lanes) % access_lanes);
    if (slots * planes * groups > block_threads) return {};
    if (planes * (plane_floats + weights_floats) > depthwise_shared_floats) return {};
    const auto narrow = [](int64_t value) { return static_cast<int>(value); };
    return DepthwiseTile{
        narrow(slots),           narrow(planes),       narrow(groups),        narrow(divided_up(row_groups, groups)),
        narrow(4 * pitch_quads), narrow(plane_floats), narrow(weights_floats)};
  };
  const int64_t all_planes = shape.images * shape.groups;
  // So that they begin where a sector does, too.
  const int64_t step = access_lanes / std::gcd(std::gcd(slots, height * width), access_lanes);
  const int64_t most_planes = std::min(all_planes / depthwise_least_blocks, block_threads / (slots * row_groups));
  for (int64_t planes = most_planes; planes > 1 && shape.outputs == 1; --planes) {
    const bool fill_a_warp = most_planes >= step || slots * row_groups >= warp_threads;  // as multiples, or alone
    if (planes % step != 0 && fill_a_warp) continue;
    const auto tile = tile_of(planes, row_groups, quads);
    if (tile) return tile;
  }
  static_assert(depthwise_rows % access_lanes == access_lanes - 1);
  const int64_t pitch_quads =
      quads + (slots % access_lanes == 0 ? 0 : (access_lanes - (quads + slots) % access_lanes) % access_lanes);
  const int64_t least_bands = divided_up(h100_multiprocessors, all_planes * shape.outputs);
  for (int64_t bands = std::min(least_bands, row_groups); bands <= row_groups; ++bands) {
    const auto tile = tile_of(1, divided_up(row_groups, bands), pitch_quads);
    if (tile) return tile;
  }
  return {};
}

struct DepthwiseConv {
  ProductShape shape;
  DepthwiseTile tile;
  ProductWeights weights;
  const int32_t* rings;  // of taps, -1: of none, which are the rows of the weights; nullptr: taps are
  ElementType type;
  const void* x;
  Epilogue epilogue;
  void* y;
  PlaneGeometry plane;
  int taps, kernel_pitch;
  int64_t planes, items;
  RowWalk in_rows, out_rows;
  Divisor by_outputs, by_bands, by_groups;
  SmallDivisor by_slots, by_planes, by_taps, by_kernel_width;

  DepthwiseConv(const ProductShape& shape, const WindowGeometry& g, const DepthwiseTile& tile,
                const ProductWeights& weights, const int32_t* rings, ElementType type, const void* x,
                const Epilogue& epilogue, void* y)
      : shape(shape),
        tile(tile),
        weights(weights),
        rings(rings),
        type(type),
        x(x),
        epilogue(epilogue),
        y(y),
        plane(g),
        taps(static_cast<int>(g.kernel[1] * g.kernel[2])),
        kernel_pitch(static_cast<int>(kernel_pitch_of(g.kernel[2]))),
        planes(shape.images * shape.groups),
        items(divided_up(planes, tile.planes) * tile.bands * shape.outputs),
        in_rows(g.in[1], g.in[2], tile.pitch, tile.plane_floats, tile.threads(), elements_of_word(x, type, g.in[2])),
        out_rows(g.out[1], g.out[2], tile.pitch, tile.plane_floats, tile.threads(),
                 elements_of_word(y, type, g.out[2])),
        by_outputs(shape.outputs),
        by_bands(tile.bands),
        by_groups(shape.groups),
        by_slots(tile.slots),
        by_planes(tile.planes),
        by_taps(taps),
        by_kernel_width(g.kernel[2]) {}
};

// The weights of output `output` of the planes from `plane` on, as [plane][row][column].
__device__ inline void load_kernels(const DepthwiseConv& p, int64_t plane, int planes, int64_t output, float* to) {
  for (int i = static_cast<int>(threadIdx.x); i < planes * p.taps; i += static_cast<int>(blockDim.x)) {
    const int of_tile = p.by_taps.divide(i), tap = i - of_tile * p.taps, row = p.by_kernel_width.divide(tap);
    const int64_t group = p.by_groups.divide(plane + of_tile).remainder;
    const int k = p.rings == nullptr ? tap : p.rings[tap];
    to[of_tile * p.tile.weights_floats + row * p.kernel_pitch + tap - row * p.plane.kernel[1]] =
        k < 0 ? 0 : p.weights.first_output(group, k)[output * p.weights.output_step];
  }
}

__device__ inline void depthwise_conv(const DepthwiseConv& p) {
  extern __shared__ float4 shared_memory[];
  auto* window = reinterpret_cast<float*>(shared_memory);
  float* weights = window + p.tile.planes * p.tile.plane_floats;
  const auto thread = static_cast<int>(threadIdx.x);
  const int above_slot = p.by_slots.divide(thread), row_group = p.by_planes.divide(above_slot);
  const int slot = thread - above_slot * p.tile.slots, plane = above_slot - row_group * p.tile.planes;
  const int place = plane * p.tile.plane_floats + row_group * depthwise_rows * p.tile.pitch + slot * sum_columns;
  for (int64_t item = blockIdx.x; item < p.items; item += gridDim.x) {
    const auto [part, output] = p.by_outputs.divide(item);
    const auto [planes_before, band] = p.by_bands.divide(part);
    const int64_t first_plane = planes_before * p.tile.planes;
    const auto planes = static_cast<int>(min(int64_t{p.tile.planes}, p.planes - first_plane));
    const int y = static_cast<int>(band) * p.tile.row_groups * depthwise_rows;
    const int y_end = min(y + p.tile.row_groups * depthwise_rows, p.plane.out[0]);
    const int above = y - p.plane.padding[0], top = max(above, 0),
              end = min(y_end - p.plane.padding[0] + p.plane.kernel[0] - 1, p.plane.in[0]);

    zero_floats(window, p.tile.planes * p.tile.plane_floats);
    load_kernels(p, first_plane, planes, output, weights);
    __syncthreads();
    if (end > top) {  // else the band sees padding only
      copy_rows(p.x, p.type, first_plane * p.shape.in_plane + int64_t{top} * p.plane.in[1],
                (planes - 1) * p.plane.in[0] + end - top, p.in_rows,
                window + (top - above) * p.tile.pitch + p.plane.padding[1]);
    }
    wait_for_copies();
    __syncthreads();

    const bool has_outputs = row_group < p.tile.row_groups && plane < planes;
    float sum[depthwise_rows][sum_columns] = {};
    if (has_outputs) {
      uint32_t x = shared_address(window + place), w = shared_address(weights + plane * p.tile.weights_floats);
      const auto slide = [&](auto taps) {
        slide_rows<taps>(sum, x, p.tile.pitch * 4, w, p.kernel_pitch * 4, p.plane.kernel[0]);
        x += 4 * taps;
        w += 4 * taps;
      };
      for (int left = p.plane.kernel[1]; left > 0; left -= 4) {
        if (left >= 4) {
          slide(std::integral_constant<int, 4>{});
        } else if (left == 3) {
          slide(std::integral_constant<int, 3>{});
        } else if (left == 2) {
          slide(std::integral_constant<int, 2>{});
        } else {
          slide(std::integral_constant<int, 1>{});
        }
      }
    }
    __syncthreads();  // outputs lie where the window was
    if (has_outputs) {
      const int64_t o = p.by_groups.divide(first_plane + plane).remainder * p.shape.outputs + output;
      const float bias = p.epilogue.bias_of(o);
      const OutputNorm norm = p.epilogue.normalises() ? p.epilogue.norm_of(o) : OutputNorm{};
#pragma unroll
      for (int j = 0; j < depthwise_rows; ++j) {
#pragma unroll
        for (int c = 0; c < sum_columns; ++c) {
          sum[j][c] += bias;
          if (p.epilogue.normalises()) sum[j][c] = norm(sum[j][c]);
        }
        store_floats<0>(shared_address(window + place + j * p.tile.pitch), sum[j]);
      }
    }
    __syncthreads();
    const int64_t first_output = first_plane * p.shape.outputs + output;
    store_rows(window, (planes - 1) * p.plane.out[0] + y_end - y, p.out_rows, p.y, p.type,
               first_output * p.shape.out_plane + int64_t{y} * p.plane.out[1]);
    __syncthreads();
  }
}

}  // namespace gmr::cuda
