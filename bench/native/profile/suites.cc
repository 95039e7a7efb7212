#include "suites.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "conv_cases.h"
#include "pixel_cases.h"
#include "text.h"

namespace gmr::profile {
namespace {

using Shape = std::vector<int64_t>;

void append(std::vector<Case>& to, std::vector<Case> cases) {
  std::move(cases.begin(), cases.end(), std::back_inserter(to));
}

std::string shape_text(const Shape& shape) { return joined(shape, "x"); }

// The layers of bench/ops/ring_conv.bench.ts and conv.bench.ts, by the same names at batch 8.
std::vector<Case> layers(int64_t batch) {
  const int64_t fewer = std::max<int64_t>(1, batch / 4);
  std::vector<Case> cases;
  for (const ConvLayer& layer :
       {plane_layer(batch, 64, 64, 56, 9), plane_layer(batch, 64, 64, 32, 9), plane_layer(batch, 128, 128, 28, 9),
        plane_layer(batch, 256, 256, 14, 5), plane_layer(batch, 512, 512, 7, 5), plane_layer(fewer, 64, 64, 56, 31),
        cube_layer(fewer, 16, 16, 16, 9), cube_layer(fewer, 32, 32, 28, 9),
        volume_layer(fewer, 32, 32, {20, 36, 30}, 5), cube_layer(fewer, 1, 32, 48, 5),
        cube_layer(fewer, 16, 32, 48, 3)}) {
    append(cases, ring_conv_cases(layer_name(layer), layer));
  }
  ConvLayer stem = plane_layer(fewer, 3, 64, 224, 7);
  stem.stride = {1, 2, 2};
  ConvLayer depthwise = plane_layer(batch, 64, 64, 56, 9);
  depthwise.groups = 64;
  for (const ConvLayer& layer :
       {plane_layer(batch, 64, 64, 56, 1), plane_layer(batch, 64, 64, 56, 3), plane_layer(batch, 64, 64, 56, 9), stem,
        cube_layer(fewer, 16, 16, 16, 3), depthwise}) {
    append(cases, conv_cases(layer_name(layer), layer));
  }
  return cases;
}

// One train step of GMR-ResNet-18 (kernel sides 9, 9, 5, 5; 1000 classes; images of 112 x 112), as lib/models/resnet.ts
// builds it: each distinct case once, with the number of times that the step runs it.
class ResNet18 {
 public:
  explicit ResNet18(int64_t batch) : n_(batch) {
    constexpr int64_t image = 112, classes = 1000;
    ring_layer(3, 64, image, 5, true);
    batch_norm(64, image, false);
    avg_pool(64, image);
    int64_t channels = 64, side = image / 2;
    constexpr std::array<int64_t, 4> kernels = {9, 9, 5, 5};
    for (size_t stage = 0; stage < kernels.size(); ++stage) {
      const int64_t width = int64_t{64} << stage;
      for (int block = 0; block < 2; ++block) {
        if (channels != width) {  // the first block of a stage halves the extents, also on the way around
          avg_pool(channels, side);
          avg_pool(channels, side);
          side /= 2;
          pointwise(channels, width, side);
          batch_norm(width, side, false, false);
          add_gradients(channels, 2 * side);
        } else {
          add_gradients(channels, side);
        }
        ring_layer(channels, width, side, kernels[stage]);
        batch_norm(width, side, false);
        ring_layer(width, width, side, kernels[stage]);
        batch_norm(width, side, true);
        channels = width;
      }
    }
    add(global_avg_pool_cases(shape_text({n_, channels, side, side}), n_ * channels, side * side));
    ConvLayer fc{.n = n_, .c = channels, .o = classes, .in = {1, 1, 1}, .kernel = {1, 1, 1}, .bias = true};
    add(conv_cases("linear " + std::to_string(channels) + ">" + std::to_string(classes), fc));
    add(reduce_cases("bias of linear", n_, 1, classes, 1), Pass::reduce_backward_input);
    step(channels * classes);
    step(classes);
    add(cross_entropy_cases(shape_text({n_, classes}), n_, classes, 0));
  }

  std::vector<Case> take() { return std::move(cases_); }

 private:
  void add(std::vector<Case> made, Pass except = Pass::count) {
    for (Case& c : made) {
      if (c.pass == except || c.pass == Pass::batch_norm_forward_inference) continue;
      const auto same = [&](const Case& other) { return other.pass == c.pass && other.name == c.name; };
      const auto found = std::find_if(cases_.begin(), cases_.end(), same);
      if (found != cases_.end()) {
        found->uses += 1;
      } else {
        cases_.push_back(std::move(c));
      }
    }
  }

  void ring_layer(int64_t c, int64_t o, int64_t side, int64_t k, bool is_first = false) {
    const ConvLayer layer = plane_layer(n_, c, o, side, k);
    const int64_t rings = k / 2 + 1;
    // Nobody needs the gradient of the images.
    add(ring_conv_cases(layer_name(layer), layer), is_first ? Pass::ring_conv_backward_input : Pass::count);
    const std::string weights = std::to_string(c) + ">" + std::to_string(o) + " R=" + std::to_string(rings);
    add(ring_weight_cases(weights, o * c, rings));
    step(o * c * rings);
    step(rings);
  }

  void pointwise(int64_t c, int64_t o, int64_t side) {
    const ConvLayer layer = plane_layer(n_, c, o, side, 1);
    add(conv_cases(layer_name(layer), layer));
    step(o * c);
  }

  void batch_norm(int64_t c, int64_t side, bool residual, bool relu = true) {
    const std::string name = shape_text({n_, c, side, side}) + (residual ? " + residual" : "") + (relu ? " relu" : "");
    add(batch_norm_cases(name, n_, c, side * side, {.relu = relu, .residual = residual}));
    step(c);
    step(c);
  }

  void avg_pool(int64_t c, int64_t side) {
    const auto geometry = pool_geometry(n_ * c, {1, side, side}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1});
    add(avg_pool_cases("2x2 " + shape_text({n_, c, side, side}), geometry, true));
  }

  // A block's input has two uses: their gradients are added.
  void add_gradients(int64_t c, int64_t side) { add(add_cases(shape_text({n_, c, side, side}), n_ * c * side * side)); }

  void step(int64_t count) { add(sgd_cases("momentum " + std::to_string(count), count, {})); }

  int64_t n_;
  std::vector<Case> cases_;
};

std::vector<Case> resnet18(int64_t batch) { return ResNet18(batch).take(); }

std::vector<Case> all(int64_t batch) {
  std::vector<Case> candidates = layers(batch);
  append(candidates, resnet18(batch));
  for (const ShapedOp& op : shaped_ops()) {
    Shape shape = op.usual;
    if (shape.size() == 4) shape[0] = batch;
    append(candidates, op.cases(shape));
  }
  std::vector<Case> cases;
  std::set<std::pair<Pass, std::string>> seen;
  for (Case& c : candidates) {
    c.uses = 1;
    if (seen.emplace(c.pass, c.name).second) cases.push_back(std::move(c));
  }
  return cases;
}

ConvLayer shaped_layer(const Shape& s) {
  ConvLayer layer = plane_layer(s[0], s[1], s[2], s[3], s[5]);
  layer.in[2] = s[4];
  return layer;
}

PoolGeometry halving(const Shape& s) {
  return pool_geometry(s[0] * s[1], {1, s[2], s[3]}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1});
}

}  // namespace

const std::vector<Suite>& suites() {
  static const std::vector<Suite> list = {
      {"layers", "ring and plain convolutions, the layers of npm run bench", layers},
      {"resnet18", "one train step of GMR-ResNet-18, kernel sides 9, 9, 5, 5, images of 112 x 112", resnet18},
      {"all", "both, and a case of every other op", all},
  };
  return list;
}

const std::vector<ShapedOp>& shaped_ops() {
  static const Shape image = {32, 64, 56, 56};
  static const Shape ones = {1, 1, 1, 1, 1, 1};
  static const Shape two_rows = {1, 1, 2, 2};
  static const std::vector<ShapedOp> list = {
      {"activation", "n,c,h,w", image, ones,
       [](const Shape& s) { return activation_cases("relu " + shape_text(s), s[0] * s[1] * s[2] * s[3], 0); }},
      {"add", "n,c,h,w", image, ones,
       [](const Shape& s) { return add_cases(shape_text(s), s[0] * s[1] * s[2] * s[3]); }},
      {"avg_pool", "n,c,h,w", image, two_rows,
       [](const Shape& s) { return avg_pool_cases("2x2 " + shape_text(s), halving(s), true); }},
      {"batch_norm", "n,c,h,w", image, ones,
       [](const Shape& s) {
         auto cases = batch_norm_cases(shape_text(s) + " relu", s[0], s[1], s[2] * s[3], {.relu = true});
         cases.push_back(batch_norm_scale_case(shape_text(s), s[1], {}));
         return cases;
       }},
      {"cast", "n,c,h,w", image, ones,
       [](const Shape& s) { return cast_cases(shape_text(s), s[0] * s[1] * s[2] * s[3]); }},
      {"conv",
       "n,c,o,h,w,k",
       {8, 64, 64, 56, 56, 3},
       ones,
       [](const Shape& s) { return conv_cases(layer_name(shaped_layer(s)), shaped_layer(s)); }},
      {"cross_entropy",
       "rows,classes",
       {8192, 1000},
       ones,
       [](const Shape& s) { return cross_entropy_cases(shape_text(s), s[0], s[1], 0); }},
      {"global_avg_pool", "n,c,h,w", image, ones,
       [](const Shape& s) { return global_avg_pool_cases(shape_text(s), s[0] * s[1], s[2] * s[3]); }},
      {"max_pool", "n,c,h,w", image, two_rows,
       [](const Shape& s) { return max_pool_cases("2x2 " + shape_text(s), halving(s)); }},
      {"pad", "n,c,h,w", image, two_rows,
       [](const Shape& s) {
         return pad_cases("reflect 1 " + shape_text(s),
                          {s[0] * s[1], {1, s[2], s[3]}, {0, 1, 1}, {0, 1, 1}, PadMode::reflect});
       }},
      {"reduce",
       "outer,reduced,inner",
       {32, 64, 3136},
       ones,
       [](const Shape& s) { return reduce_cases("sum " + shape_text(s), s[0], s[1], s[2], 1); }},
      {"ring_conv",
       "n,c,o,h,w,k",
       {8, 64, 64, 56, 56, 9},
       ones,
       [](const Shape& s) { return ring_conv_cases(layer_name(shaped_layer(s)), shaped_layer(s)); }},
      {"ring_expand",
       "o,c,k",
       {64, 64, 9},
       ones,
       [](const Shape& s) {
         return ring_expand_cases(shape_text(s), s[0] * s[1], s[2] / 2 + 1, {1, s[2], s[2]});
       }},
      {"ring_weight",
       "o,c,k",
       {512, 512, 5},
       ones,
       [](const Shape& s) { return ring_weight_cases(shape_text(s), s[0] * s[1], s[2] / 2 + 1); }},
      {"rotate", "n,c,h,w", image, ones,
       [](const Shape& s) {
         return rotate_cases("30 degrees " + shape_text(s), rotate_geometry(s[0] * s[1], {1, s[2], s[3]}, 30));
       }},
      {"sgd",
       "count",
       {1 << 22},
       ones,
       [](const Shape& s) { return sgd_cases("momentum " + shape_text(s), s[0], {}); }},
  };
  return list;
}

}  // namespace gmr::profile
