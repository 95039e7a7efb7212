#include "conv_cases.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ops/ring_conv/standard_shells.h"

namespace gmr::profile {
namespace {

int64_t volume(const Extents& e) { return e[0] * e[1] * e[2]; }

ConvGeometry geometry_of(const ConvLayer& layer) {
  ConvGeometry g{.n = layer.n,
                 .c = layer.c,
                 .o = layer.o,
                 .groups = layer.groups,
                 .in = layer.in,
                 .out = {},
                 .kernel = layer.kernel,
                 .stride = layer.stride,
                 .dilation = layer.dilation,
                 .padding = layer.padding};
  for (int axis = 0; axis < 3; ++axis) {
    g.out[axis] = (g.in[axis] + 2 * g.padding[axis] - (g.kernel[axis] - 1) * g.dilation[axis] - 1) / g.stride[axis] + 1;
  }
  return g;
}

// The side of the first axis that is there.
int64_t first_side(const Extents& in, const Extents& kernel) {
  for (int axis = 0; axis < 3; ++axis) {
    if (in[axis] > 1 || kernel[axis] > 1) return kernel[axis];
  }
  return kernel[2];
}

struct Counts {
  int64_t x, y, w;
  double flops;
};

Counts counts_of(const ConvGeometry& g, int64_t weights_a_channel) {
  const int64_t y = g.n * g.o * volume(g.out);
  return {g.n * g.c * volume(g.in), y, g.o * (g.c / g.groups) * weights_a_channel,
          2.0 * static_cast<double>(y) * static_cast<double>(g.c / g.groups * weights_a_channel)};
}

template <typename Builder>
void read_epilogue(Builder& forward, const ConvLayer& layer) {
  Epilogue& epilogue = forward.params.epilogue;
  if (layer.bias) forward.read("bias", epilogue.bias, layer.o);
  if (!layer.normalised) return;
  forward.read("mean", epilogue.mean, layer.o);
  forward.read("scale", epilogue.scale, layer.o);
  forward.read("shift", epilogue.shift, layer.o);
  epilogue.relu = true;
}

// A depthwise layer has sums of its own for each channel, and no matrix.
std::vector<Case> as_products(std::vector<Case> cases, const ConvGeometry& g) {
  for (Case& c : cases) c.is_product = g.c > g.groups || g.o > g.groups;
  return cases;
}

// Row runs grow by two additions each; the ball of each ring's outer edge is a sum of one run for each (dz, dy) that it
// reaches.
double run_additions(const Extents& kernel, int64_t side, int64_t rings) {
  const int64_t depth_reach = kernel[0] / 2, height_reach = kernel[1] / 2;
  double runs = 0;
  for (int64_t ring = 0; ring < rings; ++ring) {
    const double edge =
        static_cast<double>(ring + 1) * (static_cast<double>(side / 2) + 0.5) / static_cast<double>(rings);
    for (int64_t dz = -depth_reach; dz <= depth_reach; ++dz) {
      for (int64_t dy = -height_reach; dy <= height_reach; ++dy) {
        runs += std::hypot(static_cast<double>(dz), static_cast<double>(dy)) < edge ? 1 : 0;
      }
    }
  }
  return runs + 2 * static_cast<double>(kernel[2] / 2);
}

// Folds of rows, sums of taps, shares of atoms, of which several begin alike, and sums of shares.
template <int side>
int shell_additions() {
  using Shells = StandardShells<side>;
  int additions = Shells::half - Shells::atoms();
  for (int b = 0; b <= Shells::half; ++b) {
    for (int a = 0; a <= Shells::half; ++a) {
      if (Shells::atom_of(a * a + b * b) >= 0) additions += b > 0 ? 2 : 1;
    }
  }
  std::set<std::vector<int>> shares;
  for (int l = 0; l < Shells::rings; ++l) {
    additions += 2 * Shells::reach(l);
    for (int dz = 0; dz <= Shells::reach(l); ++dz) {
      std::vector<int> share;
      for (int atom = 0; atom < Shells::atoms(); ++atom) {
        if (Shells::ring_of_atom(atom, dz) != l) continue;
        share.push_back(atom);
        if (share.size() > 1) shares.insert(share);
      }
    }
  }
  return additions + static_cast<int>(shares.size());
}

// Additions a pixel and channel for all ring sums when they are built hierarchically, in whichever way takes fewer. As in
// bench/support/ring_work.ts.
double ring_additions(const Extents& kernel, int64_t side, int64_t rings) {
  double additions = run_additions(kernel, side, rings);
  if (rings != side / 2 + 1) return additions;
  with_shell_side(side, [&](auto of) {
    if (kernel == Extents{of, of, of}) additions = std::min<double>(additions, shell_additions<of>());
  });
  return additions;
}

std::string extents_name(const Extents& e) {
  if (e[0] == 1 && e[1] == 1) return std::to_string(e[2]);
  if (e[0] == 1) {
    return e[1] == e[2] ? std::to_string(e[1]) + "^2" : std::to_string(e[1]) + "x" + std::to_string(e[2]);
  }
  if (e[0] == e[1] && e[1] == e[2]) return std::to_string(e[0]) + "^3";
  return std::to_string(e[0]) + "x" + std::to_string(e[1]) + "x" + std::to_string(e[2]);
}

}  // namespace

ConvLayer plane_layer(int64_t n, int64_t c, int64_t o, int64_t side, int64_t k) {
  return {.n = n, .c = c, .o = o, .in = {1, side, side}, .kernel = {1, k, k}, .padding = {0, k / 2, k / 2}};
}

ConvLayer cube_layer(int64_t n, int64_t c, int64_t o, int64_t side, int64_t k) {
  return volume_layer(n, c, o, {side, side, side}, k);
}

ConvLayer volume_layer(int64_t n, int64_t c, int64_t o, const Extents& extents, int64_t k) {
  return {.n = n, .c = c, .o = o, .in = extents, .kernel = {k, k, k}, .padding = {k / 2, k / 2, k / 2}};
}

std::string layer_name(const ConvLayer& layer) {
  std::string name = std::to_string(layer.n) + "x" + std::to_string(layer.c) + ">" + std::to_string(layer.o) + " " +
                     extents_name(layer.in) + " k=" + std::to_string(first_side(layer.in, layer.kernel));
  if (layer.stride[2] != 1) name += " stride " + std::to_string(layer.stride[2]);
  if (layer.groups != 1) name += " groups " + std::to_string(layer.groups);
  return name;
}

std::vector<Case> conv_cases(const std::string& name, const ConvLayer& layer) {
  const ConvGeometry g = geometry_of(layer);
  const Counts counts = counts_of(g, volume(g.kernel));

  CaseBuilder<ConvForward> forward(Pass::conv_forward, name);
  forward.params.geometry = g;
  forward.read("x", forward.params.x, counts.x);
  forward.read("w", forward.params.w, counts.w);
  read_epilogue(forward, layer);
  forward.write("y", forward.params.y, counts.y);

  CaseBuilder<ConvBackwardInput> input(Pass::conv_backward_input, name);
  input.params.geometry = g;
  input.read("dy", input.params.dy, counts.y);
  input.read("w", input.params.w, counts.w);
  if (layer.bias) input.read("bias", input.params.bias, g.c);
  input.write("dx", input.params.dx, counts.x);

  CaseBuilder<ConvBackwardWeight> weight(Pass::conv_backward_weight, name);
  weight.params.geometry = g;
  weight.read("x", weight.params.x, counts.x);
  weight.read("dy", weight.params.dy, counts.y);
  weight.write("dw", weight.params.dw, counts.w);

  return as_products({forward.finish(counts.flops), input.finish(counts.flops), weight.finish(counts.flops)}, g);
}

std::vector<Case> ring_conv_cases(const std::string& name, const ConvLayer& layer) {
  const ConvGeometry g = geometry_of(layer);
  const int64_t side = first_side(layer.in, layer.kernel);
  const int64_t rings = layer.rings > 0 ? layer.rings : side / 2 + 1;
  const RingKernel kernel{.rings = rings, .first_side = side, .circular = layer.circular};
  const Counts counts = counts_of(g, rings);
  const double additions = ring_additions(g.kernel, side, rings);
  const double of_x = static_cast<double>(g.n * g.c * volume(g.out)) * additions;
  const double of_dy = static_cast<double>(g.n * g.o * volume(g.in)) * additions;

  CaseBuilder<RingConvForward> forward(Pass::ring_conv_forward, name);
  forward.params.geometry = g;
  forward.params.rings = kernel;
  forward.read("x", forward.params.x, counts.x);
  forward.read("v", forward.params.v, counts.w);
  read_epilogue(forward, layer);
  forward.write("y", forward.params.y, counts.y);

  CaseBuilder<RingConvBackwardInput> input(Pass::ring_conv_backward_input, name);
  input.params.geometry = g;
  input.params.rings = kernel;
  input.read("dy", input.params.dy, counts.y);
  input.read("v", input.params.v, counts.w);
  if (layer.bias) input.read("bias", input.params.bias, g.c);
  input.write("dx", input.params.dx, counts.x);

  CaseBuilder<RingConvBackwardWeight> weight(Pass::ring_conv_backward_weight, name);
  weight.params.geometry = g;
  weight.params.rings = kernel;
  weight.read("x", weight.params.x, counts.x);
  weight.read("dy", weight.params.dy, counts.y);
  weight.write("dv", weight.params.dv, counts.w);

  return as_products(
      {forward.finish(counts.flops, of_x), input.finish(counts.flops, of_dy), weight.finish(counts.flops, of_x)}, g);
}

std::vector<Case> ring_expand_cases(const std::string& name, int64_t rows, int64_t rings, const Extents& kernel,
                                    bool circular) {
  const RingExpandGeometry g{.rows = rows,
                             .rings = rings,
                             .kernel = kernel,
                             .first_side = first_side({1, 1, 1}, kernel),
                             .circular = circular};

  CaseBuilder<RingExpandForward> forward(Pass::ring_expand_forward, name);
  forward.params.geometry = g;
  forward.read("v", forward.params.v, rows * rings);
  forward.write("y", forward.params.y, rows * volume(kernel));

  CaseBuilder<RingExpandBackwardInput> input(Pass::ring_expand_backward_input, name);
  input.params.geometry = g;
  input.read("dy", input.params.dy, rows * volume(kernel));
  input.write("dv", input.params.dv, rows * rings);

  return {forward.finish(0), input.finish(static_cast<double>(rows * volume(kernel)))};
}

std::vector<Case> ring_weight_cases(const std::string& name, int64_t rows, int64_t rings, float log_sigma) {
  const Fill sigmas = uniform(log_sigma - 0.3f, log_sigma + 0.3f);
  const double flops = 2.0 * static_cast<double>(rows * rings * rings);

  CaseBuilder<RingWeightForward> forward(Pass::ring_weight_forward, name);
  forward.params.rows = rows;
  forward.params.rings = rings;
  forward.read("weight", forward.params.weight, rows * rings);
  forward.read("log_sigmas", forward.params.log_sigmas, rings, sigmas);
  forward.write("v", forward.params.v, rows * rings);

  CaseBuilder<RingWeightBackwardInput> input(Pass::ring_weight_backward_input, name);
  input.params.rows = rows;
  input.params.rings = rings;
  input.read("weight", input.params.weight, rows * rings);
  input.read("log_sigmas", input.params.log_sigmas, rings, sigmas);
  input.read("dv", input.params.dv, rows * rings);
  input.write("dweight", input.params.dweight, rows * rings);
  input.write("dlog_sigmas", input.params.dlog_sigmas, rings);

  return {forward.finish(flops), input.finish(2 * flops)};
}

}  // namespace gmr::profile
