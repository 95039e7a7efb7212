#include "cuda/bfloat16.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename T>
__global__ void max_pool_forward_kernel(const __grid_constant__ MaxPoolForward p,
                                        const __grid_constant__ GridIndex outputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = outputs.position(i);
    const T* plane = static_cast<const T*>(p.x) + o.plane * g.input[0] * g.input[1] * g.input[2];
    const IndexRange z_taps = taps_inside(g, 0, o.z), y_taps = taps_inside(g, 1, o.y), x_taps = taps_inside(g, 2, o.x);
    const int64_t x_begin = o.x * g.stride[2] - g.padding[2];
    float largest = -INFINITY;
    int64_t index = -1;
    for (int64_t tz = z_taps.begin; tz < z_taps.end; ++tz) {
      const int64_t z = o.z * g.stride[0] + g.tap_offset(0, tz);
      for (int64_t ty = y_taps.begin; ty < y_taps.end; ++ty) {
        const int64_t row = z * g.input[1] + o.y * g.stride[1] + g.tap_offset(1, ty);
        for (int64_t tx = x_taps.begin; tx < x_taps.end; ++tx) {
          const int64_t at = row * g.input[2] + x_begin + tx * g.dilation[2];
          const float value = to_float(plane[at]);
          // The first element in any case, so that a window of -infinities has an index.
          if (value > largest || value != value || index < 0) {
            largest = value;
            index = at;
          }
        }
      }
    }
    static_cast<T*>(p.y)[i] = rounded<T>(largest);
    if (p.indices != nullptr) p.indices[i] = static_cast<int32_t>(index);
  }
}

// Each input looks at the outputs whose windows hold it.
template <typename T>
__global__ void max_pool_backward_input_kernel(const __grid_constant__ MaxPoolBackwardInput p,
                                               const __grid_constant__ GridIndex inputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = inputs.position(i);
    const int64_t index = (at.z * g.input[1] + at.y) * g.input[2] + at.x;
    float sum = 0;
    for (int64_t tz = 0; tz < g.kernel[0]; ++tz) {
      const int64_t oz = output_at(g, 0, at.z, tz);
      if (oz < 0) continue;
      for (int64_t ty = 0; ty < g.kernel[1]; ++ty) {
        const int64_t oy = output_at(g, 1, at.y, ty);
        if (oy < 0) continue;
        const int64_t row = ((at.plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
        for (int64_t tx = 0; tx < g.kernel[2]; ++tx) {
          const int64_t ox = output_at(g, 2, at.x, tx);
          if (ox >= 0 && p.indices[row + ox] == index) sum += to_float(static_cast<const T*>(p.dy)[row + ox]);
        }
      }
    }
    static_cast<T*>(p.dx)[i] = rounded<T>(sum);
  }
}

}  // namespace

// launchers

void max_pool_forward(BackendDevice& device, const MaxPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t count = g.planes * volume(g.output);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"max_pool_forward_kernel", max_pool_forward_kernel<T>}, thread_each(device, count), p,
           GridIndex(g.output), count);
  });
}

void max_pool_backward_input(BackendDevice& device, const MaxPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t count = g.planes * volume(g.input);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"max_pool_backward_input_kernel", max_pool_backward_input_kernel<T>},
           thread_each(device, count), p, GridIndex(g.input), count);
  });
}

}  // namespace gmr::cuda
