// The small cases that --check runs on two backends. They follow the op suites of test/support/reference: what decides
// which path a kernel takes (tiles and one more, chunks of channels, strides, dilations, groups, rings that are empty)
// occurs at least once, and each kernel is launched.
#include <algorithm>
#include <iterator>

#include "conv_cases.h"
#include "pixel_cases.h"
#include "suites.h"

namespace gmr::profile {
namespace {

class Table {
 public:
  void add(std::vector<Case> made) { std::move(made.begin(), made.end(), std::back_inserter(cases_)); }
  std::vector<Case> take() { return std::move(cases_); }

 private:
  std::vector<Case> cases_;
};

struct NamedLayer {
  const char* name;
  ConvLayer layer;
};

// Of rows of another width than the plane's height, with padding that keeps both.
ConvLayer rows_layer(int64_t n, int64_t c, int64_t o, int64_t rows, int64_t width, int64_t k) {
  ConvLayer layer = plane_layer(n, c, o, rows, k);
  layer.in[2] = width;
  return layer;
}

const std::vector<NamedLayer>& ring_layers() {
  static const std::vector<NamedLayer> list = {
      {"one element", {.n = 1, .c = 1, .o = 1, .in = {1, 1, 1}, .kernel = {1, 1, 1}, .bias = true}},
      {"k=1", plane_layer(2, 3, 3, 4, 1)},
      {"k=3", plane_layer(2, 3, 9, 7, 3)},
      {"k=5", plane_layer(2, 2, 5, 7, 5)},
      {"k=9", plane_layer(1, 2, 3, 19, 9)},
      {"k=13", plane_layer(1, 1, 2, 17, 13)},
      {"k=31", plane_layer(1, 1, 1, 11, 31)},
      {"1-D k=7", {.n = 2, .c = 3, .o = 4, .in = {1, 1, 37}, .kernel = {1, 1, 7}, .padding = {0, 0, 3}}},
      {"3-D k=3", cube_layer(1, 2, 3, 5, 3)},
      {"3-D k=9", cube_layer(1, 1, 2, 5, 9)},
      {"valid, bias, normalised",
       {.n = 2, .c = 2, .o = 3, .in = {1, 11, 12}, .kernel = {1, 7, 7}, .bias = true, .normalised = true}},
      {"stride 2 and 3",
       {.n = 2, .c = 2, .o = 3, .in = {1, 13, 16}, .kernel = {1, 9, 9}, .padding = {0, 4, 4}, .stride = {1, 2, 3}}},
      {"dilation",
       {.n = 1, .c = 2, .o = 3, .in = {1, 14, 13}, .kernel = {1, 5, 5}, .padding = {0, 4, 6}, .dilation = {1, 2, 3}}},
      {"dilation beyond a window",
       {.n = 1,
        .c = 2,
        .o = 3,
        .in = {1, 6, 7},
        .kernel = {1, 5, 5},
        .padding = {0, 100, 100},
        .dilation = {1, 50, 50}}},
      {"groups",
       {.n = 2, .c = 6, .o = 4, .in = {1, 7, 7}, .kernel = {1, 5, 5}, .padding = {0, 2, 2}, .groups = 2, .bias = true}},
      {"depthwise", {.n = 1, .c = 5, .o = 5, .in = {1, 8, 8}, .kernel = {1, 7, 7}, .padding = {0, 3, 3}, .groups = 5}},
      {"kernel 5x7", {.n = 1, .c = 2, .o = 2, .in = {1, 9, 8}, .kernel = {1, 5, 7}, .padding = {0, 2, 3}}},
      {"one ring", {.n = 1, .c = 2, .o = 2, .in = {1, 7, 7}, .kernel = {1, 5, 5}, .padding = {0, 2, 2}, .rings = 1}},
      {"more rings than a chunk",
       {.n = 1, .c = 2, .o = 3, .in = {1, 7, 6}, .kernel = {1, 5, 5}, .padding = {0, 2, 2}, .rings = 33}},
      {"square rings",
       {.n = 1,
        .c = 2,
        .o = 2,
        .in = {1, 8, 8},
        .kernel = {1, 5, 5},
        .padding = {0, 2, 2},
        .rings = 4,
        .circular = false}},
      {"more outputs than a tile, bias, normalised",
       {.n = 1,
        .c = 2,
        .o = 67,
        .in = {1, 7, 7},
        .kernel = {1, 5, 5},
        .padding = {0, 2, 2},
        .bias = true,
        .normalised = true}},
      {"several chunks of channels", plane_layer(1, 67, 2, 5, 5)},
      {"several tiles, wide rows",
       {.n = 1, .c = 1, .o = 2, .in = {1, 10, 131}, .kernel = {1, 5, 5}, .padding = {0, 2, 2}}},
      {"several tiles of images", plane_layer(29, 2, 2, 7, 5)},
      {"channels, outputs and pixels beyond a tile", plane_layer(2, 33, 70, 9, 9)},
      {"channels and outputs beyond a tile, k=7", plane_layer(1, 17, 67, 7, 7)},
      {"dilation beyond a window, channels and outputs beyond a tile",
       {.n = 1,
        .c = 17,
        .o = 67,
        .in = {1, 6, 7},
        .kernel = {1, 5, 5},
        .padding = {0, 100, 100},
        .dilation = {1, 50, 50}}},
      {"k=5, strips of 8 rows", rows_layer(3, 17, 34, 8, 9, 5)},
      {"k=5, strips of 7 rows, outputs beyond a tile", rows_layer(3, 17, 65, 7, 9, 5)},
      {"k=9, strips of 8 rows", rows_layer(3, 17, 34, 8, 9, 9)},
      {"k=9, strips of 7 rows, outputs beyond a tile", rows_layer(3, 17, 65, 7, 9, 9)},
      {"k=9, rows of 56", rows_layer(1, 9, 18, 7, 56, 9)},
      {"k=9, rows of 28", rows_layer(1, 9, 18, 14, 28, 9)},
      {"k=5, rows of 14", rows_layer(1, 9, 65, 14, 14, 5)},
      {"k=5, planes of 7 x 7", plane_layer(3, 24, 40, 7, 5)},
      {"3-D k=3, 7 slices, words", volume_layer(1, 34, 9, {5, 5, 6}, 3)},
      {"3-D k=3, 8 slices", volume_layer(1, 9, 34, {8, 3, 7}, 3)},
      {"3-D k=5, 7 slices, words", volume_layer(1, 33, 30, {7, 5, 6}, 5)},
      {"3-D k=5, 8 slices", volume_layer(1, 9, 34, {8, 5, 8}, 5)},
      {"3-D k=9, 7 slices, words", volume_layer(1, 34, 40, {5, 6, 10}, 9)},
      {"3-D k=9, 8 slices", volume_layer(1, 9, 34, {8, 5, 12}, 9)},
      {"3-D k=9, a sweep in pieces", volume_layer(1, 9, 34, {40, 2, 3}, 9)},
      {"3-D k=3, channels and outputs beyond a tile", volume_layer(1, 67, 70, {3, 5, 5}, 3)},
      {"3-D k=5, channels and outputs beyond a tile", volume_layer(1, 67, 70, {3, 5, 5}, 5)},
      {"3-D k=9, channels and outputs beyond a tile", volume_layer(1, 67, 70, {3, 5, 5}, 9)},
  };
  return list;
}

// Forward passes whose kernels take 96 blocks and more, too many to run in each arithmetic.
struct LargeLayer {
  const char* name;
  ConvLayer layer;
  std::vector<Arithmetic> arithmetics;
};

const std::vector<LargeLayer>& large_ring_layers() {
  static const std::vector<LargeLayer> list = {
      {"many strips of 7 rows, k=5", rows_layer(191, 8, 65, 7, 8, 5), {Arithmetic::float32, Arithmetic::bf16}},
      {"many strips of 8 rows, k=5", rows_layer(191, 5, 65, 8, 8, 5), {Arithmetic::float32}},
      {"many strips of 7 rows, k=9", rows_layer(191, 8, 65, 7, 8, 9), {Arithmetic::float32, Arithmetic::bf16}},
      {"many strips of 8 rows, k=9", rows_layer(191, 5, 65, 8, 8, 9), {Arithmetic::float32}},
      {"many rows of 56, k=9", rows_layer(48, 8, 17, 8, 56, 9), {Arithmetic::bf16}},
      {"many rows of 28, k=9", rows_layer(48, 8, 65, 8, 28, 9), {Arithmetic::bf16}},
      {"many rows of 14, k=5", rows_layer(48, 8, 65, 8, 14, 5), {Arithmetic::bf16}},
      {"many planes of 7 x 7, k=5", plane_layer(95, 128, 72, 7, 5), {Arithmetic::bf16}},
  };
  return list;
}

const std::vector<NamedLayer>& plain_layers() {
  static const std::vector<NamedLayer> list = {
      {"1x1, bias, normalised",
       {.n = 2, .c = 3, .o = 4, .in = {1, 5, 7}, .kernel = {1, 1, 1}, .bias = true, .normalised = true}},
      {"1x1, channels and outputs beyond a tile", plane_layer(2, 19, 67, 5, 1)},
      {"linear", {.n = 19, .c = 7, .o = 5, .in = {1, 1, 1}, .kernel = {1, 1, 1}, .bias = true}},
      {"1-D k=5", {.n = 2, .c = 3, .o = 7, .in = {1, 1, 29}, .kernel = {1, 1, 5}, .padding = {0, 0, 2}}},
      {"3x3", plane_layer(2, 19, 67, 9, 3)},
      {"121 taps of 8 channels",
       {.n = 1, .c = 8, .o = 16, .in = {1, 12, 13}, .kernel = {1, 11, 11}, .padding = {0, 5, 5}}},
      {"even kernel", {.n = 1, .c = 2, .o = 3, .in = {1, 7, 6}, .kernel = {1, 2, 4}, .padding = {0, 1, 2}}},
      {"stride and dilation",
       {.n = 2,
        .c = 3,
        .o = 4,
        .in = {1, 15, 13},
        .kernel = {1, 3, 3},
        .padding = {0, 3, 3},
        .stride = {1, 2, 3},
        .dilation = {1, 3, 2}}},
      {"padding beyond the kernel",
       {.n = 1, .c = 2, .o = 3, .in = {1, 3, 4}, .kernel = {1, 3, 1}, .padding = {0, 3, 2}}},
      {"k=31", plane_layer(1, 2, 2, 13, 31)},
      {"groups",
       {.n = 2, .c = 6, .o = 9, .in = {1, 5, 5}, .kernel = {1, 3, 3}, .padding = {0, 1, 1}, .groups = 3, .bias = true}},
      {"depthwise", {.n = 1, .c = 5, .o = 5, .in = {1, 9, 9}, .kernel = {1, 7, 7}, .padding = {0, 3, 3}, .groups = 5}},
      {"depthwise, normalised, more rows than a thread",
       {.n = 2, .c = 3, .o = 3, .in = {1, 10, 35}, .kernel = {1, 4, 2}, .groups = 3, .bias = true, .normalised = true}},
      {"depthwise, bands of rows",
       {.n = 1, .c = 2, .o = 4, .in = {1, 100, 80}, .kernel = {1, 3, 6}, .padding = {0, 1, 3}, .groups = 2}},
      {"depthwise, several planes, normalised",
       {.n = 9,
        .c = 115,
        .o = 115,
        .in = {1, 4, 16},
        .kernel = {1, 9, 9},
        .padding = {0, 4, 4},
        .groups = 115,
        .bias = true,
        .normalised = true}},
      {"depthwise, stride and dilation",
       {.n = 1,
        .c = 3,
        .o = 3,
        .in = {1, 14, 13},
        .kernel = {1, 3, 3},
        .stride = {1, 2, 2},
        .dilation = {1, 2, 2},
        .groups = 3}},
      {"depthwise, dilation beyond a window",
       {.n = 1,
        .c = 2,
        .o = 2,
        .in = {1, 6, 7},
        .kernel = {1, 3, 3},
        .padding = {0, 99, 99},
        .dilation = {1, 99, 99},
        .groups = 2}},
      {"3-D",
       {.n = 2, .c = 2, .o = 3, .in = {4, 5, 6}, .kernel = {3, 1, 3}, .padding = {1, 0, 2}, .stride = {1, 2, 1}}},
      {"several chunks of channels", plane_layer(1, 41, 3, 6, 3)},
      {"1x1, planes of 64", plane_layer(5, 35, 70, 8, 1)},
      {"1x1, planes of 49", plane_layer(3, 21, 33, 7, 1)},
      {"1x1, stride 2", {.n = 2, .c = 9, .o = 70, .in = {1, 5, 7}, .kernel = {1, 1, 1}, .stride = {1, 2, 2}}},
      {"several tiles of images", plane_layer(23, 2, 2, 9, 3)},
      {"many tiles of images, an odd number of weights", plane_layer(200, 5, 5, 3, 3)},
  };
  return list;
}

const std::vector<LargeLayer>& large_plain_layers() {
  const auto layer = [](int64_t images, int64_t outputs) {
    return ConvLayer{.n = images, .c = 8, .o = outputs, .in = {1, 1, 112}, .kernel = {1, 1, 3}, .padding = {0, 0, 1}};
  };
  const auto pointwise = [](int64_t images, int64_t outputs) {
    return ConvLayer{.n = images, .c = 8, .o = outputs, .in = {1, 8, 16}, .kernel = {1, 1, 1}};
  };
  static const std::vector<LargeLayer> list = {
      {"many tiles of 112 pixels", layer(96, 65), {Arithmetic::float32, Arithmetic::bf16}},
      {"many tiles of 224 pixels", layer(191, 17), {Arithmetic::float32, Arithmetic::bf16}},
      {"1x1, many tiles of 64 outputs", pointwise(67, 64), {Arithmetic::float32}},
      {"1x1, many tiles of 128 outputs", pointwise(132, 128), {Arithmetic::float32}},
      {"1x1, tiles of 128 outputs", pointwise(67, 128), {Arithmetic::bf16}},
  };
  return list;
}

void add_pools(Table& table) {
  struct Window {
    const char* name;
    PoolGeometry geometry;
  };
  const Window windows[] = {
      {"2x2", pool_geometry(3, {1, 6, 10}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1})},
      {"3x3 stride 2, padded", pool_geometry(5, {1, 9, 11}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1})},
      {"dilated, leftovers", pool_geometry(2, {1, 11, 13}, {1, 3, 2}, {1, 3, 2}, {0, 1, 0}, {1, 2, 3})},
      {"2x2x2", pool_geometry(3, {4, 6, 6}, {2, 2, 2}, {2, 2, 2}, {0, 0, 0}, {1, 1, 1})},
      {"2x2, odd rows", pool_geometry(2, {1, 5, 7}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1})},
      {"2x2, rows of 12", pool_geometry(2, {1, 4, 12}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1})},
      {"2x2, rows of 16", pool_geometry(2, {1, 4, 16}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1})},
      {"several tasks", pool_geometry(67, {1, 18, 26}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1})},
  };
  for (const auto& [name, geometry] : windows) {
    table.add(avg_pool_cases(name, geometry, true));
    table.add(max_pool_cases(name, geometry));
  }
  table.add(avg_pool_cases("padded, divided by what is inside", windows[1].geometry, false));
  table.add(global_avg_pool_cases("one element", 1, 1));
  table.add(global_avg_pool_cases("odd", 15, 35));
  table.add(global_avg_pool_cases("long planes", 3, 8195));
}

void add_elementwise(Table& table) {
  for (const int64_t count : {1, 105, 16385}) {
    const std::string name = std::to_string(count);
    table.add(activation_cases("relu " + name, count, 0));
    table.add(activation_cases("leaky " + name, count, 0.25f));
    table.add(add_cases(name, count));
    table.add(cast_cases(name, count));
    table.add(cast_cases("back " + name, count, Rounded::x));
    table.add(sgd_cases("plain " + name, count, {.momentum = 0, .weight_decay = 0.01f}));
    table.add(sgd_cases("momentum " + name, count, {}));
  }
  table.add(sgd_cases("first step, dampening", 17, {.dampening = 0.5f, .first_step = true}));
  table.add(sgd_cases("nesterov, decay", 13, {.weight_decay = 0.1f, .nesterov = true}));
  for (const auto mode : {PadMode::zeros, PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    const std::string number = std::to_string(static_cast<int>(mode));
    table.add(pad_cases("2-D, mode " + number, {6, {1, 5, 7}, {0, 2, 1}, {0, 3, 4}, mode}));
    table.add(pad_cases("3-D, mode " + number, {2, {3, 4, 5}, {1, 2, 0}, {2, 0, 3}, mode}));
    table.add(pad_cases("small planes, mode " + number, {2110, {1, 2, 3}, {0, 1, 1}, {0, 0, 2}, mode}));
    table.add(pad_cases("bands, mode " + number, {1, {2, 70, 65}, {1, 61, 0}, {1, 3, 1}, mode}));
    table.add(pad_cases("long rows, mode " + number, {1, {1, 3, 4093}, {0, 1, 2}, {0, 2, 3}, mode}));
  }
}

void add_sums(Table& table) {
  table.add(batch_norm_cases("odd", 3, 5, 77, {}));
  table.add({batch_norm_scale_case("odd", 77, {}), batch_norm_scale_case("no affine", 5, {.affine = false})});
  table.add(batch_norm_cases("no affine, no running", 7, 5, 1, {.affine = false, .running = false}));
  table.add(batch_norm_cases("relu, residual", 3, 5, 77, {.relu = true, .residual = true}));
  table.add(batch_norm_cases("channels and one more", 5, 65, 1, {.relu = true}));
  table.add(batch_norm_cases("several pieces", 2, 2, 8193, {.relu = true}));
  table.add(batch_norm_cases("short runs, several pieces", 1031, 3, 2, {}));
  table.add(cross_entropy_cases("one row", 1, 10, 0));
  table.add(cross_entropy_cases("one class", 3, 1, 0.1f));
  table.add(cross_entropy_cases("odd, smoothed", 13, 17, 0.1f));
  table.add(cross_entropy_cases("several tasks", 205, 10, 0.2f));
  table.add(cross_entropy_cases("many classes", 3, 2049, 0));
  table.add(reduce_cases("rows", 7, 33, 1, 33));
  table.add(reduce_cases("columns", 1, 35, 13, 1));
  table.add(reduce_cases("middle", 3, 35, 13, 5));
  table.add(reduce_cases("long rows", 2, 16387, 1, 1));
  table.add(reduce_cases("many columns", 2, 5, 1031, 2));
  table.add(reduce_cases("long columns", 2, 259, 3, 1));
  table.add(reduce_cases("packs of columns", 3, 35, 16, 5));
  table.add(reduce_cases("packs of columns of rounded values", 3, 35, 16, 5, Rounded::x));
  table.add(reduce_cases("packs of long columns", 2, 259, 8, 1));
  table.add(reduce_cases("of rounded values", 3, 35, 13, 5, Rounded::x));
  table.add(reduce_cases("rounded", 3, 35, 13, 5, Rounded::y));
}

void add_rings(Table& table) {
  table.add(ring_weight_cases("one weight", 1, 1));
  table.add(ring_weight_cases("odd", 15, 5));
  table.add(ring_weight_cases("several tasks", 2173, 3));
  table.add(ring_weight_cases("many rings", 8, 32));
  table.add(ring_weight_cases("clamped below", 12, 5, -8));
  table.add(ring_weight_cases("clamped above", 12, 5, 5));
  table.add(ring_expand_cases("k=9", 5, 5, {1, 9, 9}));
  table.add(ring_expand_cases("1-D k=31", 6, 16, {1, 1, 31}));
  table.add(ring_expand_cases("3-D k=5", 2, 3, {5, 5, 5}));
  table.add(ring_expand_cases("rings that lie between taps", 6, 19, {1, 7, 7}));
  table.add(ring_expand_cases("square rings", 15, 5, {1, 7, 7}, false));
  table.add(ring_expand_cases("several tasks", 900, 3, {1, 5, 5}));
}

void add_rotations(Table& table) {
  table.add(rotate_cases("90 degrees", rotate_geometry(6, {1, 7, 7}, 90)));
  table.add(rotate_cases("180 degrees, not square", rotate_geometry(3, {1, 5, 8}, 180)));
  for (const int64_t width : {6, 7, 12}) {
    table.add(rotate_cases("180 degrees, rows of " + std::to_string(width), rotate_geometry(2, {1, 3, width}, 180)));
  }
  table.add(rotate_cases("mirror", rotate_geometry(4, {1, 5, 8}, 0, 2)));
  table.add(rotate_cases("30 degrees", rotate_geometry(5, {1, 9, 12}, 30)));
  table.add(rotate_cases("217 degrees, mirrored, 3-D", rotate_geometry(2, {3, 6, 7}, 217, 1)));
}

void add_large(Table& table, std::vector<Case> cases, const std::vector<Arithmetic>& arithmetics) {
  std::erase_if(cases, [](const Case& c) { return std::string(c.pass_name) != "forward"; });
  for (Case& c : cases) c.only = arithmetics;
  table.add(std::move(cases));
}

}  // namespace

std::vector<Case> check_cases() {
  Table table;
  add_elementwise(table);
  add_pools(table);
  add_sums(table);
  for (const auto& [name, layer] : plain_layers()) table.add(conv_cases(name, layer));
  for (const auto& [name, layer, types] : large_plain_layers()) add_large(table, conv_cases(name, layer), types);
  for (const auto& [name, layer] : ring_layers()) table.add(ring_conv_cases(name, layer));
  for (const auto& [name, layer, types] : large_ring_layers()) add_large(table, ring_conv_cases(name, layer), types);
  add_rings(table);
  add_rotations(table);
  return table.take();
}

}  // namespace gmr::profile
