#include "cuda/elements.cuh"
#include "cuda/kernels.h"
#include "ops/sgd/sgd_cuda_tuning.h"

namespace gmr::cuda {
namespace {

// The number of each tensor's first piece, and that of all pieces behind the last.
struct SgdPieces {
  int32_t first[most_sgd_tensors + 1];
};
static_assert(sizeof(SgdStep) + sizeof(SgdPieces) + sizeof(void*) <= 4096, "a kernel's parameters");

// kernels

template <int width>
__device__ void step(const SgdStep& p, const SgdTensors& t, int64_t i) {
  auto parameter = load_pack<width>(t.parameter + i);
  auto g = load_pack<width>(t.gradient + i);
  if (t.weight_decay != 0) {  // not 0 * parameter: a parameter may be infinite
#pragma unroll
    for (int k = 0; k < width; ++k) g.v[k] += t.weight_decay * parameter.v[k];
  }
  auto direction = g;
  if (t.velocity != nullptr) {
    auto velocity = g;
    if (!t.first_step) {
      velocity = load_pack<width>(t.velocity + i);
      const float fresh = 1 - p.dampening;
#pragma unroll
      for (int k = 0; k < width; ++k) velocity.v[k] = p.momentum * velocity.v[k] + fresh * g.v[k];
    }
    store_pack(t.velocity + i, velocity);
#pragma unroll
    for (int k = 0; k < width; ++k) {
      direction.v[k] = p.nesterov ? g.v[k] + p.momentum * velocity.v[k] : velocity.v[k];
    }
  }
#pragma unroll
  for (int k = 0; k < width; ++k) parameter.v[k] -= p.learning_rate * direction.v[k];
  store_pack(t.parameter + i, parameter);
}

// The tensor that a piece belongs to: the last one whose first piece is not behind it.
__device__ int tensor_of(const SgdPieces& pieces, int64_t tensor_count, int64_t piece) {
  int found = 0;
  for (int end = static_cast<int>(tensor_count); end - found > 1;) {
    const int middle = (found + end) / 2;
    (pieces.first[middle] <= piece ? found : end) = middle;
  }
  return found;
}

__global__ void sgd_step_kernel(const __grid_constant__ SgdStep p, const __grid_constant__ SgdPieces pieces,
                                const OutOfRange* out_of_range) {
  if (out_of_range->argument != CheckedArgument::none) return;
  for (int64_t piece = blockIdx.x; piece < pieces.first[p.tensor_count]; piece += gridDim.x) {
    const int at = tensor_of(pieces, p.tensor_count, piece);
    const SgdTensors& t = p.tensors[at];
    const int64_t begin = (piece - pieces.first[at]) * sgd_piece;
    const int64_t end = min(begin + sgd_piece, t.count);
    const bool is_aligned = (reinterpret_cast<uintptr_t>(t.parameter) | reinterpret_cast<uintptr_t>(t.gradient) |
                             reinterpret_cast<uintptr_t>(t.velocity)) %
                                16 ==
                            0;
    const int64_t quads_end = is_aligned ? begin + (end - begin) / 4 * 4 : begin;
    for (int64_t i = begin + 4 * threadIdx.x; i < quads_end; i += 4 * blockDim.x) step<4>(p, t, i);
    for (int64_t i = quads_end + threadIdx.x; i < end; i += blockDim.x) step<1>(p, t, i);
  }
}

}  // namespace

// launchers

void sgd_step(BackendDevice& device, const SgdStep& p) {
  SgdPieces pieces{};
  for (int64_t i = 0; i < p.tensor_count; ++i) {
    pieces.first[i + 1] = pieces.first[i] + static_cast<int32_t>((p.tensors[i].count + sgd_piece - 1) / sgd_piece);
  }
  launch(device, Kernel{"sgd_step_kernel", sgd_step_kernel}, block_each(pieces.first[p.tensor_count]), p, pieces,
         device.out_of_range());
}

}  // namespace gmr::cuda
