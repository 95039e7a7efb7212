#include "pixel_cases.h"

#include <cmath>
#include <numbers>

namespace gmr::profile {
namespace {

int64_t volume(const std::array<int64_t, 3>& e) { return e[0] * e[1] * e[2]; }

// Where the maximum of each window was: a tap of the window that lies inside the input, chosen at random.
Fill window_indices(const PoolGeometry& g) {
  return [g](Random& random, void* data, int64_t) {
    auto* index = static_cast<int32_t*>(data);
    for (int64_t plane = 0; plane < g.planes; ++plane) {
      for (int64_t z = 0; z < g.output[0]; ++z) {
        for (int64_t y = 0; y < g.output[1]; ++y) {
          for (int64_t x = 0; x < g.output[2]; ++x) {
            const std::array<int64_t, 3> at = {z, y, x};
            int64_t flat = 0;
            for (int axis = 0; axis < 3; ++axis) {
              const auto [begin, end] = taps_inside(g, axis, at[axis]);
              if (begin >= end) flat = -1;
              if (flat < 0) break;
              const int64_t tap = begin + random.below(end - begin);
              flat = flat * g.input[axis] + at[axis] * g.stride[axis] + g.tap_offset(axis, tap);
            }
            *index++ = static_cast<int32_t>(flat);
          }
        }
      }
    }
  };
}

// Of a case of one x and one y, of which x is the operand `x`.
Case with_rounded(Case c, Rounded rounded, size_t x) {
  if (rounded == Rounded::both) return c;
  const bool is_x = rounded == Rounded::x;
  c.operands[is_x ? 1 - x : x].is_activation = false;
  c.type_offsets = {c.type_offsets[is_x ? 0 : 1]};
  return c;
}

}  // namespace

PoolGeometry pool_geometry(int64_t planes, const std::array<int64_t, 3>& input, const std::array<int64_t, 3>& kernel,
                           const std::array<int64_t, 3>& stride, const std::array<int64_t, 3>& padding,
                           const std::array<int64_t, 3>& dilation) {
  PoolGeometry g{planes, input, {}, kernel, stride, padding, dilation};
  for (int axis = 0; axis < 3; ++axis) {
    g.output[axis] = (input[axis] + 2 * padding[axis] - (kernel[axis] - 1) * dilation[axis] - 1) / stride[axis] + 1;
  }
  return g;
}

RotateGeometry rotate_geometry(int64_t planes, const std::array<int64_t, 3>& extent, double degrees,
                               int64_t flip_axis) {
  const double radians = degrees * std::numbers::pi / 180;
  RotateGeometry g{planes, extent, 1, 2, flip_axis, std::cos(radians), std::sin(radians)};
  if (std::fmod(degrees, 90) == 0) {  // permutations are exact
    g.cosine = std::round(g.cosine);
    g.sine = std::round(g.sine);
  }
  return g;
}

std::vector<Case> activation_cases(const std::string& name, int64_t count, float slope) {
  CaseBuilder<ActivationForward> forward(Pass::activation_forward, name);
  forward.params.count = count;
  forward.params.slope = slope;
  forward.read("x", forward.params.x, count);
  forward.write("y", forward.params.y, count);

  CaseBuilder<ActivationBackwardInput> input(Pass::activation_backward_input, name);
  input.params.count = count;
  input.params.slope = slope;
  input.read("y", input.params.y, count);
  input.read("dy", input.params.dy, count);
  input.write("dx", input.params.dx, count);

  return {forward.finish(static_cast<double>(count)), input.finish(static_cast<double>(count))};
}

std::vector<Case> add_cases(const std::string& name, int64_t count) {
  CaseBuilder<AddForward> forward(Pass::add_forward, name);
  forward.params.count = count;
  forward.read("a", forward.params.a, count);
  forward.read("b", forward.params.b, count);
  forward.write("y", forward.params.y, count);
  return {forward.finish(static_cast<double>(count))};
}

std::vector<Case> cast_cases(const std::string& name, int64_t count, Rounded rounded) {
  CaseBuilder<CastForward> forward(Pass::cast_forward, name);
  forward.params.count = count;
  forward.read("x", forward.params.x, count);
  forward.write("y", forward.params.y, count);
  return {with_rounded(forward.finish(0), rounded, 0)};
}

std::vector<Case> avg_pool_cases(const std::string& name, const PoolGeometry& g, bool count_includes_padding) {
  const int64_t inputs = g.planes * volume(g.input), outputs = g.planes * volume(g.output);
  const double flops = static_cast<double>(outputs * volume(g.kernel));

  CaseBuilder<AvgPoolForward> forward(Pass::avg_pool_forward, name);
  forward.params.geometry = g;
  forward.params.count_includes_padding = count_includes_padding;
  forward.read("x", forward.params.x, inputs);
  forward.write("y", forward.params.y, outputs);

  CaseBuilder<AvgPoolBackwardInput> input(Pass::avg_pool_backward_input, name);
  input.params.geometry = g;
  input.params.count_includes_padding = count_includes_padding;
  input.read("dy", input.params.dy, outputs);
  input.write("dx", input.params.dx, inputs);

  return {forward.finish(flops), input.finish(flops)};
}

std::vector<Case> max_pool_cases(const std::string& name, const PoolGeometry& g) {
  const int64_t inputs = g.planes * volume(g.input), outputs = g.planes * volume(g.output);

  CaseBuilder<MaxPoolForward> forward(Pass::max_pool_forward, name);
  forward.params.geometry = g;
  forward.read("x", forward.params.x, inputs);
  forward.write("y", forward.params.y, outputs);
  forward.write("indices", forward.params.indices, outputs);

  CaseBuilder<MaxPoolBackwardInput> input(Pass::max_pool_backward_input, name);
  input.params.geometry = g;
  input.read("dy", input.params.dy, outputs);
  input.read("indices", input.params.indices, outputs, window_indices(g));
  input.write("dx", input.params.dx, inputs);

  return {forward.finish(static_cast<double>(outputs * volume(g.kernel))), input.finish(static_cast<double>(outputs))};
}

std::vector<Case> global_avg_pool_cases(const std::string& name, int64_t planes, int64_t extent) {
  CaseBuilder<GlobalAvgPoolForward> forward(Pass::global_avg_pool_forward, name);
  forward.params.planes = planes;
  forward.params.extent = extent;
  forward.read("x", forward.params.x, planes * extent);
  forward.write("y", forward.params.y, planes);

  CaseBuilder<GlobalAvgPoolBackwardInput> input(Pass::global_avg_pool_backward_input, name);
  input.params.planes = planes;
  input.params.extent = extent;
  input.read("dy", input.params.dy, planes);
  input.write("dx", input.params.dx, planes * extent);

  return {forward.finish(static_cast<double>(planes * extent)), input.finish(static_cast<double>(planes))};
}

std::vector<Case> batch_norm_cases(const std::string& name, int64_t n, int64_t c, int64_t pixels,
                                   const BatchNormOptions& options) {
  const BatchNormExtents extents{n, c, pixels};
  const int64_t count = n * c * pixels;
  const auto affine = [&](auto& builder) {
    BatchNormAffine& p = builder.params.affine;
    p.extents = extents;
    p.eps = 1e-5f;
    p.relu = options.relu;
    builder.read("x", p.x, count);
    if (options.affine) {
      builder.read("weight", p.weight, c);
      builder.read("bias", p.bias, c);
    }
    if (options.residual) builder.read("residual", p.residual, count);
    builder.write("y", p.y, count);
    builder.write("mean", p.mean, c);
    builder.write("inverse_std", p.inverse_std, c);
  };

  CaseBuilder<BatchNormForward> forward(Pass::batch_norm_forward, name);
  affine(forward);
  forward.params.momentum = 0.1f;
  if (options.running) {
    forward.update("running_mean", forward.params.running_mean, c);
    forward.update("running_variance", forward.params.running_variance, c, uniform(0.5f, 1.5f));
  }

  CaseBuilder<BatchNormForwardInference> inference(Pass::batch_norm_forward_inference, name);
  affine(inference);
  inference.read("running_mean", inference.params.running_mean, c);
  inference.read("running_variance", inference.params.running_variance, c, uniform(0.5f, 1.5f));

  CaseBuilder<BatchNormBackwardInput> input(Pass::batch_norm_backward_input, name);
  input.params.extents = extents;
  input.params.training = true;
  input.read("x", input.params.x, count);
  if (options.relu) input.read("y", input.params.y, count);
  if (options.affine) input.read("weight", input.params.weight, c);
  input.read("mean", input.params.mean, c, uniform(-0.1f, 0.1f));
  input.read("inverse_std", input.params.inverse_std, c, uniform(1, 2));
  input.read("dy", input.params.dy, count);
  input.write("dx", input.params.dx, count);
  if (options.affine) {
    input.write("dweight", input.params.dweight, c);
    input.write("dbias", input.params.dbias, c);
  }
  if (options.residual) input.write("dresidual", input.params.dresidual, count);

  const auto values = static_cast<double>(count);
  return {forward.finish(5 * values), inference.finish(2 * values), input.finish(7 * values)};
}

Case batch_norm_scale_case(const std::string& name, int64_t c, const BatchNormOptions& options) {
  CaseBuilder<BatchNormScale> scale(Pass::batch_norm_scale, name);
  scale.params.channels = c;
  scale.params.eps = 1e-5f;
  if (options.affine) scale.read("weight", scale.params.weight, c);
  scale.read("running_variance", scale.params.running_variance, c, uniform(0.5f, 1.5f));
  scale.write("scale", scale.params.scale, c);
  return scale.finish(static_cast<double>(c));
}

std::vector<Case> cross_entropy_cases(const std::string& name, int64_t rows, int64_t classes, float label_smoothing) {
  const int64_t count = rows * classes;
  const Fill targets = integers_below(static_cast<int32_t>(classes));

  CaseBuilder<CrossEntropyForward> forward(Pass::cross_entropy_forward, name);
  forward.params.rows = forward.params.divisor = rows;
  forward.params.classes = classes;
  forward.params.label_smoothing = label_smoothing;
  forward.read("logits", forward.params.logits, count, uniform(-3, 3));
  forward.read("targets", forward.params.targets, rows, targets);
  forward.write("loss", forward.params.loss, 1);

  CaseBuilder<CrossEntropyBackwardInput> input(Pass::cross_entropy_backward_input, name);
  input.params.rows = input.params.divisor = rows;
  input.params.classes = classes;
  input.params.label_smoothing = label_smoothing;
  input.read("logits", input.params.logits, count, uniform(-3, 3));
  input.read("targets", input.params.targets, rows, targets);
  input.read("dy", input.params.dy, 1, uniform(1, 1));
  input.write("dlogits", input.params.dlogits, count);

  // Maximum, difference, exponential, sum; the gradient scales and subtracts besides.
  return {forward.finish(4 * static_cast<double>(count)), input.finish(6 * static_cast<double>(count))};
}

std::vector<Case> pad_cases(const std::string& name, const PadGeometry& g) {
  const int64_t inputs = g.planes * volume(g.input);
  const int64_t outputs = g.planes * g.output(0) * g.output(1) * g.output(2);

  CaseBuilder<PadForward> forward(Pass::pad_forward, name);
  forward.params.geometry = g;
  forward.read("x", forward.params.x, inputs);
  forward.write("y", forward.params.y, outputs);

  CaseBuilder<PadBackwardInput> input(Pass::pad_backward_input, name);
  input.params.geometry = g;
  input.read("dy", input.params.dy, outputs);
  input.write("dx", input.params.dx, inputs);

  return {forward.finish(0), input.finish(0)};
}

std::vector<Case> reduce_cases(const std::string& name, int64_t outer, int64_t reduced, int64_t inner, int64_t divisor,
                               Rounded rounded) {
  const int64_t inputs = outer * reduced * inner, outputs = outer * inner;
  const auto extents = [&](auto& params) {
    params.outer = outer;
    params.reduced = reduced;
    params.inner = inner;
    params.divisor = divisor;
  };

  CaseBuilder<ReduceForward> forward(Pass::reduce_forward, name);
  extents(forward.params);
  forward.read("x", forward.params.x, inputs);
  forward.write("y", forward.params.y, outputs);

  CaseBuilder<ReduceBackwardInput> input(Pass::reduce_backward_input, name);
  extents(input.params);
  input.read("dy", input.params.dy, outputs);
  input.write("dx", input.params.dx, inputs);

  return {with_rounded(forward.finish(static_cast<double>(inputs)), rounded, 0),
          with_rounded(input.finish(static_cast<double>(outputs)), rounded, 1)};
}

std::vector<Case> rotate_cases(const std::string& name, const RotateGeometry& g) {
  const int64_t count = g.planes * volume(g.extent);
  // Four neighbours with their weights: 7 operations an element.
  const double flops = g.is_exact() ? 0 : 7 * static_cast<double>(count);

  CaseBuilder<RotateForward> forward(Pass::rotate_forward, name);
  forward.params.geometry = g;
  forward.read("x", forward.params.x, count);
  forward.write("y", forward.params.y, count);

  CaseBuilder<RotateBackwardInput> input(Pass::rotate_backward_input, name);
  input.params.geometry = g;
  input.read("dy", input.params.dy, count);
  input.write("dx", input.params.dx, count);

  return {forward.finish(flops), input.finish(flops)};
}

std::vector<Case> sgd_cases(const std::string& name, int64_t count, const SgdOptions& options) {
  CaseBuilder<SgdStep> step(Pass::sgd_step, name);
  step.params.tensor_count = 1;
  step.params.learning_rate = 0.01f;
  step.params.momentum = options.momentum;
  step.params.dampening = options.dampening;
  step.params.nesterov = options.nesterov;
  SgdTensors& tensors = step.params.tensors[0];
  tensors.count = count;
  tensors.weight_decay = options.weight_decay;
  tensors.first_step = options.first_step;
  step.update("parameter", tensors.parameter, count);
  step.read("gradient", tensors.gradient, count);
  if (options.momentum != 0) step.update("velocity", tensors.velocity, count);
  return {step.finish(4 * static_cast<double>(count))};
}

}  // namespace gmr::profile
