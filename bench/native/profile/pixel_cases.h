// Cases of all ops beside the convolutions. Each function gives all passes of its op.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case.h"
#include "ops/pad/pad.h"
#include "ops/pool_geometry.h"
#include "ops/rotate/rotate.h"

namespace gmr::profile {

struct BatchNormOptions {
  bool relu = false;
  bool residual = false;
  bool affine = true;   // weight and bias
  bool running = true;  // running statistics are kept
};

struct SgdOptions {
  float momentum = 0.9f;
  float dampening = 0;
  float weight_decay = 0;
  bool nesterov = false;
  bool first_step = false;
};

// What of a pass with two types is bfloat16 where that is the arithmetic.
enum class Rounded { both, x, y };

std::vector<Case> activation_cases(const std::string& name, int64_t count, float slope);
std::vector<Case> add_cases(const std::string& name, int64_t count);
// A cast from one type to the same is a copy.
std::vector<Case> cast_cases(const std::string& name, int64_t count, Rounded rounded = Rounded::y);
std::vector<Case> avg_pool_cases(const std::string& name, const PoolGeometry& geometry, bool count_includes_padding);
std::vector<Case> max_pool_cases(const std::string& name, const PoolGeometry& geometry);
std::vector<Case> global_avg_pool_cases(const std::string& name, int64_t planes, int64_t extent);
std::vector<Case> batch_norm_cases(const std::string& name, int64_t n, int64_t c, int64_t pixels,
                                   const BatchNormOptions& options);
Case batch_norm_scale_case(const std::string& name, int64_t c, const BatchNormOptions& options);
std::vector<Case> cross_entropy_cases(const std::string& name, int64_t rows, int64_t classes, float label_smoothing);
std::vector<Case> pad_cases(const std::string& name, const PadGeometry& geometry);
std::vector<Case> reduce_cases(const std::string& name, int64_t outer, int64_t reduced, int64_t inner, int64_t divisor,
                               Rounded rounded = Rounded::both);
std::vector<Case> rotate_cases(const std::string& name, const RotateGeometry& geometry);
std::vector<Case> sgd_cases(const std::string& name, int64_t count, const SgdOptions& options);

// `output` follows from the rest.
PoolGeometry pool_geometry(int64_t planes, const std::array<int64_t, 3>& input, const std::array<int64_t, 3>& kernel,
                           const std::array<int64_t, 3>& stride, const std::array<int64_t, 3>& padding,
                           const std::array<int64_t, 3>& dilation);

// In the plane of height and width; `flip_axis` as in RotateGeometry.
RotateGeometry rotate_geometry(int64_t planes, const std::array<int64_t, 3>& extent, double degrees,
                               int64_t flip_axis = -1);

}  // namespace gmr::profile
