#include "cuda/bfloat16.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace gmr::cuda {
namespace {

// The elements of an output's window that count, along one axis.
__device__ int64_t window_count(const PoolGeometry& g, int axis, int64_t o, bool count_includes_padding) {
  if (count_includes_padding) return g.kernel[axis];
  const IndexRange inside = taps_inside(g, axis, o);
  return inside.end - inside.begin;
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

// The sum of a window by diagonals, as avg_pool.h demands.
template <typename T>
__global__ void avg_pool_forward_squares_kernel(const __grid_constant__ AvgPoolForward p,
                                                const __grid_constant__ GridIndex outputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = outputs.position(i);
    const T* x0 =
        static_cast<const T*>(p.x) + ((o.plane * g.input[0] + o.z) * g.input[1] + 2 * o.y) * g.input[2] + 2 * o.x;
    const T* x1 = x0 + g.input[2];
    const float falling = to_float(x0[0]) + to_float(x1[1]), rising = to_float(x0[1]) + to_float(x1[0]);
    static_cast<T*>(p.y)[i] = rounded<T>((falling + rising) * 0.25f);
  }
}

template <typename T>
__global__ void avg_pool_backward_input_kernel(const __grid_constant__ AvgPoolBackwardInput p,
                                               const __grid_constant__ GridIndex inputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = inputs.position(i);
    float sum = 0;
    for (int64_t tz = 0; tz < g.kernel[0]; ++tz) {
      const int64_t oz = output_at(g, 0, at.z, tz);
      if (oz < 0) continue;
      for (int64_t ty = 0; ty < g.kernel[1]; ++ty) {
        const int64_t oy = output_at(g, 1, at.y, ty);
        if (oy < 0) continue;
        const T* row = static_cast<const T*>(p.dy) + ((at.plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
        const int64_t row_divisor =
            window_count(g, 0, oz, p.count_includes_padding) * window_count(g, 1, oy, p.count_includes_padding);
        for (int64_t tx = 0; tx < g.kernel[2]; ++tx) {
          const int64_t ox = output_at(g, 2, at.x, tx);
          if (ox < 0) continue;
          sum += to_float(row[ox]) / static_cast<float>(row_divisor * window_count(g, 2, ox, p.count_includes_padding));
        }
      }
    }
    static_cast<T*>(p.dx)[i] = rounded<T>(sum);
  }
}

}  // namespace

// launchers

void avg_pool_forward(BackendDevice& device, const AvgPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t count = g.planes * volume(g.output);
  const GridIndex outputs(g.output);
  with_element_type(p.type, [&]<typename T>() {
    const Kernel kernel = tiles_by_squares_of_two(g)
                              ? Kernel{"avg_pool_forward_squares_kernel", avg_pool_forward_squares_kernel<T>}
                              : Kernel{"avg_pool_forward_kernel", avg_pool_forward_kernel<T>};
    launch(device, kernel, thread_each(device, count), p, outputs, count);
  });
}

void avg_pool_backward_input(BackendDevice& device, const AvgPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t count = g.planes * volume(g.input);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"avg_pool_backward_input_kernel", avg_pool_backward_input_kernel<T>},
           thread_each(device, count), p, GridIndex(g.input), count);
  });
}

}  // namespace gmr::cuda
