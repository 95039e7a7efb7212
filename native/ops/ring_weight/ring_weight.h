// Gaussian mixing of ring weights: v = W P, for rows = O C/G rows of R = rings weights.
//
//   sigma_r = clamp(exp(log_sigma_r), 0.01, 2 R)
//   P[r,l]  = exp(-((l - r) / sigma_r)^2 / 2) / (2.5066 sigma_r)         in double; 2.5066 is the reference's sqrt(2 pi)
//   v[row,l] = sum_r weight[row,r] P[r,l]
//
// Gradients (backward_input computes those of both inputs; either output may be left out):
//   dP[r,l] / dlog_sigma_r = P[r,l] (((l - r) / sigma_r)^2 - 1), as d sigma / d log_sigma = sigma
//   dweight = dv P^T
//   dlog_sigma_r = sum_{row,l} weight[row,r] dv[row,l] dP[r,l] / dlog_sigma_r; exactly 0 where sigma_r is clamped
#pragma once

#include <cstdint>

namespace gmr {

struct RingWeightForward {
  const float* weight;      // [rows, rings]
  const float* log_sigmas;  // [rings]
  float* v;                 // [rows, rings]
  int64_t rows;
  int64_t rings;
};

struct RingWeightBackwardInput {
  const float* weight;
  const float* log_sigmas;
  const float* dv;
  float* dweight;      // or nullptr
  float* dlog_sigmas;  // or nullptr
  int64_t rows;
  int64_t rings;
};

}  // namespace gmr
