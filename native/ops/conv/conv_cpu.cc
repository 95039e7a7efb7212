// Convolution on the CPU: the gather of taps, and the three passes over the implicit product.
#include <cstring>

#include "cpu/implicit_product.h"
#include "cpu/kernels.h"
#include "cpu/transpose_weight.h"
#include "cpu/window.h"

namespace gmr::cpu {
namespace {

// Operand rows: the inputs under each tap, in the kernel's order.
class TapGather {
 public:
  explicit TapGather(const WindowGeometry& geometry) : window_(geometry) {
    const auto& g = window_.geometry();
    taps_ = g.kernel[0] * g.kernel[1] * g.kernel[2];
    identity_ = taps_ == 1 && g.in == g.out && g.stride == std::array<int64_t, 3>{1, 1, 1} &&
                g.padding == std::array<int64_t, 3>{0, 0, 0} && g.spread == std::array<int64_t, 3>{1, 1, 1};
  }

  int64_t rows() const { return taps_; }
  int64_t scratch_floats(const Box& box) const { return identity_ ? 0 : window_.floats(box); }
  void prepare(const Box& box, float* scratch) const {
    if (!identity_) window_.clear(box, scratch);
  }

  void gather(const float* plane, const Box& box, float* scratch, float* panel, int64_t pitch) const {
    if (identity_) {
      detail::for_each_run(box, window_.geometry().out, [&](int64_t at, int64_t column, int64_t length) {
        for (int64_t p = 0; p < length; ++p) panel[column + p] = plane[at + p];
      });
      return;
    }
    window_.fill(plane, box, scratch);
    const auto& g = window_.geometry();
    const int64_t row_pitch = window_.row_pitch(box), rows_y = window_.rows(box, 1), width = box.extent(2);
    for (int64_t tz = 0; tz < g.kernel[0]; ++tz) {
      for (int64_t ty = 0; ty < g.kernel[1]; ++ty) {
        for (int64_t tx = 0; tx < g.kernel[2]; ++tx, panel += pitch) {
          const float* tap = scratch + (tz * g.dilation[0] * rows_y + ty * g.dilation[1]) * row_pitch + window_.tap_offset(box, tx);
          float* to = panel;
          for (int64_t z = 0; z < box.extent(0); ++z) {
            const float* from = tap + z * g.stride[0] * rows_y * row_pitch;
            for (int64_t y = 0; y < box.extent(1); ++y, from += g.stride[1] * row_pitch, to += width) {
              // Whole vectors: what they spill behind a row is overwritten by the next.
              for (int64_t x = 0; x < width; x += lanes) store(to + x, load(from + x));
            }
          }
        }
      }
    }
  }

 private:
  Window window_;
  int64_t taps_;
  bool identity_;
};

}  // namespace

void conv_forward(const ConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(forward_window(g));
  const ProductShape shape{g.n, g.groups, g.c / g.groups, g.o / g.groups, g.in[0] * g.in[1] * g.in[2], g.out};
  product_forward(shape, gather, p.x, p.w, shape.channels * gather.rows(), p.bias, p.y);
}

void conv_backward_input(const ConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(adjoint_window(g));
  const ProductShape shape{g.n, g.groups, g.o / g.groups, g.c / g.groups, g.out[0] * g.out[1] * g.out[2], g.in};
  const auto w = transpose_weight(p.w, g.groups, g.o / g.groups, g.c / g.groups, gather.rows(), TapOrder::reversed);
  product_forward(shape, gather, p.dy, w.get(), shape.channels * gather.rows(), p.bias, p.dx);
}

void conv_backward_weight(const ConvBackwardWeight& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(forward_window(g));
  const ProductShape shape{g.n, g.groups, g.c / g.groups, g.o / g.groups, g.in[0] * g.in[1] * g.in[2], g.out};
  product_backward_weight(shape, gather, p.x, p.dy, p.dw);
}

}  // namespace gmr::cpu
