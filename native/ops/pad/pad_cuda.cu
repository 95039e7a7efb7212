#include "cuda/bfloat16.cuh"
#include "cuda/grid_index.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace gmr::cuda {
namespace {

struct Range {
  int64_t begin, end;
};

// The outputs that read input i lie in three ranges: in the padding in front, at its own place, in the padding behind.
__device__ Range readers_of(const PadGeometry& g, int axis, int64_t i, int part) {
  const int64_t low = g.low[axis], extent = g.input[axis], output = g.output(axis);
  if (part == 1) return {low + i, low + i + 1};
  int64_t o;  // the one output of this part that reads i, if it lies there
  switch (g.mode) {
    case PadMode::reflect:
      o = part == 0 ? low - i : low + 2 * (extent - 1) - i;
      break;
    case PadMode::replicate:
      if (part == 0) return {0, i == 0 ? low : 0};
      return {low + extent, i == extent - 1 ? output : low + extent};
    case PadMode::circular:
      o = part == 0 ? low + i - extent : low + i + extent;
      break;
    default:
      return {0, 0};
  }
  const bool is_there = part == 0 ? o >= 0 && o < low : o >= low + extent && o < output;
  return {o, is_there ? o + 1 : o};
}

// kernels

template <typename T>
__global__ void pad_forward_kernel(const __grid_constant__ PadForward p, const __grid_constant__ GridIndex outputs,
                                   int64_t count) {
  const PadGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position o = outputs.position(i);
    const int64_t z = g.source(0, o.z), y = g.source(1, o.y), x = g.source(2, o.x);
    const bool is_zero = z < 0 || y < 0 || x < 0;
    const int64_t from = ((o.plane * g.input[0] + z) * g.input[1] + y) * g.input[2] + x;
    static_cast<T*>(p.y)[i] = is_zero ? T{} : static_cast<const T*>(p.x)[from];
  }
}

template <typename T>
__global__ void pad_backward_input_kernel(const __grid_constant__ PadBackwardInput p,
                                          const __grid_constant__ GridIndex inputs, int64_t count) {
  const PadGeometry& g = p.geometry;
  for (int64_t i = first_item(); i < count; i += item_step()) {
    const Position at = inputs.position(i);
    float sum = 0;
    for (int z_part = 0; z_part < 3; ++z_part) {
      const Range z = readers_of(g, 0, at.z, z_part);
      for (int64_t oz = z.begin; oz < z.end; ++oz) {
        for (int y_part = 0; y_part < 3; ++y_part) {
          const Range y = readers_of(g, 1, at.y, y_part);
          for (int64_t oy = y.begin; oy < y.end; ++oy) {
            const T* row =
                static_cast<const T*>(p.dy) + ((at.plane * g.output(0) + oz) * g.output(1) + oy) * g.output(2);
            for (int x_part = 0; x_part < 3; ++x_part) {
              const Range x = readers_of(g, 2, at.x, x_part);
              for (int64_t ox = x.begin; ox < x.end; ++ox) sum += to_float(row[ox]);
            }
          }
        }
      }
    }
    static_cast<T*>(p.dx)[i] = rounded<T>(sum);
  }
}

}  // namespace

// launchers

void pad_forward(BackendDevice& device, const PadForward& p) {
  const PadGeometry& g = p.geometry;
  const std::array<int64_t, 3> output = {g.output(0), g.output(1), g.output(2)};
  const int64_t count = g.planes * volume(output);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"pad_forward_kernel", pad_forward_kernel<T>}, thread_each(device, count), p,
           GridIndex(output), count);
  });
}

void pad_backward_input(BackendDevice& device, const PadBackwardInput& p) {
  const PadGeometry& g = p.geometry;
  const int64_t count = g.planes * volume(g.input);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"pad_backward_input_kernel", pad_backward_input_kernel<T>}, thread_each(device, count), p,
           GridIndex(g.input), count);
  });
}

}  // namespace gmr::cuda
