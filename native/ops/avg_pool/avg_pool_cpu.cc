#include <algorithm>
#include <vector>

#include "cpu/float_row.h"
#include "cpu/kernels.h"
#include "cpu/parallel_rows.h"

namespace gmr::cpu {
namespace {

// 1 / divisor of an output is the product of three factors, one an axis.
std::array<std::vector<float>, 3> factors_of(const PoolGeometry& g, bool count_includes_padding) {
  std::array<std::vector<float>, 3> factors;
  for (int axis = 0; axis < 3; ++axis) {
    for (int64_t o = 0; o < g.output[axis]; ++o) {
      const IndexRange inside = taps_inside(g, axis, o);
      const int64_t count = count_includes_padding ? g.kernel[axis] : inside.end - inside.begin;
      factors[axis].push_back(1 / static_cast<float>(count));
    }
  }
  return factors;
}

// The stride of a row is a constant where it is 1 or 2, so that the loops vectorise.
template <typename F>
void with_row_stride(int64_t stride, F&& f) {
  if (stride == 1) {
    f([] { return int64_t{1}; });
  } else if (stride == 2) {
    f([] { return int64_t{2}; });
  } else {
    f([stride] { return stride; });
  }
}

template <typename Element>
void forward_squares_of_two(const AvgPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t width = g.output[2];
  parallel_rows(g.planes * g.input[0], 1, g.output[1], 4 * width, [&](int64_t plane, int64_t, int64_t row) {
    const Element* x0 = static_cast<const Element*>(p.x) + (plane * g.input[1] + 2 * row) * g.input[2];
    const Element* x1 = x0 + g.input[2];
    Element* y = static_cast<Element*>(p.y) + (plane * g.output[1] + row) * width;
    for (int64_t o = 0; o < width; ++o) {
      const float a = to_float(x0[2 * o]), b = to_float(x0[2 * o + 1]);
      const float c = to_float(x1[2 * o]), d = to_float(x1[2 * o + 1]);
      y[o] = to_element<Element>(((a + d) + (b + c)) * 0.25f);
    }
  });
}

template <typename Element>
void backward_pairs(const AvgPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t width = g.output[2];
  const float factor = 1 / static_cast<float>(g.kernel[0] * g.kernel[1] * g.kernel[2]);
  parallel_rows(g.planes, g.input[0], g.input[1], g.input[2], [&](int64_t plane, int64_t z, int64_t row) {
    Element* dx = static_cast<Element*>(p.dx) + ((plane * g.input[0] + z) * g.input[1] + row) * g.input[2];
    const int64_t oz = z / g.kernel[0];
    const int64_t oy = row / g.kernel[1];
    int64_t written = 0;
    if (oz < g.output[0] && oy < g.output[1]) {
      const Element* dy = static_cast<const Element*>(p.dy) + ((plane * g.output[0] + oz) * g.output[1] + oy) * width;
      for (int64_t o = 0; o < width; ++o) {
        const auto value = to_element<Element>(to_float(dy[o]) * factor);
        dx[2 * o] = value;
        dx[2 * o + 1] = value;
      }
      written = 2 * width;
    }
    std::fill(dx + written, dx + g.input[2], Element{});
  });
}

template <typename Element>
void forward(const AvgPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  if (tiles_by_squares_of_two(g)) return forward_squares_of_two<Element>(p);
  if (g.planes == 0) return;  // the extents of no planes may be larger than any memory
  const auto factors = factors_of(g, p.count_includes_padding);
  const int64_t row_cost = g.output[2] * g.kernel[0] * g.kernel[1] * g.kernel[2];
  with_row_stride(g.stride[2], [&](auto stride) {
    parallel_rows(g.planes, g.output[0], g.output[1], row_cost, [&](int64_t plane, int64_t oz, int64_t oy, int worker) {
      const int64_t first = ((plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
      const FloatRow<Element> sums(static_cast<Element*>(p.y) + first, g.output[2], worker);
      float* y = sums.values();
      std::fill(y, y + g.output[2], 0.0f);
      const IndexRange z_taps = taps_inside(g, 0, oz);
      const IndexRange y_taps = taps_inside(g, 1, oy);
      for (int64_t tz = z_taps.begin; tz < z_taps.end; ++tz) {
        const int64_t z = oz * g.stride[0] + g.tap_offset(0, tz);
        for (int64_t ty = y_taps.begin; ty < y_taps.end; ++ty) {
          const int64_t row = oy * g.stride[1] + g.tap_offset(1, ty);
          const Element* x =
              static_cast<const Element*>(p.x) + ((plane * g.input[0] + z) * g.input[1] + row) * g.input[2];
          for (int64_t tx = 0; tx < g.kernel[2]; ++tx) {
            const IndexRange inside = outputs_inside(g, 2, tx);
            const int64_t offset = g.tap_offset(2, tx);
            for (int64_t o = inside.begin; o < inside.end; ++o) y[o] += to_float(x[o * stride() + offset]);
          }
        }
      }
      const float row_factor = factors[0][oz] * factors[1][oy];
      for (int64_t o = 0; o < g.output[2]; ++o) y[o] *= row_factor * factors[2][o];
      sums.put();
    });
  });
}

template <typename Element>
void backward_input(const AvgPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  if (tiles_by_pairs(g)) return backward_pairs<Element>(p);
  if (g.planes == 0) return;  // the extents of no planes may be larger than any memory
  const auto factors = factors_of(g, p.count_includes_padding);
  with_row_stride(g.stride[2], [&](auto stride) {
    parallel_rows(g.planes, g.input[0], g.input[1], g.input[2] * g.kernel[2],
                  [&](int64_t plane, int64_t z, int64_t row, int worker) {
                    const int64_t first = ((plane * g.input[0] + z) * g.input[1] + row) * g.input[2];
                    const FloatRow<Element> sums(static_cast<Element*>(p.dx) + first, g.input[2], worker);
                    float* dx = sums.values();
                    std::fill(dx, dx + g.input[2], 0.0f);
                    for (int64_t tz = 0; tz < g.kernel[0]; ++tz) {
                      const int64_t z_steps = z - g.tap_offset(0, tz);
                      const int64_t oz = z_steps / g.stride[0];
                      if (z_steps < 0 || z_steps % g.stride[0] != 0 || oz >= g.output[0]) continue;
                      for (int64_t ty = 0; ty < g.kernel[1]; ++ty) {
                        const int64_t y_steps = row - g.tap_offset(1, ty);
                        const int64_t oy = y_steps / g.stride[1];
                        if (y_steps < 0 || y_steps % g.stride[1] != 0 || oy >= g.output[1]) continue;
                        const Element* dy = static_cast<const Element*>(p.dy) +
                                            ((plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
                        const float row_factor = factors[0][oz] * factors[1][oy];
                        for (int64_t tx = 0; tx < g.kernel[2]; ++tx) {
                          const IndexRange inside = outputs_inside(g, 2, tx);
                          const int64_t offset = g.tap_offset(2, tx);
                          for (int64_t o = inside.begin; o < inside.end; ++o) {
                            dx[o * stride() + offset] += to_float(dy[o]) * (row_factor * factors[2][o]);
                          }
                        }
                      }
                    }
                    sums.put();
                  });
  });
}

}  // namespace

void avg_pool_forward(const AvgPoolForward& p) {
  with_element_type(p.type, [&]<typename Element>() { forward<Element>(p); });
}

void avg_pool_backward_input(const AvgPoolBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
