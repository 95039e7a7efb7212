#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "cuda/pool_outputs.cuh"

namespace gmr::cuda {
namespace {

// The maximum of a window so far.
struct Maximum {
  float value = -INFINITY;
  int32_t index = -1;

  // The first element in any case, so that a window of -infinities has an index.
  __device__ void meet(float next, int64_t at) {
    if (next > value || next != next || index < 0) {
      value = next;
      index = static_cast<int32_t>(at);
    }
  }
};

template <int width>
struct alignas(4 * width) Indices {
  int32_t v[width];
};

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
    Maximum maximum;
    for (int64_t tz = z_taps.begin; tz < z_taps.end; ++tz) {
      const int64_t z = o.z * g.stride[0] + g.tap_offset(0, tz);
      for (int64_t ty = y_taps.begin; ty < y_taps.end; ++ty) {
        const int64_t row = z * g.input[1] + o.y * g.stride[1] + g.tap_offset(1, ty);
        for (int64_t tx = x_taps.begin; tx < x_taps.end; ++tx) {
          const int64_t at = row * g.input[2] + x_begin + tx * g.dilation[2];
          maximum.meet(to_float(plane[at]), at);
        }
      }
    }
    static_cast<T*>(p.y)[i] = rounded<T>(maximum.value);
    if (p.indices != nullptr) p.indices[i] = maximum.index;
  }
}

// Windows of rows_by_pairs: a thread has `width` inputs of each row, which are width / 2 outputs.
template <typename T, int width>
__global__ void max_pool_forward_pairs_kernel(const __grid_constant__ MaxPoolForward p,
                                              const __grid_constant__ GridIndex packs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  const bool is_padded = g.padding[2] == 1;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = packs.position(i);
    const T* plane = static_cast<const T*>(p.x) + o.plane * g.input[0] * g.input[1] * g.input[2];
    const IndexRange z_taps = taps_inside(g, 0, o.z), y_taps = taps_inside(g, 1, o.y);
    Maximum maxima[width / 2];
    for (int64_t tz = z_taps.begin; tz < z_taps.end; ++tz) {
      const int64_t z = o.z * g.stride[0] + g.tap_offset(0, tz);
      for (int64_t ty = y_taps.begin; ty < y_taps.end; ++ty) {
        const int64_t row = z * g.input[1] + o.y * g.stride[1] + g.tap_offset(1, ty);
        const int64_t at = row * g.input[2] + o.x * width;
        const Pack<width> values = load_pack<width>(plane + at);
        if (is_padded && o.x > 0) maxima[0].meet(to_float(plane[at - 1]), at - 1);
#pragma unroll
        for (int k = 0; k < width; ++k) {
          if (k % 2 == 0 && k > 0 && is_padded) maxima[k / 2].meet(values.v[k - 1], at + k - 1);
          maxima[k / 2].meet(values.v[k], at + k);
        }
      }
    }
    Pack<width / 2> y;
    Indices<width / 2> indices;
#pragma unroll
    for (int k = 0; k < width / 2; ++k) {
      y.v[k] = maxima[k].value;
      indices.v[k] = maxima[k].index;
    }
    store_pack(static_cast<T*>(p.y) + i * (width / 2), y);
    if (p.indices != nullptr) reinterpret_cast<Indices<width / 2>*>(p.indices)[i] = indices;
  }
}

// Each input looks at the outputs whose windows hold it.
template <typename T>
__global__ void max_pool_backward_input_kernel(const __grid_constant__ MaxPoolBackwardInput p,
                                               const __grid_constant__ PoolOutputs outputs,
                                               const __grid_constant__ GridIndex inputs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = inputs.position(i);
    const int64_t index = (at.z * g.input[1] + at.y) * g.input[2] + at.x;
    float sum = 0;
    outputs.for_rows(at.plane, at.z, at.y, [&](int64_t row, int64_t, int64_t) {
      outputs.for_outputs(2, at.x, [&](int64_t ox) {
        const int64_t o = row * g.output[2] + ox;
        if (p.indices[o] == index) sum += to_float(static_cast<const T*>(p.dy)[o]);
      });
    });
    static_cast<T*>(p.dx)[i] = rounded<T>(sum);
  }
}

// Windows of rows_by_pairs: a thread has `width` inputs of a row.
template <typename T, int width>
__global__ void max_pool_backward_input_pairs_kernel(const __grid_constant__ MaxPoolBackwardInput p,
                                                     const __grid_constant__ PoolOutputs outputs,
                                                     const __grid_constant__ GridIndex packs, int64_t count) {
  const PoolGeometry& g = p.geometry;
  const bool is_padded = g.padding[2] == 1;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = packs.position(i);
    const int64_t index = (at.z * g.input[1] + at.y) * g.input[2] + at.x * width;
    Pack<width> sum{};
    outputs.for_rows(at.plane, at.z, at.y, [&](int64_t row, int64_t, int64_t) {
      const int64_t o = row * g.output[2] + at.x * (width / 2);
      const auto indices = *reinterpret_cast<const Indices<width / 2>*>(p.indices + o);
      const auto dy = load_pack<width / 2>(static_cast<const T*>(p.dy) + o);
#pragma unroll
      for (int k = 0; k < width; ++k) {
        if (indices.v[k / 2] == index + k) sum.v[k] += dy.v[k / 2];
        constexpr int outputs = width / 2;
        const int next = (k + 1) / 2 % outputs;  // of the next window, which holds the second of each pair
        if (k % 2 == 1 && k + 1 < width && is_padded && indices.v[next] == index + k) sum.v[k] += dy.v[next];
      }
      // The last input may belong to the first output of the next thread's.
      if (is_padded && (at.x + 1) * width < g.input[2] && p.indices[o + width / 2] == index + width - 1) {
        sum.v[width - 1] += to_float(static_cast<const T*>(p.dy)[o + width / 2]);
      }
    });
    store_pack(static_cast<T*>(p.dx) + i * width, sum);
  }
}

}  // namespace

// launchers

void max_pool_forward(BackendDevice& device, const MaxPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const auto launch_kernel = [&](const char* name, auto kernel, int64_t outputs_a_thread) {
    launch_positions(device, Kernel{name, kernel}, g.planes, {g.output[0], g.output[1], g.output[2] / outputs_a_thread},
                     p);
  };
  with_element_type(p.type, [&]<typename T>() {
    const auto launch_width = [&](auto width) {
      if constexpr (width > 1) {
        constexpr const char* name = "max_pool_forward_pairs_kernel";
        if (rows_by_pairs(g)) return launch_kernel(name, max_pool_forward_pairs_kernel<T, width>, width / 2);
      }
      launch_kernel("max_pool_forward_kernel", max_pool_forward_kernel<T>, 1);
    };
    with_pack_width<T>(launch_width, g.input[2], p.x, p.y, p.indices);
  });
}

void max_pool_backward_input(BackendDevice& device, const MaxPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  const auto launch_kernel = [&](const char* name, auto kernel, int64_t inputs_a_thread) {
    launch_positions(device, Kernel{name, kernel}, g.planes, {g.input[0], g.input[1], g.input[2] / inputs_a_thread}, p,
                     PoolOutputs(g));
  };
  with_element_type(p.type, [&]<typename T>() {
    const auto launch_width = [&](auto width) {
      if constexpr (width > 1) {
        constexpr const char* name = "max_pool_backward_input_pairs_kernel";
        if (rows_by_pairs(g)) return launch_kernel(name, max_pool_backward_input_pairs_kernel<T, width>, width);
      }
      launch_kernel("max_pool_backward_input_kernel", max_pool_backward_input_kernel<T>, 1);
    };
    with_pack_width<T>(launch_width, g.input[2], p.dy, p.dx, p.indices);
  });
}

}  // namespace gmr::cuda
