#include "backend/floats.h"
#include "cuda/elements.cuh"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// kernels

__global__ void add_forward_kernel(const __grid_constant__ AddForward p, int64_t quads) {
  for_elements(p.count, quads, [&](int64_t i, auto width) {
    auto a = load_pack<width>(floats(p.a) + i);
    const auto b = load_pack<width>(floats(p.b) + i);
#pragma unroll
    for (int k = 0; k < width; ++k) a.v[k] += b.v[k];
    store_pack(floats(p.y) + i, a);
  });
}

}  // namespace

// launchers

void add_forward(BackendDevice& device, const AddForward& p) {
  const int64_t quads = quads_of(p.count, floats(p.a), floats(p.b), floats(p.y));
  launch(device, Kernel{"add_forward_kernel", add_forward_kernel}, elements_shape(device, p.count, quads), p, quads);
}

}  // namespace gmr::cuda
