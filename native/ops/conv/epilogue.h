// What a convolution does to a sum before it stores it: y = sum + bias[o], and where a batch normalisation in evaluation
// follows, z = (y - mean[o]) scale[o] + shift[o] and the rectifier, so that activations go through memory once.
// It is the arithmetic of batch_norm on float32: float32 results are those of the two passes one after the other, and
// bfloat16 ones are rounded once, not twice. Functions are constexpr, as in backend/element_type.h.
#pragma once

#include <cstdint>
#include <limits>

namespace gmr {

// The normalisation of one output. NaN goes through the rectifier.
struct OutputNorm {
  float mean, scale, shift, floor;

  constexpr float operator()(float y) const {
    const float z = (y - mean) * scale + shift;
    return z < floor ? floor : z;
  }
};

struct Epilogue {
  const float* bias = nullptr;   // [O] or nullptr
  const float* mean = nullptr;   // [O]; nullptr: no normalisation follows
  const float* scale = nullptr;  // [O], with mean
  const float* shift = nullptr;  // [O] or nullptr
  bool relu = false;             // after the normalisation

  constexpr bool normalises() const { return mean != nullptr; }
  constexpr float bias_of(int64_t o) const { return bias == nullptr ? 0 : bias[o]; }
  constexpr OutputNorm norm_of(int64_t o) const {
    const float floor = relu ? 0 : -std::numeric_limits<float>::infinity();
    return {mean[o], scale[o], shift == nullptr ? 0 : shift[o], floor};
  }
};

}  // namespace gmr
