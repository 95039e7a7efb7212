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
  explicit TapGather(const WindowGeometry& geometry) : g_(geometry) {
    constexpr std::array<int64_t, 3> ones = {1, 1, 1}, zeros = {0, 0, 0};
    is_identity_ =
        g_.kernel == ones && g_.in == g_.out && g_.stride == ones && g_.padding == zeros && g_.spread == ones;
  }

  int64_t rows() const { return g_.kernel[0] * g_.kernel[1] * g_.kernel[2]; }
  std::array<int64_t, 2> halo() const { return {0, 0}; }
  int64_t scratch_floats(const Box& box) const { return Window::floats(g_, box); }

  auto at(const Box& box, float* scratch) const {
    return [this, box, window = Window(g_, box, scratch)](const auto* plane, float* panel, int64_t pitch) {
      if (is_identity_) {
        detail::for_each_run(box, g_.out, [&](int64_t at, int64_t column, int64_t length) {
          for (int64_t p = 0; p < length; ++p) panel[column + p] = to_float(plane[at + p]);
        });
      } else {
        window.fill(plane);
        copy_taps(window, box, panel, pitch);
      }
    };
  }

 private:
  void copy_taps(const Window& window, const Box& box, float* panel, int64_t pitch) const {
    const int64_t row_pitch = window.row_pitch(), rows_y = window.rows_y(), width = box.extent(2);
    for (int64_t tz = 0; tz < g_.kernel[0]; ++tz) {
      for (int64_t ty = 0; ty < g_.kernel[1]; ++ty) {
        for (int64_t tx = 0; tx < g_.kernel[2]; ++tx, panel += pitch) {
          const int64_t row = tz * g_.dilation[0] * rows_y + ty * g_.dilation[1];
          const float* tap = window.data() + row * row_pitch + window.tap_offset(tx);
          float* to = panel;
          for (int64_t z = 0; z < box.extent(0); ++z) {
            const float* from = tap + z * g_.stride[0] * rows_y * row_pitch;
            for (int64_t y = 0; y < box.extent(1); ++y, from += g_.stride[1] * row_pitch, to += width) {
              // Whole vectors: what they spill behind a row is overwritten by the next.
              for (int64_t x = 0; x < width; x += lanes) store(to + x, load(from + x));
            }
          }
        }
      }
    }
  }

  WindowGeometry g_;
  bool is_identity_;
};

}  // namespace

void conv_forward(const ConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(forward_window(g));
  const ProductShape shape{g.n, g.groups, g.c / g.groups, g.o / g.groups, g.in[0] * g.in[1] * g.in[2], g.out};
  with_element_type(p.type, [&]<typename Element>() {
    product_forward(shape, gather, static_cast<const Element*>(p.x), p.w, shape.channels * gather.rows(), p.epilogue,
                    static_cast<Element*>(p.y));
  });
}

void conv_backward_input(const ConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(adjoint_window(g));
  const ProductShape shape{g.n, g.groups, g.o / g.groups, g.c / g.groups, g.out[0] * g.out[1] * g.out[2], g.in};
  const float* w = transpose_weight<TapOrder::reversed>(p.w, g.groups, g.o / g.groups, g.c / g.groups, gather.rows());
  with_element_type(p.type, [&]<typename Element>() {
    product_forward(shape, gather, static_cast<const Element*>(p.dy), w, shape.channels * gather.rows(),
                    {.bias = p.bias}, static_cast<Element*>(p.dx));
  });
}

void conv_backward_weight(const ConvBackwardWeight& p) {
  const ConvGeometry& g = p.geometry;
  const TapGather gather(forward_window(g));
  const ProductShape shape{g.n, g.groups, g.c / g.groups, g.o / g.groups, g.in[0] * g.in[1] * g.in[2], g.out};
  with_element_type(p.type, [&]<typename Element>() {
    product_backward_weight(shape, gather, static_cast<const Element*>(p.x), static_cast<const Element*>(p.dy), p.dw);
  });
}

}  // namespace gmr::cpu
