// What a thread holds of a float32 product, and what it does to it when the sums are whole.
#pragma once

#include "ops/conv/epilogue.h"

namespace gmr::cuda {

// Where in the planes of its image a strip of pixels begins, and how much of it there is.
struct StripPlace {
  int64_t image, first;
  int rows, columns;
};

template <int outputs, int pixels>
struct FloatResults {
  static constexpr int outputs_a_thread = outputs, pixels_a_thread = pixels;

  float sum[outputs][pixels] = {};

  // What follows when the sums of output o are whole.
  __device__ void finish(int i, const Epilogue& epilogue, int64_t o) {
    const float bias = epilogue.bias_of(o);
#pragma unroll
    for (int j = 0; j < pixels; ++j) sum[i][j] += bias;
    if (!epilogue.normalises()) return;
    const OutputNorm norm = epilogue.norm_of(o);
#pragma unroll
    for (int j = 0; j < pixels; ++j) sum[i][j] = norm(sum[i][j]);
  }
};

}  // namespace gmr::cuda
