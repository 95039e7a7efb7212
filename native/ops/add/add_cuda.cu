#include "cuda/elements.cuh"
#include "cuda/kernels.h"

namespace gmr::cuda {
namespace {

// kernels

template <typename T>
__global__ void add_forward_kernel(const __grid_constant__ AddForward p, int64_t groups) {
  for_elements<T>(p.count, groups, [&](int64_t i, auto width) {
    auto a = load_pack<width>(static_cast<const T*>(p.a) + i);
    const auto b = load_pack<width>(static_cast<const T*>(p.b) + i);
#pragma unroll
    for (int k = 0; k < width; ++k) a.v[k] += b.v[k];
    store_pack(static_cast<T*>(p.y) + i, a);
  });
}

}  // namespace

// launchers

void add_forward(BackendDevice& device, const AddForward& p) {
  with_element_type(p.type, [&]<typename T>() {
    const int64_t groups = groups_of<T>(p.count, p.a, p.b, p.y);
    launch(device, Kernel{"add_forward_kernel", add_forward_kernel<T>}, elements_shape(device, p.count, groups), p,
           groups);
  });
}

}  // namespace gmr::cuda
