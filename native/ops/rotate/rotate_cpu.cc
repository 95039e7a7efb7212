#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/divide_up.h"
#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {
namespace {

// Where each output pixel of a plane is sampled: computed once, used for all planes. The pixel `nowhere`, one behind
// the last, is 0; taps that are not to be looked at read it.
struct Sampling {
  int64_t pixels;
  int32_t nowhere;
  std::vector<int32_t> index[4];
  std::vector<float> weight[4];
};

Sampling sampling_of(const RotateGeometry& g) {
  const int64_t rows = g.rows();
  const int64_t columns = g.columns();
  Sampling s{rows * columns, static_cast<int32_t>(rows * columns), {}, {}};
  for (int tap = 0; tap < 4; ++tap) {
    s.index[tap].resize(s.pixels);
    s.weight[tap].resize(s.pixels);
  }
  const double row_centre = static_cast<double>(rows - 1) / 2;
  const double column_centre = static_cast<double>(columns - 1) / 2;
  const auto place = [&](double row, double column, double weight) {
    const bool is_inside = row >= 0 && row < rows && column >= 0 && column < columns;  // false for NaN
    if (!is_inside || weight == 0) return s.nowhere;
    const auto r = static_cast<int64_t>(row);
    const auto c = static_cast<int64_t>(column);
    return static_cast<int32_t>((g.flip_axis == g.row_axis ? rows - 1 - r : r) * columns +
                                (g.flip_axis == g.column_axis ? columns - 1 - c : c));
  };
  parallel_ranges(
      rows, std::max<int64_t>(1, elementwise_grain / std::max<int64_t>(1, columns)), [&](int64_t begin, int64_t end) {
        for (int64_t pixel = begin * columns; pixel < end * columns; ++pixel) {
          const double i = static_cast<double>(pixel / columns) - row_centre;
          const double j = static_cast<double>(pixel % columns) - column_centre;
          const double row = row_centre + (i * g.cosine + j * g.sine);
          const double column = column_centre + (j * g.cosine - i * g.sine);
          const double row0 = std::floor(row);
          const double column0 = std::floor(column);
          for (int tap = 0; tap < 4; ++tap) {
            const int down = tap / 2;
            const int right = tap % 2;
            const double weight =
                (down ? row - row0 : 1 - (row - row0)) * (right ? column - column0 : 1 - (column - column0));
            s.index[tap][pixel] = place(row0 + down, column0 + right, weight);
            s.weight[tap][pixel] = static_cast<float>(weight);
          }
        }
      });
  return s;
}

struct Strides {
  int64_t row;
  int64_t column;
};

// Planes lie in memory as one sees them where the plane's axes are the last two, otherwise with gaps.
template <typename Element>
void load_plane(const Element* x, int64_t rows, int64_t columns, Strides stride, float* plane) {
  for (int64_t r = 0; r < rows; ++r) {
    const Element* row = x + r * stride.row;
    if (stride.column == 1) {
      for (int64_t c = 0; c < columns; ++c) plane[r * columns + c] = to_float(row[c]);
    } else {
      for (int64_t c = 0; c < columns; ++c) plane[r * columns + c] = to_float(row[c * stride.column]);
    }
  }
}

template <typename Element>
void store_plane(const float* plane, int64_t rows, int64_t columns, Strides stride, Element* y) {
  for (int64_t r = 0; r < rows; ++r) {
    Element* row = y + r * stride.row;
    if (stride.column == 1) {
      for (int64_t c = 0; c < columns; ++c) row[c] = to_element<Element>(plane[r * columns + c]);
    } else {
      for (int64_t c = 0; c < columns; ++c) row[c * stride.column] = to_element<Element>(plane[r * columns + c]);
    }
  }
}

// The place of slice `index` of all planes' slices.
int64_t slice_offset(const RotateGeometry& g, int64_t index, bool is_mirrored) {
  const int64_t slices = g.extent[g.slice_axis()];
  const int64_t slice = is_mirrored ? slices - 1 - index % slices : index % slices;
  int64_t stride = 1;
  for (int64_t axis = g.slice_axis() + 1; axis < 3; ++axis) stride *= g.extent[axis];
  return index / slices * (g.extent[0] * g.extent[1] * g.extent[2]) + slice * stride;
}

// Calls f(from, to) for every slice, with copies of one plane; `from` has a pixel of 0 behind it, `to` has room for
// one. A mirror across the slices sits on x's side: on that of the source going forward, of the target going backward.
template <typename Element, typename F>
void map_slices(const RotateGeometry& g, const void* source, bool mirror_source, void* target, bool mirror_target,
                F&& f) {
  const int64_t pixels = g.rows() * g.columns();
  if (pixels == 0) return;
  const int64_t total = g.planes * g.extent[g.slice_axis()];
  const Strides stride{g.row_axis == 0 ? g.extent[1] * g.extent[2] : g.extent[2], g.column_axis == 1 ? g.extent[2] : 1};
  const int64_t grain = std::max<int64_t>(1, elementwise_grain / pixels);
  parallel_for(divide_up(total, grain), [&](int64_t task, int worker) {
    float* from = scratch(worker, 0, static_cast<size_t>(pixels + 1));
    float* to = scratch(worker, 1, static_cast<size_t>(pixels + 1));
    for (int64_t index = task * grain; index < std::min(total, (task + 1) * grain); ++index) {
      load_plane(static_cast<const Element*>(source) + slice_offset(g, index, mirror_source), g.rows(), g.columns(),
                 stride, from);
      from[pixels] = 0;
      f(from, to);
      store_plane(to, g.rows(), g.columns(), stride,
                  static_cast<Element*>(target) + slice_offset(g, index, mirror_target));
    }
  });
}

template <typename Element>
void forward(const RotateForward& p) {
  const RotateGeometry& g = p.geometry;
  if (g.planes == 0) return;
  const Sampling s = sampling_of(g);
  const int32_t* index[4] = {s.index[0].data(), s.index[1].data(), s.index[2].data(), s.index[3].data()};
  const float* weight[4] = {s.weight[0].data(), s.weight[1].data(), s.weight[2].data(), s.weight[3].data()};
  map_slices<Element>(g, p.x, g.flip_axis == g.slice_axis(), p.y, false,
                      [&](const float* __restrict x, float* __restrict y) {
                        if (g.is_exact()) {
                          for (int64_t i = 0; i < s.pixels; ++i) y[i] = x[index[0][i]];
                          return;
                        }
                        for (int64_t i = 0; i < s.pixels; ++i) {
                          y[i] = (weight[0][i] * x[index[0][i]] + weight[1][i] * x[index[1][i]]) +
                                 (weight[2][i] * x[index[2][i]] + weight[3][i] * x[index[3][i]]);
                        }
                      });
}

template <typename Element>
void backward_input(const RotateBackwardInput& p) {
  const RotateGeometry& g = p.geometry;
  if (g.planes == 0) return;
  const Sampling s = sampling_of(g);
  map_slices<Element>(g, p.dy, false, p.dx, g.flip_axis == g.slice_axis(), [&](const float* dy, float* dx) {
    std::fill(dx, dx + s.pixels + 1, 0.0f);
    if (g.is_exact()) {
      for (int64_t i = 0; i < s.pixels; ++i) dx[s.index[0][i]] = dy[i];
      return;
    }
    for (int64_t i = 0; i < s.pixels; ++i) {
      for (int tap = 0; tap < 4; ++tap) dx[s.index[tap][i]] += s.weight[tap][i] * dy[i];
    }
  });
}

}  // namespace

void rotate_forward(const RotateForward& p) {
  with_element_type(p.type, [&]<typename Element>() { forward<Element>(p); });
}

void rotate_backward_input(const RotateBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
