#include "cuda/elements.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// Rows of a thread: what its columns and plane take to work out serves them all.
constexpr int pad_rows_a_thread = 4;

struct Range {
  int64_t begin, end;
};

// The outputs that read input i lie in three ranges: at its own place, in the padding in front, in the padding behind.
// Further from the borders than padding reaches there is the first alone.
__device__ int parts_of(const PadGeometry& g, int axis, int64_t i) {
  const bool is_near_border = min(i, g.input[axis] - 1 - i) <= max(g.low[axis], g.high[axis]);
  return g.mode != PadMode::zeros && g.output(axis) != g.input[axis] && is_near_border ? 3 : 1;
}

__device__ Range readers_of(const PadGeometry& g, int axis, int64_t i, int part) {
  const int64_t low = g.low[axis], extent = g.input[axis], output = g.output(axis);
  if (part == 0) return {low + i, low + i + 1};
  int64_t o;  // the one output of this part that reads i, if it lies there
  switch (g.mode) {
    case PadMode::reflect:
      o = part == 1 ? low - i : low + 2 * (extent - 1) - i;
      break;
    case PadMode::replicate:
      if (part == 1) return {0, i == 0 ? low : 0};
      return {low + extent, i == extent - 1 ? output : low + extent};
    case PadMode::circular:
      o = part == 1 ? low + i - extent : low + i + extent;
      break;
    default:
      return {0, 0};
  }
  const bool is_there = part == 1 ? o >= 0 && o < low : o >= low + extent && o < output;
  return {o, is_there ? o + 1 : o};
}

// Packs of rows of x and y, and of the padding before them, begin at multiples of these.
int64_t row_unit(const PadGeometry& g) { return g.input[2] | g.output(2) | g.low[2]; }

// kernels

// A thread has `width` columns of some rows.
template <typename T, int width>
__global__ void pad_forward_kernel(const __grid_constant__ PadForward p, const __grid_constant__ GridIndex threads,
                                   int64_t count) {
  const PadGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = threads.position(i);
    const int64_t z = g.source(0, o.z), x = o.x * width - g.low[2];
    const T* slice = static_cast<const T*>(p.x) + (o.plane * g.input[0] + z) * g.input[1] * g.input[2];
    T* column = static_cast<T*>(p.y) + (o.plane * g.output(0) + o.z) * g.output(1) * g.output(2) + o.x * width;
    int64_t from[width];
#pragma unroll
    for (int k = 0; k < width; ++k) from[k] = g.source(2, o.x * width + k);
    const bool is_inside = x >= 0 && x < g.input[2];
#pragma unroll
    for (int j = 0; j < pad_rows_a_thread; ++j) {
      const int64_t row = o.y * pad_rows_a_thread + j, y = g.source(1, row);
      if (row >= g.output(1)) break;
      Pack<width> pack{};
      if (z >= 0 && y >= 0) {
        if (is_inside) {
          pack = load_pack<width>(slice + y * g.input[2] + x);
        } else {
#pragma unroll
          for (int k = 0; k < width; ++k) pack.v[k] = from[k] >= 0 ? to_float(slice[y * g.input[2] + from[k]]) : 0;
        }
      }
      store_pack(column + row * g.output(2), pack);
    }
  }
}

template <typename T, int width>
__global__ void pad_backward_input_kernel(const __grid_constant__ PadBackwardInput p,
                                          const __grid_constant__ GridIndex packs, int64_t count) {
  const PadGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = packs.position(i);
    Pack<width> sum{};
    for (int z_part = 0; z_part < parts_of(g, 0, at.z); ++z_part) {
      const Range z = readers_of(g, 0, at.z, z_part);
      for (int64_t oz = z.begin; oz < z.end; ++oz) {
        for (int y_part = 0; y_part < parts_of(g, 1, at.y); ++y_part) {
          const Range y = readers_of(g, 1, at.y, y_part);
          for (int64_t oy = y.begin; oy < y.end; ++oy) {
            const T* row =
                static_cast<const T*>(p.dy) + ((at.plane * g.output(0) + oz) * g.output(1) + oy) * g.output(2);
            const auto inside = load_pack<width>(row + g.low[2] + at.x * width);
#pragma unroll
            for (int k = 0; k < width; ++k) {
              sum.v[k] += inside.v[k];
              for (int x_part = 1; x_part < parts_of(g, 2, at.x * width + k); ++x_part) {
                const Range x = readers_of(g, 2, at.x * width + k, x_part);
                for (int64_t ox = x.begin; ox < x.end; ++ox) sum.v[k] += to_float(row[ox]);
              }
            }
          }
        }
      }
    }
    store_pack(static_cast<T*>(p.dx) + i * width, sum);
  }
}

}  // namespace

// launchers

void pad_forward(BackendDevice& device, const PadForward& p) {
  const PadGeometry& g = p.geometry;
  with_element_type(p.type, [&]<typename T>() {
    const auto launch_width = [&](auto width) {
      const int64_t row_groups = (g.output(1) + pad_rows_a_thread - 1) / pad_rows_a_thread;
      launch_positions(device, Kernel{"pad_forward_kernel", pad_forward_kernel<T, width>}, g.planes,
                       {g.output(0), row_groups, g.output(2) / width}, p);
    };
    with_pack_width<T>(launch_width, row_unit(g), p.x, p.y);
  });
}

void pad_backward_input(BackendDevice& device, const PadBackwardInput& p) {
  const PadGeometry& g = p.geometry;
  with_element_type(p.type, [&]<typename T>() {
    const auto launch_width = [&](auto width) {
      launch_positions(device, Kernel{"pad_backward_input_kernel", pad_backward_input_kernel<T, width>}, g.planes,
                       {g.input[0], g.input[1], g.input[2] / width}, p);
    };
    with_pack_width<T>(launch_width, row_unit(g), p.dy, p.dx);
  });
}

}  // namespace gmr::cuda
