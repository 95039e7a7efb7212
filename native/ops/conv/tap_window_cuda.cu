// The choice of tap windows, on the host.
#include "ops/conv/tap_window.cuh"

namespace gmr::cuda {
namespace {

int64_t parts_of(int64_t extent, int64_t part) { return (extent + part - 1) / part; }

int64_t span_of(const WindowGeometry& g, const std::array<int64_t, 3>& box, const std::array<int64_t, 3>& part,
                int axis) {
  return (box[axis] - 1) * g.stride[axis] + (part[axis] - 1) * g.dilation[axis] + 1;
}

struct Candidate {
  std::array<int64_t, 3> box, part;
  int64_t images;
  double cost;
};

// Parts of a kernel, the largest first: of several slices, else of several rows of one, else of several taps of a row.
std::vector<std::array<int64_t, 3>> kernel_parts(const std::array<int64_t, 3>& kernel) {
  std::vector<std::array<int64_t, 3>> parts;
  std::array<int64_t, 3> part = kernel;
  for (int axis = 0; axis < 3; ++axis) {
    std::vector<int64_t> extents = balanced_extents(kernel[axis], kernel[axis]);
    for (auto extent = extents.rbegin(); extent != extents.rend(); ++extent) {
      if (*extent == kernel[axis] && axis > 0) continue;
      part[axis] = *extent;
      parts.push_back(part);
    }
    part[axis] = 1;
  }
  return parts;
}

// Whether some `lanes` neighbouring outputs of so many images and slices of a box meet a bank twice.
bool meet_twice(const TapWindow& w, int images, int slices, const TapWindowLimits& limits) {
  const int pixels = images * slices * w.box[1] * w.box[2];
  uint64_t met = 0;
  for (int pixel = 0; pixel < pixels; ++pixel) {
    const int row = pixel / w.box[2], slice = row / w.box[1];
    const int place = slice / slices * w.image_pitch + slice % slices * w.window.stride[0] * w.slice_pitch +
                      row % w.box[1] * w.window.stride[1] * w.row_pitch + pixel % w.box[2];
    if (pixel % limits.lanes == 0) met = 0;
    const uint64_t bank = uint64_t{1} << (place % limits.banks);
    if ((met & bank) != 0) return true;
    met |= bank;
  }
  return false;
}

// The least pitch at which no bank is met twice, or the least where there is none.
void set_pitch(int TapWindow::*pitch, int least, TapWindow& w, int images, int slices, const TapWindowLimits& limits) {
  for (int extra = 0; extra < limits.banks; ++extra) {
    w.*pitch = least + extra;
    if (!meet_twice(w, images, slices, limits)) return;
  }
  w.*pitch = least;
}

TapWindow window_of(const WindowGeometry& g, int64_t images, int64_t all_channels, const Candidate& c,
                    const TapWindowLimits& limits) {
  TapWindow w(g, images, all_channels, c.box, c.images, c.part);
  set_pitch(&TapWindow::row_pitch, w.window.stride[2] * w.phase, w, 1, 1, limits);
  set_pitch(&TapWindow::slice_pitch, w.span[1] * w.row_pitch, w, 1, w.box[0], limits);
  set_pitch(&TapWindow::image_pitch, w.span[0] * w.slice_pitch, w, w.box_images, w.box[0], limits);
  w.places = w.box_images * w.image_pitch;
  return w;
}

}  // namespace

TapWindow::TapWindow(const WindowGeometry& g, int64_t images, int64_t all_channels,
                     const std::array<int64_t, 3>& box_extent, int64_t images_a_box,
                     const std::array<int64_t, 3>& part_extent)
    : window(g),
      images(images),
      all_channels(all_channels),
      in_plane(volume(g.in)),
      tiles(parts_of(images, images_a_box)),
      box_images(static_cast<int>(images_a_box)),
      parts(1),
      taps(static_cast<int>(volume(g.kernel))),
      most_taps(static_cast<int>(volume(part_extent))),
      phase(0),
      row_pitch(0),
      slice_pitch(0),
      image_pitch(0),
      places(0),
      tiles_z(parts_of(g.out[0], box_extent[0])),
      tiles_y(parts_of(g.out[1], box_extent[1])),
      tiles_x(parts_of(g.out[2], box_extent[2])),
      box_z(box_extent[0]),
      box_y(box_extent[1]),
      box_x(box_extent[2]),
      span_z(span_of(g, box_extent, part_extent, 0)),
      span_y(span_of(g, box_extent, part_extent, 1)),
      span_x(span_of(g, box_extent, part_extent, 2)),
      stride_x(g.stride[2]),
      table(nullptr) {
  for (int axis = 0; axis < 3; ++axis) {
    box[axis] = static_cast<int>(box_extent[axis]);
    part[axis] = static_cast<int>(part_extent[axis]);
    span[axis] = static_cast<int>(span_of(g, box_extent, part_extent, axis));
    tiles *= parts_of(g.out[axis], box_extent[axis]);
    parts *= static_cast<int>(parts_of(g.kernel[axis], part_extent[axis]));
  }
  phase = static_cast<int>(parts_of(span[2], g.stride[2]));
}

std::vector<int32_t> TapWindow::make_table() const {
  std::vector<int32_t> table, places;
  const auto& k = window.kernel;
  for (int z = 0; z < k[0]; z += part[0]) {
    for (int y = 0; y < k[1]; y += part[1]) {
      for (int x = 0; x < k[2]; x += part[2]) {
        const auto first = static_cast<int32_t>(places.size());
        for (int tz = 0; tz < std::min(part[0], k[0] - z); ++tz) {
          for (int ty = 0; ty < std::min(part[1], k[1] - y); ++ty) {
            for (int tx = 0; tx < std::min(part[2], k[2] - x); ++tx) {
              const int column = tx * window.dilation[2];
              places.push_back(tz * window.dilation[0] * slice_pitch + ty * window.dilation[1] * row_pitch +
                               column % window.stride[2] * phase + column / window.stride[2]);
            }
          }
        }
        table.insert(table.end(), {z * window.dilation[0], y * window.dilation[1], x * window.dilation[2], first,
                                   static_cast<int32_t>(places.size())});
      }
    }
  }
  table.insert(table.end(), places.begin(), places.end());
  table.push_back(0);  // read ahead
  return table;
}

std::optional<TapWindow> choose_tap_window(const WindowGeometry& g, int64_t images, int64_t all_channels,
                                           const TapWindowLimits& limits,
                                           const std::function<bool(const TapWindow&)>& fits) {
  if (g.spread != std::array<int64_t, 3>{1, 1, 1}) return {};
  const auto parts = kernel_parts(g.kernel);
  std::vector<Candidate> candidates;
  for (const int64_t z : balanced_extents(g.out[0], limits.pixels)) {
    for (const int64_t y : balanced_extents(g.out[1], limits.pixels / z)) {
      for (const int64_t x : balanced_extents(g.out[2], limits.pixels / (z * y))) {
        Candidate c{{z, y, x}, {}, 1, 0};
        if (c.box == g.out) c.images = std::min(images, limits.pixels / (z * y * x));
        auto tiles = static_cast<double>(parts_of(images, c.images));
        for (int axis = 0; axis < 3; ++axis) tiles *= static_cast<double>(parts_of(g.out[axis], c.box[axis]));
        for (const auto& part : parts) {
          c.part = part;
          double places = static_cast<double>(c.images), part_count = 1;
          for (int axis = 0; axis < 3; ++axis) {
            places *= static_cast<double>(span_of(g, c.box, part, axis));
            part_count *= static_cast<double>(parts_of(g.kernel[axis], part[axis]));
          }
          if (places > limits.places || volume(part) > limits.taps) continue;
          c.cost = tiles * (part_count * (limits.part_cost + places * limits.place_cost) +
                            static_cast<double>(volume(g.kernel)) * limits.tap_cost);
          candidates.push_back(c);
        }
      }
    }
  }
  std::ranges::stable_sort(candidates, {}, &Candidate::cost);
  for (const Candidate& c : candidates) {
    const TapWindow window = window_of(g, images, all_channels, c, limits);
    if (window.places <= limits.places && fits(window)) return window;
  }
  return {};
}

}  // namespace gmr::cuda
