// The implicit matrix product behind every convolution: sum_k a[o, k] operand[k, p], and an epilogue that makes y[o, p]
// of it, where a gather makes the operand rows of a channel from its plane, tile by tile, into a panel that stays in
// cache (an implicit GEMM, with the gather in the place of im2col). Extra memory is a few panels a thread; a weight
// gradient also keeps partial sums and, up to most_shared_floats, a transposed dy.
//
// A gather has
//   int64_t rows() const                                   operand rows a channel
//   std::array<int64_t, 2> halo() const                    slices and rows around a box on which work is spent
//   int64_t scratch_floats(const Box&) const
//   auto at(const Box&, float* scratch) const              made once a tile; called for each of its planes with
//       (const Element* plane, float* panel, int64_t pitch)  it writes rows() rows of box.size() columns, and up to a
//                                                          vector behind each
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "cpu/divide_up.h"
#include "cpu/product.h"
#include "cpu/thread_pool.h"
#include "cpu/transpose.h"
#include "ops/conv/epilogue.h"

namespace gmr::cpu {

// Output positions [begin, end) on each axis.
struct Box {
  std::array<int64_t, 3> begin;
  std::array<int64_t, 3> end;

  int64_t extent(int axis) const { return end[axis] - begin[axis]; }
  int64_t size() const { return extent(0) * extent(1) * extent(2); }
};

// How outputs are cut into tiles: some images whole, or a box of one image. Boxes have whole rows and slices, as memory
// has, unless more than their own would be halo, which is work done again: then they are tall, or deep.
class Tiling {
 public:
  Tiling(int64_t images, const std::array<int64_t, 3>& out, int64_t pixels, const std::array<int64_t, 2>& halo)
      : images_(images), out_(out) {
    const int64_t plane = out[0] * out[1] * out[2];
    extent_ = out;
    if (plane <= pixels) {
      images_a_tile_ = balanced(images, std::max<int64_t>(1, pixels / std::max<int64_t>(plane, 1)));
    } else {
      extent_[2] = balanced(out[2], most_tile_width);
      if (pixels / extent_[2] < halo[1]) extent_[2] = std::max<int64_t>(1, pixels / out[1]);
      extent_[2] = std::min(out[2], divide_up(extent_[2], lanes) * lanes);
      extent_[1] = balanced(out[1], std::max<int64_t>(1, pixels / extent_[2]));
      extent_[0] = balanced(out[0], std::max<int64_t>(1, pixels / (extent_[1] * extent_[2])));
      if (extent_[0] < std::min(out[0], halo[0])) {
        extent_[2] = std::min(out[2], divide_up(deep_tile_width / halo[0], lanes) * lanes);
        extent_[0] = balanced(out[0], std::max<int64_t>(1, pixels / (least_deep_rows * extent_[2])));
        extent_[1] = balanced(out[1], std::max<int64_t>(1, pixels / (extent_[0] * extent_[2])));
      }
    }
    for (int axis = 0; axis < 3; ++axis) parts_[axis] = divide_up(out[axis], std::max<int64_t>(extent_[axis], 1));
  }

  int64_t count() const { return divide_up(images_, images_a_tile_) * parts_[0] * parts_[1] * parts_[2]; }

  struct Tile {
    int64_t first_image, images;
    Box box;
    int64_t pixels() const { return images * box.size(); }
  };

  Tile tile(int64_t index) const {
    Tile t;
    for (int axis = 2; axis >= 0; --axis) {
      t.box.begin[axis] = index % parts_[axis] * extent_[axis];
      t.box.end[axis] = std::min(t.box.begin[axis] + extent_[axis], out_[axis]);
      index /= parts_[axis];
    }
    t.first_image = index * images_a_tile_;
    t.images = std::min(images_a_tile_, images_ - t.first_image);
    return t;
  }

 private:
  // The largest part of `count` in as few parts of at most `most` as possible.
  static int64_t balanced(int64_t count, int64_t most) {
    if (count <= most) return std::max<int64_t>(count, 1);
    const int64_t parts = divide_up(count, most);
    return divide_up(count, parts);
  }

  int64_t images_;
  int64_t images_a_tile_ = 1;
  std::array<int64_t, 3> out_;
  std::array<int64_t, 3> extent_;
  std::array<int64_t, 3> parts_;
};

struct ProductShape {
  int64_t images;
  int64_t groups;
  int64_t channels;  // a group
  int64_t outputs;   // a group
  int64_t in_plane;  // elements
  std::array<int64_t, 3> out;

  int64_t out_plane() const { return out[0] * out[1] * out[2]; }
};

namespace detail {

enum Slot { panel_slot, result_slot, gather_slot, gradient_slot };

// Calls f(pointer into the plane, column in the tile, length) for each run of a tile's columns that lies together in a
// plane.
template <typename F>
void for_each_run(const Box& box, const std::array<int64_t, 3>& out, F&& f) {
  const bool whole_rows = box.extent(2) == out[2];
  const bool whole_planes = whole_rows && box.extent(1) == out[1];
  const int64_t length = whole_planes ? box.size() : whole_rows ? box.extent(1) * box.extent(2) : box.extent(2);
  int64_t column = 0;
  for (int64_t z = box.begin[0]; z < box.end[0]; z += whole_planes ? box.extent(0) : 1) {
    for (int64_t y = box.begin[1]; y < box.end[1]; y += whole_rows ? box.extent(1) : 1) {
      f((z * out[1] + y) * out[2] + box.begin[2], column, length);
      column += length;
    }
  }
}

// Operand rows of channels [first, last) of a group, for all images of a tile.
template <typename GatherAtBox, typename Element>
void fill_panel(const GatherAtBox& gather, int64_t rows, const ProductShape& shape, const Element* x, int64_t group,
                int64_t first, int64_t last, const Tiling::Tile& tile, float* panel, int64_t pitch) {
  const int64_t all_channels = shape.groups * shape.channels, columns = tile.box.size();
  for (int64_t c = first; c < last; ++c) {
    for (int64_t image = 0; image < tile.images; ++image) {
      const int64_t plane = (tile.first_image + image) * all_channels + group * shape.channels + c;
      gather(x + plane * shape.in_plane, panel + (c - first) * rows * pitch + image * columns, pitch);
    }
  }
}

inline int64_t chunk_channels(int64_t channels, int64_t rows) {
  const int64_t most = std::clamp<int64_t>(panel_depth / rows, 1, channels);
  const int64_t chunks = divide_up(channels, most);
  return divide_up(channels, chunks);
}

inline int64_t tile_pixels(int64_t depth, int64_t outputs) {
  return std::clamp(tile_floats / (depth + outputs) / 16 * 16, least_tile_pixels, most_tile_pixels);
}

// dy as the weight gradient's product reads it, tile by tile, for one part of a group's outputs: a row of outputs for
// each pixel or, where they would not fill a vector, a row of pixels for each output.
template <typename Element>
class GradientOperand {
 public:
  GradientOperand(const ProductShape& shape, const Element* dy)
      : shape_(shape), dy_(dy), outputs_(std::min(shape.outputs, most_tile_outputs)), by_dots_(outputs_ < lanes) {}

  int64_t parts() const { return divide_up(shape_.outputs, outputs_); }  // of a group
  int64_t most_outputs() const { return outputs_; }
  int64_t first_output(int64_t part) const { return part * outputs_; }
  int64_t outputs(int64_t part) const { return std::min(outputs_, shape_.outputs - first_output(part)); }
  int64_t result_pitch() const { return panel_pitch(outputs_); }
  int64_t floats(int64_t pixels) const {
    return by_dots_ ? outputs_ * panel_pitch(pixels) : pixels * panel_pitch(outputs_);
  }

  void fill(int64_t group, int64_t part, const Tiling::Tile& tile, float* to) const {
    const int64_t out_plane = shape_.out_plane(), pitch = panel_pitch(by_dots_ ? tile.pixels() : outputs_);
    for (int64_t image = 0; image < tile.images; ++image) {
      const int64_t plane = ((tile.first_image + image) * shape_.groups + group) * shape_.outputs + first_output(part);
      for_each_run(tile.box, shape_.out, [&](int64_t at, int64_t column, int64_t length) {
        const Element* from = dy_ + plane * out_plane + at;
        const int64_t pixel = image * tile.box.size() + column;
        if (by_dots_) {
          for (int64_t o = 0; o < outputs(part); ++o) {
            float* row = to + o * pitch + pixel;
            for (int64_t p = 0; p < length; ++p) row[p] = to_float(from[o * out_plane + p]);
          }
        } else {
          transpose(outputs(part), length, from, out_plane, to + pixel * pitch, pitch);
        }
      });
    }
    for (int64_t o = 0; by_dots_ && o < outputs(part); ++o) store(to + o * pitch + tile.pixels(), Vector{});
  }

  // result[k][o] (+)= sum over the tile's pixels of panel[k][pixel] dy[o][pixel]. Writes behind the panel's columns.
  void multiply(int64_t part, int64_t pixels, int64_t depth, float* panel, const float* gradient, float* result,
                bool accumulate) const {
    const int64_t pitch = panel_pitch(pixels);
    if (by_dots_) {
      for (int64_t k = 0; k < depth; ++k) store(panel + k * pitch + pixels, Vector{});
      panel_dots(depth, outputs(part), pixels, panel, pitch, gradient, pitch, result, result_pitch(), accumulate);
      return;
    }
    for (int64_t p = 0; p < pixels; p += panel_depth) {
      panel_product(depth, outputs(part), std::min(panel_depth, pixels - p), panel + p, pitch,
                    gradient + p * result_pitch(), result_pitch(), result, result_pitch(), accumulate || p > 0);
    }
  }

 private:
  const ProductShape& shape_;
  const Element* dy_;
  int64_t outputs_;  // of a part, at most
  bool by_dots_;
};

}  // namespace detail

// a: [groups][outputs][channels * rows], rows `a_pitch` apart; the epilogue is of groups * outputs.
template <typename Element, typename Gather>
void product_forward(const ProductShape& shape, const Gather& gather, const Element* x, const float* a, int64_t a_pitch,
                     const Epilogue& epilogue, Element* y) {
  using namespace detail;
  constexpr int64_t line = 64 / sizeof(Element);  // of the cache, in elements
  if (shape.images * shape.out_plane() * shape.outputs == 0) return;
  const int64_t rows = gather.rows();
  const int64_t chunk = chunk_channels(shape.channels, rows);
  // Enough tasks for the threads: first smaller tiles, then fewer outputs a task. Neither changes a result's sum.
  const int64_t wanted_tasks = thread_count() > 1 ? 3 * thread_count() : 1;
  int64_t outputs = std::min(shape.outputs, most_tile_outputs);
  const int64_t most_pixels = tile_pixels(chunk * rows, outputs);
  const int64_t all_pixels = shape.images * shape.out_plane();
  const int64_t pixels =
      std::clamp(all_pixels * shape.groups / wanted_tasks, std::min(least_tile_pixels, most_pixels), most_pixels);
  const Tiling tiling(shape.images, shape.out, pixels, gather.halo());
  while (tiling.count() * shape.groups * divide_up(shape.outputs, outputs) < wanted_tasks && outputs > 8 * tile_rows) {
    outputs = divide_up(outputs / 2, tile_rows) * tile_rows;
  }
  const int64_t output_parts = divide_up(shape.outputs, outputs);

  parallel_for(tiling.count() * shape.groups * output_parts, [&](int64_t task, int worker) {
    const int64_t first_output = task % output_parts * outputs;
    const int64_t group = task / output_parts % shape.groups;
    const auto tile = tiling.tile(task / output_parts / shape.groups);
    const int64_t task_outputs = std::min(outputs, shape.outputs - first_output);
    const int64_t columns = tile.pixels();
    const int64_t pitch = panel_pitch(columns);
    float* panel = scratch(worker, panel_slot, static_cast<size_t>(chunk * rows * pitch + lanes));
    float* result = scratch(worker, result_slot, static_cast<size_t>(task_outputs * pitch));
    float* work = scratch(worker, gather_slot, static_cast<size_t>(gather.scratch_floats(tile.box)));
    const auto gather_at_box = gather.at(tile.box, work);
    for (int64_t c = 0; c < shape.channels; c += chunk) {
      const int64_t last = std::min(c + chunk, shape.channels);
      fill_panel(gather_at_box, rows, shape, x, group, c, last, tile, panel, pitch);
      panel_product(task_outputs, columns, (last - c) * rows,
                    a + (group * shape.outputs + first_output) * a_pitch + c * rows, a_pitch, panel, pitch, result,
                    pitch, c > 0);
    }
    for (int64_t i = 0; i < task_outputs; ++i) {
      const int64_t o = group * shape.outputs + first_output + i;
      const auto store_row = [&](auto finish) {
        for (int64_t image = 0; image < tile.images; ++image) {
          Element* plane = y + ((tile.first_image + image) * shape.groups * shape.outputs + o) * shape.out_plane();
          const float* columns_of_image = result + i * pitch + image * tile.box.size();
          for_each_run(tile.box, shape.out, [&](int64_t at, int64_t column, int64_t length) {
            const float* sums = columns_of_image + column;
            for (int64_t p = 0; p < length; ++p) plane[at + p] = to_element<Element>(finish(sums[p]));
            for (int64_t p = 0; p < length; p += line) __builtin_prefetch(plane + at + shape.out_plane() + p, 1);
          });
        }
      };
      const float bias = epilogue.bias_of(o);
      if (epilogue.normalises()) {
        store_row([bias, norm = epilogue.norm_of(o)](float sum) { return norm(sum + bias); });
      } else {
        store_row([bias](float sum) { return sum + bias; });
      }
    }
  });
}

// dw: [groups][outputs][channels * rows], rows next to each other.
template <typename Element, typename Gather>
void product_backward_weight(const ProductShape& shape, const Gather& gather, const Element* x, const Element* dy,
                             float* dw) {
  using namespace detail;
  const int64_t rows = gather.rows();
  const int64_t depth = shape.channels * rows;
  const int64_t size = shape.groups * shape.outputs * depth;
  if (size == 0) return;
  const int64_t chunk = chunk_channels(shape.channels, rows);
  const int64_t chunks = divide_up(shape.channels, chunk);
  const GradientOperand operand(shape, dy);
  const int64_t pixels = tile_pixels(chunk * rows, operand.most_outputs());
  const Tiling tiling(shape.images, shape.out, pixels, gather.halo());
  const int64_t tiles = shape.out_plane() == 0 ? 0 : tiling.count();
  const int64_t parts = shape.groups * operand.parts();
  // Each split has as many tiles as the others but for the last, so that threads end together.
  const int64_t most_splits = std::max<int64_t>(1, weight_gradient_tasks / (parts * chunks));
  const int64_t tiles_a_split = std::max<int64_t>(1, divide_up(tiles, most_splits));
  const int64_t splits = std::max<int64_t>(1, divide_up(tiles, tiles_a_split));

  // One partial gradient a split (a single one goes straight to dw), and where many chunks of channels want dy's operand
  // all of that, made once.
  const int64_t partial_floats = splits > 1 ? splits * size : 0;
  const int64_t gradient_floats = tiles == 0 ? 0 : operand.floats(tiling.tile(0).pixels());
  const bool is_shared = chunks >= least_shared_chunks && parts * tiles * gradient_floats <= most_shared_floats;
  const int64_t shared_gradients = is_shared ? parts * tiles : 0;
  float* shared = pass_scratch(static_cast<size_t>(partial_floats + shared_gradients * gradient_floats));
  float* partials = splits > 1 ? shared : dw;
  float* gradients = shared + partial_floats;
  parallel_for(shared_gradients, [&](int64_t task) {
    const int64_t part = task / tiles;
    operand.fill(part / operand.parts(), part % operand.parts(), tiling.tile(task % tiles),
                 gradients + task * gradient_floats);
  });

  parallel_for(splits * parts * chunks, [&](int64_t task, int worker) {
    const int64_t first = task % chunks * chunk;
    const int64_t last = std::min(first + chunk, shape.channels);
    const int64_t part = task / chunks % operand.parts();
    const int64_t group = task / chunks / operand.parts() % shape.groups;
    const int64_t split = task / chunks / parts;
    const int64_t task_depth = (last - first) * rows;
    float* result = scratch(worker, result_slot, static_cast<size_t>(task_depth * operand.result_pitch()));
    const int64_t first_tile = split * tiles_a_split;
    const int64_t last_tile = std::min(tiles, first_tile + tiles_a_split);
    if (first_tile == last_tile) std::fill_n(result, task_depth * operand.result_pitch(), 0.0f);
    for (int64_t t = first_tile; t < last_tile; ++t) {
      const auto tile = tiling.tile(t);
      const int64_t pitch = panel_pitch(tile.pixels());
      float* panel = scratch(worker, panel_slot, static_cast<size_t>(task_depth * pitch + lanes));
      float* work = scratch(worker, gather_slot, static_cast<size_t>(gather.scratch_floats(tile.box)));
      fill_panel(gather.at(tile.box, work), rows, shape, x, group, first, last, tile, panel, pitch);
      float* gradient = gradients + ((group * operand.parts() + part) * tiles + t) * gradient_floats;
      if (shared_gradients == 0) {
        gradient = scratch(worker, gradient_slot, static_cast<size_t>(gradient_floats));
        operand.fill(group, part, tile, gradient);
      }
      operand.multiply(part, tile.pixels(), task_depth, panel, gradient, result, t > first_tile);
    }
    const int64_t first_output = group * shape.outputs + operand.first_output(part);
    float* target = partials + split * size + first_output * depth + first * rows;
    // A few rows of the gradient at a time, so that each is written from its beginning to its end, while the next ones
    // come into the cache: written without, they would each be waited for (8 % of the pass with 512 channels).
    for (int64_t o = 0; o < operand.outputs(part); o += lanes) {
      for (int64_t row = o + lanes; row < std::min(o + 2 * lanes, operand.outputs(part)); ++row) {
        for (int64_t k = 0; k < task_depth; k += 16) __builtin_prefetch(target + row * depth + k, 1);
      }
      transpose(task_depth, std::min<int64_t>(lanes, operand.outputs(part) - o), result + o, operand.result_pitch(),
                target + o * depth, depth);
    }
  });

  if (splits > 1) {
    parallel_ranges(size, 4096, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        float total = partials[i];
        for (int64_t split = 1; split < splits; ++split) total += partials[split * size + i];
        dw[i] = total;
      }
    });
  }
}

}  // namespace gmr::cpu
