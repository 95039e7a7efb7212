// The product of pointwise.cuh in float32: chunks of 8 channels, and 16 or 8 outputs x 8 columns a thread, so that a
// value that is read serves as many multiply-adds as there are registers for.
#pragma once

#include "ops/conv/float_results.cuh"
#include "ops/conv/pointwise.cuh"
#include "ops/conv/window_weights.cuh"

namespace gmr::cuda {

struct FloatPointwiseProduct {
  ProductShape shape;
  PointwiseColumns columns;
  const float* x;
  const float* weights;  // packed
  Epilogue epilogue;
  float* y;
  int x_elements, y_elements;  // that are copied and stored at a time
  int64_t output_parts, chunks, blocks;
  Divisor by_parts, by_groups;

  FloatPointwiseProduct(const ProductShape& shape, int tile_columns, const float* x, const WindowWeights& packed,
                        const Epilogue& epilogue, float* y)
      : shape(shape),
        columns(shape),
        x(x),
        weights(packed.packed),
        epilogue(epilogue),
        y(y),
        x_elements(pointwise_elements<float>(shape.in_plane, x)),
        y_elements(pointwise_elements<float>(shape.out_plane, y)),
        output_parts(packed.output_parts),
        chunks(packed.chunks),
        blocks(columns.tiles(tile_columns) * shape.groups * output_parts),
        by_parts(output_parts),
        by_groups(shape.groups) {}
};

// A warp has all outputs of 32 columns: eight lanes share outputs, four share columns. Outputs and columns of a thread are
// quads, so that what lanes read at a time lies in one run.
template <int outputs_, int columns_>
struct FloatPointwiseTile : FloatResults<outputs_ / 8, 8> {
  using Results = FloatResults<outputs_ / 8, 8>;
  using Results::outputs_a_thread, Results::pixels_a_thread, Results::sum;
  static constexpr int outputs = outputs_, columns = columns_, threads = columns;
  static constexpr int panel_floats = float_window_channels * columns;
  static constexpr int weight_floats = float_window_channels * outputs, stage_floats = panel_floats + weight_floats;
  static constexpr int shared_bytes = float_pointwise_stages * stage_floats * static_cast<int>(sizeof(float));
  static constexpr int output_step = 32, column_step = 16;  // from quad to quad

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % warp_threads; }
  __device__ static int output(int i) { return lane() / 4 * 4 + i / 4 * output_step + i % 4; }
  __device__ static int column(int quad) {
    return static_cast<int>(threadIdx.x) / warp_threads * warp_threads + lane() % 4 * 4 + quad * column_step;
  }

  __device__ void add(const float* panel) {
    const uint32_t b_at = shared_address(panel + column(0)), a_at = shared_address(panel + panel_floats + output(0));
    unroll<float_window_channels>([&](auto c) {
      float a[outputs_a_thread], b[pixels_a_thread];
      const auto load = [](auto at, uint32_t address, float* to) {
        const uint4 words = load_four_words<at * 4>(address);
        to[0] = __uint_as_float(words.x);
        to[1] = __uint_as_float(words.y);
        to[2] = __uint_as_float(words.z);
        to[3] = __uint_as_float(words.w);
      };
      unroll<outputs_a_thread / 4>(
          [&](auto i) { load(std::integral_constant<int, c * outputs + i * output_step>(), a_at, &a[4 * i]); });
      unroll<pixels_a_thread / 4>(
          [&](auto j) { load(std::integral_constant<int, c * columns + j * column_step>(), b_at, &b[4 * j]); });
#pragma unroll
      for (int i = 0; i < outputs_a_thread; ++i) {
#pragma unroll
        for (int j = 0; j < pixels_a_thread; ++j) sum[i][j] += a[i] * b[j];
      }
    });
  }

  __device__ void store(const FloatPointwiseProduct& p, int64_t tile, int64_t group, int64_t first_output) {
    const auto there = static_cast<int>(min(int64_t{outputs}, p.shape.outputs - first_output));
    unroll<outputs_a_thread>([&](auto i) {
      if (output(i) < there) this->finish(i, p.epilogue, group * p.shape.outputs + first_output + output(i));
    });
    const PointwiseColumns& all = p.columns;
    with_elements<4>(p.y_elements, [&](auto some) {
      unroll<pixels_a_thread / some>([&](auto piece) {
        constexpr int first = piece * some;
        const int64_t at = tile * columns + column(first / 4) + first % 4;
        if (at >= all.count) return;
        const auto [image, pixel] = all.by_plane.divide(at);
        const int64_t plane = (image * p.shape.groups + group) * p.shape.outputs + first_output + output(0);
        float* to = p.y + plane * all.plane + pixel;
        unroll<outputs_a_thread>([&](auto i) {
          constexpr int step = i / 4 * output_step + i % 4;
          if (output(0) + step >= there) return;
          float* own = to + step * all.plane;
          if constexpr (some == 4) {
            // Left to the compiler these are four stores, of a fourth of each sector.
            asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};"
                         :
                         : "l"(__cvta_generic_to_global(own)), "f"(sum[i][first]), "f"(sum[i][first + 1]),
                           "f"(sum[i][first + 2]), "f"(sum[i][first + 3])
                         : "memory");
          } else {
#pragma unroll
            for (int k = 0; k < some; ++k) own[k] = sum[i][first + k];
          }
        });
      });
    });
  }
};

template <typename Tile>
__device__ void pointwise_product(const FloatPointwiseProduct& p) {
  extern __shared__ float4 shared_memory[];
  auto* panels = reinterpret_cast<float*>(shared_memory);
  const ProductShape& shape = p.shape;
  // Blocks that share a tile run next to each other, so that its input stays in the cache.
  const auto [tile_and_group, part] = p.by_parts.divide(blockIdx.x);
  const auto [tile, group] = p.by_groups.divide(tile_and_group);
  const PointwiseRows<float, Tile::columns, Tile::threads> rows(p.columns, tile, p.x_elements,
                                                                p.x + group * shape.channels * shape.in_plane,
                                                                shape.groups * shape.channels * shape.in_plane);
  const auto chunks = static_cast<int>(p.chunks);
  const float* weights = p.weights + (group * p.output_parts + part) * p.chunks * Tile::weight_floats;
  const auto start = [&](int chunk) {
    if (chunk < chunks) {
      float* panel = panels + chunk % float_pointwise_stages * Tile::stage_floats;
      rows.template copy<float_window_channels, Tile::columns>(int64_t{chunk} * float_window_channels, shape.channels,
                                                               panel);
      const int mine = static_cast<int>(threadIdx.x) * 4;
      const float* from = weights + int64_t{chunk} * Tile::weight_floats + mine;
      const uint32_t to = shared_address(panel + Tile::panel_floats + mine);
      constexpr int step = Tile::threads * 4;
      unroll<Tile::weight_floats / step>(
          [&](auto i) { copy_or_zero_at<float4, i * step * 4, i * step * 4>(to, from, true); });
    }
    finish_group();
  };
  Tile product;
  for (int chunk = 0; chunk < float_pointwise_stages - 1; ++chunk) start(chunk);
#pragma unroll 1
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait_for_all_groups_but<float_pointwise_stages - 2>();
    __syncthreads();
    start(chunk + float_pointwise_stages - 1);
    product.add(panels + chunk % float_pointwise_stages * Tile::stage_floats);
  }
  product.store(p, tile, group, part * Tile::outputs);
}

}  // namespace gmr::cuda
