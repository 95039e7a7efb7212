// GMR convolution on the CPU: the three passes over the implicit product, with ring sums as operand rows.
#include "cpu/implicit_product.h"
#include "cpu/kernels.h"
#include "cpu/transpose_weight.h"
#include "ops/ring_conv/ring_gather.h"

namespace gmr::cpu {

void ring_conv_forward(const RingConvForward& p) {
  const ConvGeometry& g = p.geometry;
  const RingGather gather(forward_window(g), p.rings);
  const ProductShape shape{g.n, g.groups, g.c / g.groups, g.o / g.groups, g.in[0] * g.in[1] * g.in[2], g.out};
  with_element_type(p.type, [&]<typename Element>() {
    product_forward(shape, gather, static_cast<const Element*>(p.x), p.v, shape.channels * gather.rows(), p.epilogue,
                    static_cast<Element*>(p.y));
  });
}

void ring_conv_backward_input(const RingConvBackwardInput& p) {
  const ConvGeometry& g = p.geometry;
  const RingGather gather(adjoint_window(g), p.rings);
  const ProductShape shape{g.n, g.groups, g.o / g.groups, g.c / g.groups, g.out[0] * g.out[1] * g.out[2], g.in};
  // Rings have no direction: reversed taps are the same rings.
  const float* v = transpose_weight<TapOrder::kept>(p.v, g.groups, g.o / g.groups, g.c / g.groups, gather.rows());
  with_element_type(p.type, [&]<typename Element>() {
    product_forward(shape, gather, static_cast<const Element*>(p.dy), v, shape.channels * gather.rows(),
                    {.bias = p.bias}, static_cast<Element*>(p.dx));
  });
}

void ring_conv_backward_weight(const RingConvBackwardWeight& p) {
  const ConvGeometry& g = p.geometry;
  // With many more outputs than channels more is lost in reading dy than is won in ring sums.
  const RingGather gather(forward_window(g), p.rings, g.o <= most_deep_outputs_a_channel * g.c);
  const ProductShape shape{g.n, g.groups, g.c / g.groups, g.o / g.groups, g.in[0] * g.in[1] * g.in[2], g.out};
  with_element_type(p.type, [&]<typename Element>() {
    product_backward_weight(shape, gather, static_cast<const Element*>(p.x), static_cast<const Element*>(p.dy), p.dv);
  });
}

}  // namespace gmr::cpu
