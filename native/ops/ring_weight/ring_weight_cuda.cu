#include <algorithm>

#include "cuda/divisor.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/reduction.cuh"
#include "ops/ring_weight/ring_weight_cuda_tuning.h"

namespace gmr::cuda {
namespace {

struct Sigma {
  double value;
  bool is_clamped;
};

__device__ Sigma sigma_of(float log_sigma, int64_t rings) {
  const double free_sigma = exp(static_cast<double>(log_sigma)), most = 2.0 * static_cast<double>(rings);
  if (free_sigma < 0.01) return {0.01, true};
  if (free_sigma > most) return {most, true};
  return {free_sigma, false};  // NaN stays NaN
}

// kernels

// P[r, l] and, where wanted, its derivative by log_sigma_r.
__global__ void ring_weight_mixing_kernel(const float* log_sigmas, int64_t rings, Divisor by_rings, double* mixing,
                                          double* derivative) {
  for (int64_t i = first_item(); i < rings * rings; i += item_step()) {
    const auto [r, l] = by_rings.divide(i);
    const double sigma = sigma_of(log_sigmas[r], rings).value;
    const double z = static_cast<double>(l - r) / sigma;
    const double p = exp(-0.5 * z * z) / (2.5066 * sigma);
    mixing[i] = p;
    if (derivative != nullptr) derivative[i] = p * (z * z - 1);
  }
}

// y[row, j] = sum_i x[row, i] m(i, j), where m is the mixing matrix or its transpose.
__global__ void ring_weight_mix_kernel(const float* x, int64_t rows, int64_t rings, Divisor by_rings,
                                       const double* mixing, int64_t i_step, int64_t j_step, float* y) {
  for (int64_t item = first_item(); item < rows * rings; item += item_step()) {
    const auto [row, j] = by_rings.divide(item);
    double sum = 0;
    for (int64_t i = 0; i < rings; ++i) sum += mixing[i * i_step + j * j_step] * x[row * rings + i];
    y[item] = static_cast<float>(sum);
  }
}

// A block sums one ring's gradient over a piece of rows: partial[piece, r] of sum_{row, l} weight[row, r] dv[row, l]
// derivative[r, l].
__global__ void ring_weight_sigma_sums_kernel(const __grid_constant__ RingWeightBackwardInput p, int64_t pieces,
                                              Divisor by_rings, const double* derivative, double* partial) {
  for (int64_t item = blockIdx.x; item < pieces * p.rings; item += gridDim.x) {
    const auto [piece, r] = by_rings.divide(item);
    const int64_t begin = piece * ring_weight_piece, end = min(begin + ring_weight_piece, p.rows);
    double sum = 0;
    for (int64_t row = begin + threadIdx.x; row < end; row += blockDim.x) {
      double mixed = 0;
      for (int64_t l = 0; l < p.rings; ++l) mixed += derivative[r * p.rings + l] * p.dv[row * p.rings + l];
      sum += mixed * p.weight[row * p.rings + r];
    }
    const double total = block_sums({sum, 0}).first;
    if (threadIdx.x == 0) partial[item] = total;
  }
}

__global__ void ring_weight_sigma_finish_kernel(const float* log_sigmas, int64_t rings, int64_t pieces,
                                                const double* partial, float* dlog_sigmas) {
  for (int64_t r = first_warp_item(); r < rings; r += warp_item_step()) {
    double sum = 0;
    for (int64_t piece = lane_of_thread(); piece < pieces; piece += warp_threads) sum += partial[piece * rings + r];
    sum = warp_sum(sum);
    if (lane_of_thread() != 0) continue;
    dlog_sigmas[r] = sigma_of(log_sigmas[r], rings).is_clamped ? 0 : static_cast<float>(sum);
  }
}

size_t matrix_bytes(int64_t rings) { return static_cast<size_t>(rings * rings) * sizeof(double); }

void make_mixing(BackendDevice& device, const float* log_sigmas, int64_t rings, double* mixing, double* derivative) {
  launch(device, Kernel{"ring_weight_mixing_kernel", ring_weight_mixing_kernel}, thread_each(device, rings * rings),
         log_sigmas, rings, Divisor(rings), mixing, derivative);
}

}  // namespace

// launchers

void ring_weight_forward(BackendDevice& device, const RingWeightForward& p) {
  auto* mixing = static_cast<double*>(device.scratch(matrix_bytes(p.rings)));
  make_mixing(device, p.log_sigmas, p.rings, mixing, nullptr);
  launch(device, Kernel{"ring_weight_mix_kernel", ring_weight_mix_kernel}, thread_each(device, p.rows * p.rings),
         p.weight, p.rows, p.rings, Divisor(p.rings), mixing, p.rings, 1, p.v);
}

void ring_weight_backward_input(BackendDevice& device, const RingWeightBackwardInput& p) {
  const int64_t pieces = (p.rows + ring_weight_piece - 1) / ring_weight_piece;
  const Scratch scratch(
      device, {matrix_bytes(p.rings), matrix_bytes(p.rings), static_cast<size_t>(pieces * p.rings) * sizeof(double)});
  auto* mixing = scratch.array<double>(0);
  auto* derivative = scratch.array<double>(1);
  auto* partial = scratch.array<double>(2);
  make_mixing(device, p.log_sigmas, p.rings, mixing, derivative);
  if (p.dweight != nullptr) {
    launch(device, Kernel{"ring_weight_mix_kernel", ring_weight_mix_kernel}, thread_each(device, p.rows * p.rings),
           p.dv, p.rows, p.rings, Divisor(p.rings), mixing, 1, p.rings, p.dweight);
  }
  if (p.dlog_sigmas != nullptr) {
    launch(device, Kernel{"ring_weight_sigma_sums_kernel", ring_weight_sigma_sums_kernel}, block_each(pieces * p.rings),
           p, pieces, Divisor(p.rings), derivative, partial);
    launch(device, Kernel{"ring_weight_sigma_finish_kernel", ring_weight_sigma_finish_kernel},
           warp_each(device, p.rings), p.log_sigmas, p.rings, pieces, partial, p.dlog_sigmas);
  }
}

}  // namespace gmr::cuda
