#include <algorithm>
#include <limits>

#include "cpu/kernels.h"
#include "cpu/parallel_rows.h"

namespace gmr::cpu {
namespace {

enum class Indices { skip, keep };

// What one tap adds to the running maxima of a row. Stride 0: known at run time only.
template <int64_t Stride, Indices Mode>
void take_tap(const float* __restrict x, int32_t first_index, IndexRange inside, int64_t run_time_stride,
              int64_t offset, float* __restrict y, int32_t* __restrict indices) {
  const int64_t stride = Stride > 0 ? Stride : run_time_stride;
  for (int64_t o = inside.begin; o < inside.end; ++o) {
    const float value = x[o * stride + offset];
    bool is_new = (value > y[o]) | (value != value);
    if constexpr (Mode == Indices::keep) {
      is_new |= indices[o] < 0;  // so that a window of -infinities has an index
      indices[o] = is_new ? first_index + static_cast<int32_t>(o * stride + offset) : indices[o];
    }
    y[o] = is_new ? value : y[o];
  }
}

template <int64_t Stride, Indices Mode>
void forward_windows(const MaxPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t row_cost = g.output[2] * g.kernel[0] * g.kernel[1] * g.kernel[2];
  parallel_rows(g.planes, g.output[0], g.output[1], row_cost, [&](int64_t plane, int64_t oz, int64_t oy) {
    const int64_t out = ((plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
    float* y = p.y + out;
    int32_t* indices = Mode == Indices::keep ? p.indices + out : nullptr;
    std::fill(y, y + g.output[2], -std::numeric_limits<float>::infinity());
    if constexpr (Mode == Indices::keep) std::fill(indices, indices + g.output[2], -1);
    for (int64_t tz = 0; tz < g.kernel[0]; ++tz) {
      const int64_t z = oz * g.stride[0] + g.tap_offset(0, tz);
      if (z < 0 || z >= g.input[0]) continue;
      for (int64_t ty = 0; ty < g.kernel[1]; ++ty) {
        const int64_t row = oy * g.stride[1] + g.tap_offset(1, ty);
        if (row < 0 || row >= g.input[1]) continue;
        const int64_t first_index = (z * g.input[1] + row) * g.input[2];
        const float* x = p.x + plane * g.input[0] * g.input[1] * g.input[2] + first_index;
        for (int64_t tx = 0; tx < g.kernel[2]; ++tx) {
          take_tap<Stride, Mode>(x, static_cast<int32_t>(first_index), outputs_inside(g, 2, tx), g.stride[2],
                                 g.tap_offset(2, tx), y, indices);
        }
      }
    }
  });
}

// The maximum of four and its index, in the order of take_tap.
struct Maximum {
  float value;
  int32_t index;

  void take(float other, int32_t other_index) {
    const bool is_new = (other > value) | (other != other);
    value = is_new ? other : value;
    index = is_new ? other_index : index;
  }
};

template <Indices Mode>
void squares_of_two_row(const float* __restrict x0, const float* __restrict x1, int64_t first_index,
                        int64_t input_width, int64_t width, float* __restrict y, int32_t* __restrict indices) {
  const auto index0 = static_cast<int32_t>(first_index);
  const auto index1 = static_cast<int32_t>(first_index + input_width);
  for (int64_t o = 0; o < width; ++o) {
    const auto x = static_cast<int32_t>(2 * o);
    Maximum maximum{x0[2 * o], index0 + x};
    maximum.take(x0[2 * o + 1], index0 + x + 1);
    maximum.take(x1[2 * o], index1 + x);
    maximum.take(x1[2 * o + 1], index1 + x + 1);
    y[o] = maximum.value;
    if constexpr (Mode == Indices::keep) indices[o] = maximum.index;
  }
}

template <Indices Mode>
void forward_squares_of_two(const MaxPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  parallel_rows(g.planes, g.output[0], g.output[1], 4 * g.output[2], [&](int64_t plane, int64_t z, int64_t oy) {
    const int64_t first_index = (z * g.input[1] + 2 * oy) * g.input[2];
    const float* x = p.x + plane * g.input[0] * g.input[1] * g.input[2] + first_index;
    const int64_t out = ((plane * g.output[0] + z) * g.output[1] + oy) * g.output[2];
    squares_of_two_row<Mode>(x, x + g.input[2], first_index, g.input[2], g.output[2], p.y + out,
                             Mode == Indices::keep ? p.indices + out : nullptr);
  });
}

template <Indices Mode>
void forward(const MaxPoolForward& p) {
  if (tiles_by_squares_of_two(p.geometry)) return forward_squares_of_two<Mode>(p);
  if (p.geometry.stride[2] == 1) return forward_windows<1, Mode>(p);
  if (p.geometry.stride[2] == 2) return forward_windows<2, Mode>(p);
  forward_windows<0, Mode>(p);
}

void backward_pairs_row(const float* __restrict dy, const int32_t* __restrict indices, int32_t first_index,
                        int64_t width, float* __restrict dx) {
  for (int64_t o = 0; o < width; ++o) {
    const int32_t index = first_index + static_cast<int32_t>(2 * o);
    dx[2 * o] = indices[o] == index ? dy[o] : 0;
    dx[2 * o + 1] = indices[o] == index + 1 ? dy[o] : 0;
  }
}

// Each input looks at the one output that may have taken it.
void backward_pairs(const MaxPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  parallel_rows(g.planes, g.input[0], g.input[1], g.input[2], [&](int64_t plane, int64_t z, int64_t row) {
    const int64_t first_index = (z * g.input[1] + row) * g.input[2];
    float* dx = p.dx + plane * g.input[0] * g.input[1] * g.input[2] + first_index;
    const int64_t oz = z / g.kernel[0];
    const int64_t oy = row / g.kernel[1];
    int64_t written = 0;
    if (oz < g.output[0] && oy < g.output[1]) {
      const int64_t out = ((plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
      backward_pairs_row(p.dy + out, p.indices + out, static_cast<int32_t>(first_index), g.output[2], dx);
      written = 2 * g.output[2];
    }
    std::fill(dx + written, dx + g.input[2], 0.0f);
  });
}

}  // namespace

void max_pool_forward(const MaxPoolForward& p) {
  p.indices == nullptr ? forward<Indices::skip>(p) : forward<Indices::keep>(p);
}

void max_pool_backward_input(const MaxPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  if (tiles_by_pairs(g)) return backward_pairs(p);
  const int64_t inputs = g.input[0] * g.input[1] * g.input[2];
  const int64_t outputs = g.output[0] * g.output[1] * g.output[2];
  const int64_t grain = std::max<int64_t>(1, elementwise_grain / inputs);
  parallel_ranges(g.planes, grain, [&](int64_t begin, int64_t end) {
    std::fill(p.dx + begin * inputs, p.dx + end * inputs, 0.0f);
    for (int64_t plane = begin; plane < end; ++plane) {
      const float* dy = p.dy + plane * outputs;
      const int32_t* indices = p.indices + plane * outputs;
      float* dx = p.dx + plane * inputs;
      for (int64_t o = 0; o < outputs; ++o) {
        if (indices[o] >= 0 && indices[o] < inputs) dx[indices[o]] += dy[o];
      }
    }
  });
}

}  // namespace gmr::cpu
