#include <algorithm>
#include <vector>

#include "cpu/float_row.h"
#include "cpu/kernels.h"
#include "cpu/parallel_rows.h"

namespace gmr::cpu {
namespace {

// The input index of each output index of an axis, -1 for a zero.
std::vector<int64_t> sources_of(const PadGeometry& g, int axis) {
  std::vector<int64_t> sources;
  for (int64_t o = 0; o < g.output(axis); ++o) {
    sources.push_back(g.source(axis, o));
  }
  return sources;
}

// The output indices that read each input index of an axis, in order.
std::vector<std::vector<int64_t>> readers_of(const PadGeometry& g, int axis) {
  std::vector<std::vector<int64_t>> readers(g.input[axis]);
  const std::vector<int64_t> sources = sources_of(g, axis);
  for (size_t o = 0; o < sources.size(); ++o) {
    if (sources[o] >= 0) readers[sources[o]].push_back(static_cast<int64_t>(o));
  }
  return readers;
}

// Calls f(output index, input index) for the padding of a row that is not zeros.
template <typename F>
void for_row_padding(const PadGeometry& g, const std::vector<int64_t>& sources, F&& f) {
  if (g.mode == PadMode::zeros) return;
  for (int64_t o = 0; o < g.low[2]; ++o) f(o, sources[o]);
  for (int64_t o = g.low[2] + g.input[2]; o < g.output(2); ++o) f(o, sources[o]);
}

template <typename Element>
void forward(const PadForward& p) {
  const PadGeometry& g = p.geometry;
  if (g.planes * g.output(0) * g.output(1) * g.output(2) == 0) return;  // an axis may still be longer than any memory
  const int64_t width = g.output(2);
  const std::vector<int64_t> sources[3] = {sources_of(g, 0), sources_of(g, 1), sources_of(g, 2)};
  parallel_rows(g.planes, g.output(0), g.output(1), width, [&](int64_t plane, int64_t oz, int64_t oy) {
    Element* y = static_cast<Element*>(p.y) + ((plane * g.output(0) + oz) * g.output(1) + oy) * width;
    const int64_t z = sources[0][oz];
    const int64_t row = sources[1][oy];
    if (z < 0 || row < 0) {
      std::fill(y, y + width, Element{});
      return;
    }
    const Element* x = static_cast<const Element*>(p.x) + ((plane * g.input[0] + z) * g.input[1] + row) * g.input[2];
    std::copy_n(x, g.input[2], y + g.low[2]);
    if (g.mode == PadMode::zeros) {
      std::fill_n(y, g.low[2], Element{});
      std::fill_n(y + g.low[2] + g.input[2], g.high[2], Element{});
    }
    for_row_padding(g, sources[2], [&](int64_t o, int64_t source) { y[o] = x[source]; });
  });
}

// Each row of dx gathers the rows of dy that were read from it.
template <typename Element>
void backward_input(const PadBackwardInput& p) {
  const PadGeometry& g = p.geometry;
  if (g.planes * g.input[0] * g.input[1] * g.input[2] == 0) return;  // an axis of dy may be longer than any memory
  const auto z_readers = readers_of(g, 0);
  const auto y_readers = readers_of(g, 1);
  const std::vector<int64_t> sources = sources_of(g, 2);
  parallel_rows(g.planes, g.input[0], g.input[1], g.output(2), [&](int64_t plane, int64_t z, int64_t row, int worker) {
    const int64_t first = ((plane * g.input[0] + z) * g.input[1] + row) * g.input[2];
    const FloatRow<Element> sums(static_cast<Element*>(p.dx) + first, g.input[2], worker);
    float* dx = sums.values();
    std::fill(dx, dx + g.input[2], 0.0f);
    for (const int64_t oz : z_readers[z]) {
      for (const int64_t oy : y_readers[row]) {
        const Element* dy =
            static_cast<const Element*>(p.dy) + ((plane * g.output(0) + oz) * g.output(1) + oy) * g.output(2);
        for (int64_t i = 0; i < g.input[2]; ++i) dx[i] += to_float(dy[g.low[2] + i]);
        for_row_padding(g, sources, [&](int64_t o, int64_t source) { dx[source] += to_float(dy[o]); });
      }
    }
    sums.put();
  });
}

}  // namespace

void pad_forward(const PadForward& p) {
  with_element_type(p.type, [&]<typename Element>() { forward<Element>(p); });
}

void pad_backward_input(const PadBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
