#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "cuda/pool_outputs.cuh"

namespace gmr::cuda {
namespace {

// The elements of an output's window that count, along one axis.
__device__ int64_t window_count(const PoolGeometry& g, int axis, int64_t o, bool count_includes_padding) {
  if (count_includes_padding) return g.kernel[axis];
  const IndexRange inside = taps_inside(g, axis, o);
  return inside.end - inside.begin;
}

// Two neighbours, or packs of them.
template <int width, typename T>
__device__ auto load_pairs(const T* x) {
  if constexpr (width == 1) {
    return Pack<2>{to_float(x[0]), to_float(x[1])};
  } else {
    return load_pack<width>(x);
  }
}

// kernels

template <typename T>
__global__ void avg_pool_forward_kernel(const __grid_constant__ AvgPoolForward p,
                                        const __grid_constant__ GridIndex outputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = outputs.position(i);
    const IndexRange z_taps = taps_inside(g, 0, o.z), y_taps = taps_inside(g, 1, o.y), x_taps = taps_inside(g, 2, o.x);
    const int64_t x_begin = o.x * g.stride[2] - g.padding[2];
    float sum = 0;
    for (int64_t tz = z_taps.begin; tz < z_taps.end; ++tz) {
      const int64_t z = o.z * g.stride[0] + g.tap_offset(0, tz);
      for (int64_t ty = y_taps.begin; ty < y_taps.end; ++ty) {
        const int64_t y = o.y * g.stride[1] + g.tap_offset(1, ty);
        const T* row = static_cast<const T*>(p.x) + ((o.plane * g.input[0] + z) * g.input[1] + y) * g.input[2];
        for (int64_t tx = x_taps.begin; tx < x_taps.end; ++tx) sum += to_float(row[x_begin + tx * g.dilation[2]]);
      }
    }
    const int64_t divisor = window_count(g, 0, o.z, p.count_includes_padding) *
                            window_count(g, 1, o.y, p.count_includes_padding) *
                            window_count(g, 2, o.x, p.count_includes_padding);
    static_cast<T*>(p.y)[i] = rounded<T>(sum / static_cast<float>(divisor));
  }
}

// The sum of a window by diagonals, as avg_pool.h demands. A thread has `width` inputs of two rows; 1: a pair, of rows of
// any length.
template <typename T, int width>
__global__ void avg_pool_forward_squares_kernel(const __grid_constant__ AvgPoolForward p,
                                                const __grid_constant__ GridIndex packs, int64_t count) {
  constexpr int outputs = width == 1 ? 1 : width / 2;
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = packs.position(i);
    const T* row = static_cast<const T*>(p.x) + ((o.plane * g.input[0] + o.z) * g.input[1] + 2 * o.y) * g.input[2];
    const T* x = row + 2 * outputs * o.x;
    const auto upper = load_pairs<width>(x), lower = load_pairs<width>(x + g.input[2]);
    Pack<outputs> y;
#pragma unroll
    for (int k = 0; k < outputs; ++k) {
      const float falling = upper.v[2 * k] + lower.v[2 * k + 1], rising = upper.v[2 * k + 1] + lower.v[2 * k];
      y.v[k] = (falling + rising) * 0.25f;
    }
    store_pack(static_cast<T*>(p.y) + i * outputs, y);
  }
}

template <typename T>
__global__ void avg_pool_backward_input_kernel(const __grid_constant__ AvgPoolBackwardInput p,
                                               const __grid_constant__ PoolOutputs outputs,
                                               const __grid_constant__ GridIndex inputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = inputs.position(i);
    float sum = 0;
    outputs.for_rows(at.plane, at.z, at.y, [&](int64_t row, int64_t oz, int64_t oy) {
      const T* dy = static_cast<const T*>(p.dy) + row * g.output[2];
      const int64_t row_divisor =
          window_count(g, 0, oz, p.count_includes_padding) * window_count(g, 1, oy, p.count_includes_padding);
      outputs.for_outputs(2, at.x, [&](int64_t ox) {
        sum += to_float(dy[ox]) / static_cast<float>(row_divisor * window_count(g, 2, ox, p.count_includes_padding));
      });
    });
    static_cast<T*>(p.dx)[i] = rounded<T>(sum);
  }
}

// Windows of rows_by_pairs without padding: a thread has `width` inputs of a row.
template <typename T, int width>
__global__ void avg_pool_backward_input_pairs_kernel(const __grid_constant__ AvgPoolBackwardInput p,
                                                     const __grid_constant__ PoolOutputs outputs,
                                                     const __grid_constant__ GridIndex packs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = packs.position(i);
    Pack<width> sum{};
    outputs.for_rows(at.plane, at.z, at.y, [&](int64_t row, int64_t oz, int64_t oy) {
      const auto divisor = static_cast<float>(window_count(g, 0, oz, p.count_includes_padding) *
                                              window_count(g, 1, oy, p.count_includes_padding) * 2);
      const auto dy = load_pack<width / 2>(static_cast<const T*>(p.dy) + row * g.output[2] + at.x * (width / 2));
#pragma unroll
      for (int k = 0; k < width; ++k) sum.v[k] += dy.v[k / 2] / divisor;
    });
    store_pack(static_cast<T*>(p.dx) + i * width, sum);
  }
}

}  // namespace

// launchers

void avg_pool_forward(BackendDevice& device, const AvgPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const auto launch_kernel = [&](const char* name, auto kernel, int64_t outputs_a_thread) {
    launch_positions(device, Kernel{name, kernel}, g.planes, {g.output[0], g.output[1], g.output[2] / outputs_a_thread},
                     p);
  };
  with_element_type(p.type, [&]<typename T>() {
    if (!tiles_by_squares_of_two(g)) return launch_kernel("avg_pool_forward_kernel", avg_pool_forward_kernel<T>, 1);
    const auto launch_width = [&](auto width) {
      launch_kernel("avg_pool_forward_squares_kernel", avg_pool_forward_squares_kernel<T, width>,
                    width == 1 ? 1 : width / 2);
    };
    with_pack_width<T>(launch_width, g.input[2], p.x, p.y);
  });
}

void avg_pool_backward_input(BackendDevice& device, const AvgPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  const auto launch_kernel = [&](const char* name, auto kernel, int64_t inputs_a_thread) {
    launch_positions(device, Kernel{name, kernel}, g.planes, {g.input[0], g.input[1], g.input[2] / inputs_a_thread}, p,
                     PoolOutputs(g));
  };
  with_element_type(p.type, [&]<typename T>() {
    const auto launch_width = [&](auto width) {
      if constexpr (width > 1) {
        if (rows_by_pairs(g) && g.padding[2] == 0) {
          constexpr const char* name = "avg_pool_backward_input_pairs_kernel";
          return launch_kernel(name, avg_pool_backward_input_pairs_kernel<T, width>, width);
        }
      }
      launch_kernel("avg_pool_backward_input_kernel", avg_pool_backward_input_kernel<T>, 1);
    };
    with_pack_width<T>(launch_width, g.input[2], p.dy, p.dx);
  });
}

}  // namespace gmr::cuda
