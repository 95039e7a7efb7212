// Cases of the convolutions and of what makes their weights.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "case.h"

namespace gmr::profile {

using Extents = std::array<int64_t, 3>;  // depth, height, width; axes that are not there are 1

struct ConvLayer {
  int64_t n, c, o;
  Extents in, kernel;
  Extents padding = {0, 0, 0};
  Extents stride = {1, 1, 1};
  Extents dilation = {1, 1, 1};
  int64_t groups = 1;
  bool bias = false;
  bool normalised = false;  // the forward pass
  // Ring convolutions alone.
  int64_t rings = 0;  // 0: what the kernel's first side gives
  bool circular = true;
};

// A square plane, a cube or another volume, with padding that keeps its extents.
ConvLayer plane_layer(int64_t n, int64_t c, int64_t o, int64_t side, int64_t k);
ConvLayer cube_layer(int64_t n, int64_t c, int64_t o, int64_t side, int64_t k);
ConvLayer volume_layer(int64_t n, int64_t c, int64_t o, const Extents& extents, int64_t k);

// `8x64>64 56^2 k=9`
std::string layer_name(const ConvLayer& layer);

// All passes of the op.
std::vector<Case> conv_cases(const std::string& name, const ConvLayer& layer);
std::vector<Case> ring_conv_cases(const std::string& name, const ConvLayer& layer);
std::vector<Case> ring_expand_cases(const std::string& name, int64_t rows, int64_t rings, const Extents& kernel,
                                    bool circular = true);
std::vector<Case> ring_weight_cases(const std::string& name, int64_t rows, int64_t rings, float log_sigma = -0.8f);

}  // namespace gmr::profile
