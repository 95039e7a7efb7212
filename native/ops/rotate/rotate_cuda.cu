// Turns by right angles and mirrors are permutations, and copies: row by row, or by tiles in shared memory where rows
// become columns. All others are sampled.
#include <algorithm>

#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "ops/rotate/rotate_cuda_tuning.h"

namespace gmr::cuda {
namespace {

// What a sampled turn needs to know, with everything that is the same for all threads worked out.
struct Plan {
  int64_t rows, columns;
  int64_t row_stride, column_stride, slice_stride, plane_stride;  // in elements
  int64_t slices;                                                 // a plane's
  int64_t total_slices;                                           // of all planes
  int64_t slice_groups;
  double cosine, sine;
  bool flips_rows, flips_columns, flips_slices;
  Divisor by_columns, by_pixels, by_slices;

  explicit Plan(const RotateGeometry& g)
      : rows(g.rows()),
        columns(g.columns()),
        row_stride(stride_of(g, g.row_axis)),
        column_stride(stride_of(g, g.column_axis)),
        slice_stride(stride_of(g, g.slice_axis())),
        plane_stride(g.extent[0] * g.extent[1] * g.extent[2]),
        slices(g.extent[g.slice_axis()]),
        total_slices(g.planes * slices),
        slice_groups((total_slices + rotate_slices_a_thread - 1) / rotate_slices_a_thread),
        cosine(g.cosine),
        sine(g.sine),
        flips_rows(g.flip_axis == g.row_axis),
        flips_columns(g.flip_axis == g.column_axis),
        flips_slices(g.flip_axis == g.slice_axis()),
        by_columns(columns),
        by_pixels(rows * columns),
        by_slices(slices) {}

  // A thread takes one pixel of a group of slices.
  __host__ __device__ int64_t items() const { return rows * columns * slice_groups; }

 private:
  static int64_t stride_of(const RotateGeometry& g, int64_t axis) {
    int64_t stride = 1;
    for (int64_t inner = axis + 1; inner < 3; ++inner) stride *= g.extent[inner];
    return stride;
  }
};

// A permutation of a plane: which axis of the source an axis of the result runs along, and whether backwards.
struct Permutation {
  std::array<int64_t, 3> extent;  // the same for source and result
  int64_t axis[3] = {0, 1, 2};
  bool is_reversed[3] = {};

  // The forward pass, of a geometry that is_exact.
  explicit Permutation(const RotateGeometry& g) : extent(g.extent) {
    const int64_t i = g.row_axis, j = g.column_axis;
    if (g.sine != 0) std::swap(axis[i], axis[j]);
    is_reversed[i] = g.cosine < 0 || g.sine > 0;
    is_reversed[j] = g.cosine < 0 || g.sine < 0;
    for (int64_t a = 0; a < 3; ++a) is_reversed[a] ^= axis[a] == g.flip_axis;
  }

  Permutation inverse() const {
    Permutation result = *this;
    for (int64_t a = 0; a < 3; ++a) {
      result.axis[axis[a]] = a;
      result.is_reversed[axis[a]] = is_reversed[a];
    }
    return result;
  }
};

// Where the source of an element of the result lies.
struct SourcePlaces {
  int64_t plane, first = 0;
  int64_t step[3];  // along the axes of the result

  explicit SourcePlaces(const Permutation& p) : plane(volume(p.extent)) {
    const std::array<int64_t, 3> strides = {p.extent[1] * p.extent[2], p.extent[2], 1};
    for (int a = 0; a < 3; ++a) {
      step[a] = p.is_reversed[a] ? -strides[p.axis[a]] : strides[p.axis[a]];
      if (p.is_reversed[a]) first += (p.extent[a] - 1) * strides[p.axis[a]];
    }
  }
};

// Planes of which the source's rows run along the result's axis `row_axis`, 0 or 1; the other one counts slices.
struct TurnedPlane {
  int64_t size, rows, columns;
  int64_t x_first, x_slice, x_row, x_column;
  int64_t y_slice, y_row;

  TurnedPlane(const Permutation& p, int row_axis)
      : size(volume(p.extent)), rows(p.extent[row_axis]), columns(p.extent[2]) {
    const SourcePlaces places(p);
    x_first = places.first;
    x_slice = places.step[1 - row_axis];
    x_row = places.step[row_axis];
    x_column = places.step[2];
    const int64_t outer_step = p.extent[1] * p.extent[2];
    y_slice = row_axis == 0 ? p.extent[2] : outer_step;
    y_row = row_axis == 0 ? outer_step : p.extent[2];
  }
};

// Where output pixel (i, j) of the mirrored plane is sampled: four taps at (row, column), (row, column + 1), ...
struct Sample {
  double row, column;  // whole numbers
  float weight[4];
};

__device__ Sample sample_of(const Plan& plan, int64_t i, int64_t j) {
  const double row_centre = static_cast<double>(plan.rows - 1) / 2;
  const double column_centre = static_cast<double>(plan.columns - 1) / 2;
  const double y = static_cast<double>(i) - row_centre, x = static_cast<double>(j) - column_centre;
  const double row = row_centre + (y * plan.cosine + x * plan.sine);
  const double column = column_centre + (x * plan.cosine - y * plan.sine);
  Sample sample{floor(row), floor(column), {}};
  const double down = row - sample.row, right = column - sample.column;
  sample.weight[0] = static_cast<float>((1 - down) * (1 - right));
  sample.weight[1] = static_cast<float>((1 - down) * right);
  sample.weight[2] = static_cast<float>(down * (1 - right));
  sample.weight[3] = static_cast<float>(down * right);
  return sample;
}

__device__ bool is_inside(const Plan& plan, double row, double column) {  // false for NaN
  return row >= 0 && row < static_cast<double>(plan.rows) && column >= 0 && column < static_cast<double>(plan.columns);
}

// The offset of a pixel of the mirrored plane within a slice of x.
__device__ int64_t mirrored_offset(const Plan& plan, int64_t row, int64_t column) {
  return (plan.flips_rows ? plan.rows - 1 - row : row) * plan.row_stride +
         (plan.flips_columns ? plan.columns - 1 - column : column) * plan.column_stride;
}

// The places of slice `index` of all planes' slices in x, which may be mirrored, and in y.
struct SlicePlaces {
  int64_t in_x, in_y;
};

__device__ SlicePlaces places_of(const Plan& plan, int64_t index) {
  const auto [plane, slice] = plan.by_slices.divide(index);
  const int64_t mirrored = plan.flips_slices ? plan.slices - 1 - slice : slice;
  return {plane * plan.plane_stride + mirrored * plan.slice_stride,
          plane * plan.plane_stride + slice * plan.slice_stride};
}

// kernels

// Rows stay rows. A thread has `width` elements of one.
template <typename T, int width>
__global__ void rotate_rows_kernel(const __grid_constant__ SourcePlaces places, const __grid_constant__ GridIndex packs,
                                   int64_t count, const T* x, T* y) {
  const bool is_reversed = places.step[2] < 0;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = packs.position(i);
    const int64_t from = o.plane * places.plane + places.first + o.z * places.step[0] + o.y * places.step[1] +
                         o.x * width * places.step[2];
    const Pack<width> source = load_pack<width>(x + (is_reversed ? from - (width - 1) : from));
    Pack<width> turned;
#pragma unroll
    for (int k = 0; k < width; ++k) turned.v[k] = is_reversed ? source.v[width - 1 - k] : source.v[k];
    store_pack(y + i * width, turned);
  }
}

// Rows become columns: a block has a tile of the result's columns and of those rows that the source's rows run along.
template <typename T>
__global__ void rotate_tiles_kernel(const __grid_constant__ TurnedPlane plane, const __grid_constant__ GridIndex tiles,
                                    int64_t count, const T* x, T* y) {
  __shared__ float tile[rotate_tile][rotate_tile + 1];  // rows and columns meet different banks
  const int lane = static_cast<int>(threadIdx.x) % rotate_tile, first = static_cast<int>(threadIdx.x) / rotate_tile;
  constexpr int step = block_threads / rotate_tile;
  for (int64_t item = blockIdx.x; item < count; item += gridDim.x) {
    const Position o = tiles.position(item);
    const int64_t row0 = o.y * rotate_tile, column0 = o.x * rotate_tile;
    const int rows = static_cast<int>(min(plane.rows - row0, int64_t{rotate_tile}));
    const int columns = static_cast<int>(min(plane.columns - column0, int64_t{rotate_tile}));
    const T* source = x + o.plane * plane.size + plane.x_first + o.z * plane.x_slice + (row0 + lane) * plane.x_row +
                      (column0 + first) * plane.x_column;
    T* result = y + o.plane * plane.size + o.z * plane.y_slice + (row0 + first) * plane.y_row + column0 + lane;
    if (lane < rows) {
#pragma unroll
      for (int i = 0; i < rotate_tile; i += step, source += step * plane.x_column) {
        if (first + i < columns) tile[first + i][lane] = to_float(*source);
      }
    }
    __syncthreads();
    if (lane < columns) {
#pragma unroll
      for (int i = 0; i < rotate_tile; i += step, result += step * plane.y_row) {
        if (first + i < rows) *result = rounded<T>(tile[lane][first + i]);
      }
    }
    __syncthreads();
  }
}

template <typename T>
__global__ void rotate_forward_kernel(const __grid_constant__ Plan plan, const T* x, T* y) {
  for (int64_t item = first_item(); item < plan.items(); item += item_step()) {
    // Pixels change fastest, so that neighbouring threads write neighbouring elements.
    const auto [group, pixel] = plan.by_pixels.divide(item);
    const auto [i, j] = plan.by_columns.divide(pixel);
    const Sample sample = sample_of(plan, i, j);
    int64_t offset[4];
    bool is_read[4];
#pragma unroll
    for (int tap = 0; tap < 4; ++tap) {
      const double row = sample.row + tap / 2, column = sample.column + tap % 2;
      is_read[tap] = is_inside(plan, row, column) && sample.weight[tap] != 0;
      offset[tap] = is_read[tap] ? mirrored_offset(plan, static_cast<int64_t>(row), static_cast<int64_t>(column)) : 0;
    }
    const int64_t first = group * rotate_slices_a_thread;
    const int64_t last = min(first + rotate_slices_a_thread, plan.total_slices);
    for (int64_t index = first; index < last; ++index) {
      const SlicePlaces at = places_of(plan, index);
      float value[4];
#pragma unroll
      for (int tap = 0; tap < 4; ++tap) value[tap] = is_read[tap] ? to_float(x[at.in_x + offset[tap]]) : 0;
      const float turned = (sample.weight[0] * value[0] + sample.weight[1] * value[1]) +
                           (sample.weight[2] * value[2] + sample.weight[3] * value[3]);
      y[at.in_y + i * plan.row_stride + j * plan.column_stride] = rounded<T>(turned);
    }
  }
}

// Each pixel of dx looks at the outputs that may have it as a tap. Their samples lie less than a pixel away on each
// axis, so that they themselves lie less than sqrt(2) from where the pixel is turned to: at most three on each axis,
// found among four.
template <typename T>
__global__ void rotate_backward_input_kernel(const __grid_constant__ Plan plan, const T* dy, T* dx) {
  for (int64_t item = first_item(); item < plan.items(); item += item_step()) {
    const auto [group, pixel] = plan.by_pixels.divide(item);
    const auto [row, column] = plan.by_columns.divide(pixel);  // in the mirrored plane
    const double row_centre = static_cast<double>(plan.rows - 1) / 2;
    const double column_centre = static_cast<double>(plan.columns - 1) / 2;
    const double down = static_cast<double>(row) - row_centre, right = static_cast<double>(column) - column_centre;
    const auto first_i = static_cast<int64_t>(floor(row_centre + (down * plan.cosine - right * plan.sine) - 1.5));
    const auto first_j = static_cast<int64_t>(floor(column_centre + (right * plan.cosine + down * plan.sine) - 1.5));
    const int64_t first = group * rotate_slices_a_thread;
    const int64_t last = min(first + rotate_slices_a_thread, plan.total_slices);
    float sum[rotate_slices_a_thread] = {};
    for (int64_t i = max(first_i, int64_t{0}); i < min(first_i + 4, plan.rows); ++i) {
      for (int64_t j = max(first_j, int64_t{0}); j < min(first_j + 4, plan.columns); ++j) {
        const Sample sample = sample_of(plan, i, j);
        const double down_tap = static_cast<double>(row) - sample.row;
        const double right_tap = static_cast<double>(column) - sample.column;
        if (!(down_tap == 0 || down_tap == 1) || !(right_tap == 0 || right_tap == 1)) continue;
        const float upper = right_tap == 0 ? sample.weight[0] : sample.weight[1];
        const float lower = right_tap == 0 ? sample.weight[2] : sample.weight[3];
        const float weight = down_tap == 0 ? upper : lower;
        if (weight == 0) continue;
#pragma unroll
        for (int k = 0; k < rotate_slices_a_thread; ++k) {
          if (first + k >= last) break;
          const int64_t from = places_of(plan, first + k).in_y + i * plan.row_stride + j * plan.column_stride;
          sum[k] += weight * to_float(dy[from]);
        }
      }
    }
#pragma unroll
    for (int k = 0; k < rotate_slices_a_thread; ++k) {
      if (first + k < last) {
        dx[places_of(plan, first + k).in_x + mirrored_offset(plan, row, column)] = rounded<T>(sum[k]);
      }
    }
  }
}

template <typename T>
void permute(BackendDevice& device, const Permutation& p, int64_t planes, const T* x, T* y) {
  if (p.axis[2] == 2) {
    with_pack_width<T>(
        [&](auto width) {
          const std::array<int64_t, 3> packs = {p.extent[0], p.extent[1], p.extent[2] / width};
          const int64_t count = planes * volume(packs);
          launch(device, Kernel{"rotate_rows_kernel", rotate_rows_kernel<T, width>}, thread_each(device, count),
                 SourcePlaces(p), GridIndex(packs), count, x, y);
        },
        p.extent[2], x, y);
    return;
  }
  const int row_axis = p.axis[0] == 2 ? 0 : 1;
  const auto tiles_of = [&](int64_t extent) { return (extent + rotate_tile - 1) / rotate_tile; };
  const std::array<int64_t, 3> tiles = {p.extent[1 - row_axis], tiles_of(p.extent[row_axis]), tiles_of(p.extent[2])};
  const int64_t count = planes * volume(tiles);
  launch(device, Kernel{"rotate_tiles_kernel", rotate_tiles_kernel<T>}, block_each(count), TurnedPlane(p, row_axis),
         GridIndex(tiles), count, x, y);
}

}  // namespace

// launchers

void rotate_forward(BackendDevice& device, const RotateForward& p) {
  with_element_type(p.type, [&]<typename T>() {
    const auto* x = static_cast<const T*>(p.x);
    auto* y = static_cast<T*>(p.y);
    if (p.geometry.is_exact()) return permute(device, Permutation(p.geometry), p.geometry.planes, x, y);
    const Plan plan(p.geometry);
    launch(device, Kernel{"rotate_forward_kernel", rotate_forward_kernel<T>}, thread_each(device, plan.items()), plan,
           x, y);
  });
}

void rotate_backward_input(BackendDevice& device, const RotateBackwardInput& p) {
  with_element_type(p.type, [&]<typename T>() {
    const auto* dy = static_cast<const T*>(p.dy);
    auto* dx = static_cast<T*>(p.dx);
    if (p.geometry.is_exact()) return permute(device, Permutation(p.geometry).inverse(), p.geometry.planes, dy, dx);
    const Plan plan(p.geometry);
    launch(device, Kernel{"rotate_backward_input_kernel", rotate_backward_input_kernel<T>},
           thread_each(device, plan.items()), plan, dy, dx);
  });
}

}  // namespace gmr::cuda
