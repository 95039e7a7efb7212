#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "cpu/float_row.h"
#include "cpu/kernels.h"
#include "cpu/parallel_rows.h"
#include "cpu/simd.h"

namespace gmr::cpu {
namespace {

enum class Indices { skip, keep };

template <int Size>
using Count = std::integral_constant<int, Size>;

// Calls f(first, Count<size>) for blocks that cover [begin, end), so that short rows run in vectors too. The last block
// overlaps the one before it where it must: f may see an element twice.
template <typename F>
void for_blocks(int64_t begin, int64_t end, F&& f) {
  const auto cover = [&](auto size) {
    int64_t first = begin;
    for (; first + size <= end; first += size) f(first, size);
    if (first < end) f(end - size, size);
  };
  const int64_t count = end - begin;
  if constexpr (lanes >= 16) {
    if (count >= 16) return cover(Count<16>());
  }
  if constexpr (lanes >= 8) {
    if (count >= 8) return cover(Count<8>());
  }
  if (count >= 4) return cover(Count<4>());
  cover(Count<1>());
}

template <int Size>
struct VectorsOf {
  using Float = typename VectorOf<Size>::aligned;
  typedef int32_t Int __attribute__((vector_size(Size * 4)));
};

// x[0], x[Stride], ... Strides above 2 are `run_time_stride`. Reads one float more than it takes at stride 2.
template <int Stride, int Size, typename Element>
typename VectorsOf<Size>::Float load_steps(const Element* x, int64_t run_time_stride) {
  using Float = typename VectorsOf<Size>::Float;
  if constexpr (Size == 1) {
    return Float{to_float(x[0])};
  } else if constexpr (Stride == 1) {
    return load<Size>(x);
  } else if constexpr (Stride == 2) {
    return [&]<int... I>(std::integer_sequence<int, I...>)->Float {
      return __builtin_shufflevector(load<Size>(x), load<Size>(x + Size), (2 * I)...);
    }
    (std::make_integer_sequence<int, Size>{});
  } else {
    Float steps;
    for (int i = 0; i < Size; ++i) steps[i] = to_float(x[i * run_time_stride]);
    return steps;
  }
}

// The running maxima of neighbouring outputs of a row.
template <Indices Mode, int Stride, int Size>
struct Maxima {
  using Float = typename VectorsOf<Size>::Float;
  using Int = typename VectorsOf<Size>::Int;

  Float value = Float{} - std::numeric_limits<float>::infinity();
  Int index = Int{} - 1;

  // One tap of each: x[0], x[stride], ..., of which the first has the index `first_index`.
  template <typename Element>
  void take(const Element* x, int32_t first_index, int64_t stride) {
    const Float other = load_steps<Stride, Size>(x, stride);
    Int is_new = (other > value) | (other != other);
    if constexpr (Mode == Indices::keep) {
      is_new |= index < 0;  // so that a window of -infinities has an index
      Int other_index;
      for (int i = 0; i < Size; ++i) other_index[i] = first_index + i * static_cast<int32_t>(stride);
      index = is_new ? other_index : index;
    }
    value = is_new ? other : value;
  }

  template <typename Element>
  void put(Element* y, int32_t* indices) const {
    store<Size>(y, value);
    if constexpr (Mode == Indices::keep) std::memcpy(indices, &index, sizeof(index));
  }
};

// Stride of a row, where it is a constant of the code; 0: known at run time only.
template <typename Element, Indices Mode, int Stride>
void forward_rows(const MaxPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  const int64_t stride = Stride > 0 ? Stride : g.stride[2];
  // The outputs of a row whose windows lie inside it whole.
  const int64_t whole_begin = std::min(outputs_inside(g, 2, 0).begin, g.output[2]);
  const int64_t whole_end = std::max(outputs_inside(g, 2, g.kernel[2] - 1).end, whole_begin);
  const int64_t row_cost = g.output[2] * g.kernel[0] * g.kernel[1] * g.kernel[2];
  parallel_rows(g.planes, g.output[0], g.output[1], row_cost, [&](int64_t plane, int64_t oz, int64_t oy) {
    const Element* x = static_cast<const Element*>(p.x) + plane * g.input[0] * g.input[1] * g.input[2];
    const int64_t out = ((plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
    const IndexRange z_taps = taps_inside(g, 0, oz);
    const IndexRange y_taps = taps_inside(g, 1, oy);
    const auto reduce = [&](int64_t o, IndexRange x_taps, auto size) {
      Maxima<Mode, Stride, size> maxima;
      for (int64_t tz = z_taps.begin; tz < z_taps.end; ++tz) {
        const int64_t z = oz * g.stride[0] + g.tap_offset(0, tz);
        for (int64_t ty = y_taps.begin; ty < y_taps.end; ++ty) {
          const int64_t row = z * g.input[1] + oy * g.stride[1] + g.tap_offset(1, ty);
          for (int64_t tx = x_taps.begin; tx < x_taps.end; ++tx) {
            const int64_t index = row * g.input[2] + o * stride + g.tap_offset(2, tx);
            maxima.take(x + index, static_cast<int32_t>(index), stride);
          }
        }
      }
      maxima.put(static_cast<Element*>(p.y) + out + o, Mode == Indices::keep ? p.indices + out + o : nullptr);
    };
    for (int64_t o = 0; o < whole_begin; ++o) reduce(o, taps_inside(g, 2, o), Count<1>());
    for_blocks(whole_begin, whole_end, [&](int64_t o, auto size) { reduce(o, {0, g.kernel[2]}, size); });
    for (int64_t o = whole_end; o < g.output[2]; ++o) reduce(o, taps_inside(g, 2, o), Count<1>());
  });
}

// The same with the loops over taps written out: the most common window, in half the time.
template <typename Element, Indices Mode>
void forward_squares_of_two(const MaxPoolForward& p) {
  const PoolGeometry& g = p.geometry;
  parallel_rows(g.planes, g.output[0], g.output[1], 4 * g.output[2], [&](int64_t plane, int64_t z, int64_t oy) {
    const Element* x = static_cast<const Element*>(p.x) + plane * g.input[0] * g.input[1] * g.input[2];
    const int64_t first_index = (z * g.input[1] + 2 * oy) * g.input[2];
    const int64_t out = ((plane * g.output[0] + z) * g.output[1] + oy) * g.output[2];
    for_blocks(0, g.output[2], [&](int64_t o, auto size) {
      Maxima<Mode, 2, size> maxima;
      for (const int64_t tap : {int64_t{0}, int64_t{1}, g.input[2], g.input[2] + 1}) {
        const int64_t index = first_index + 2 * o + tap;
        maxima.take(x + index, static_cast<int32_t>(index), 2);
      }
      maxima.put(static_cast<Element*>(p.y) + out + o, Mode == Indices::keep ? p.indices + out + o : nullptr);
    });
  });
}

template <typename Element, Indices Mode>
void forward(const MaxPoolForward& p) {
  if (tiles_by_squares_of_two(p.geometry)) return forward_squares_of_two<Element, Mode>(p);
  if (p.geometry.stride[2] == 1) return forward_rows<Element, Mode, 1>(p);
  if (p.geometry.stride[2] == 2) return forward_rows<Element, Mode, 2>(p);
  forward_rows<Element, Mode, 0>(p);
}

template <typename Element, int Size>
void give_back_pairs(const Element* __restrict dy, const int32_t* __restrict indices, int32_t first_index,
                     Element* __restrict dx, Count<Size>) {
#pragma GCC unroll 1  // a loop that is unrolled whole is not vectorised
  for (int o = 0; o < Size; ++o) {
    const Element value = dy[o];
    const int32_t pair = indices[o] - first_index - 2 * o;
    dx[2 * o] = pair == 0 ? value : Element{};
    dx[2 * o + 1] = pair == 1 ? value : Element{};
  }
}

// Each input looks at the one output that may have taken it.
template <typename Element>
void backward_pairs(const MaxPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  parallel_rows(g.planes, g.input[0], g.input[1], g.input[2], [&](int64_t plane, int64_t z, int64_t row) {
    const int64_t first_index = (z * g.input[1] + row) * g.input[2];
    Element* dx = static_cast<Element*>(p.dx) + plane * g.input[0] * g.input[1] * g.input[2] + first_index;
    const int64_t oz = z / g.kernel[0];
    const int64_t oy = row / g.kernel[1];
    int64_t written = 0;
    if (oz < g.output[0] && oy < g.output[1]) {
      const int64_t out = ((plane * g.output[0] + oz) * g.output[1] + oy) * g.output[2];
      for_blocks(0, g.output[2], [&](int64_t o, auto size) {
        give_back_pairs(static_cast<const Element*>(p.dy) + out + o, p.indices + out + o,
                        static_cast<int32_t>(first_index + 2 * o), dx + 2 * o, size);
      });
      written = 2 * g.output[2];
    }
    std::fill(dx + written, dx + g.input[2], Element{});
  });
}

template <typename Element>
void backward_input(const MaxPoolBackwardInput& p) {
  const PoolGeometry& g = p.geometry;
  if (tiles_by_pairs(g)) return backward_pairs<Element>(p);
  const int64_t inputs = g.input[0] * g.input[1] * g.input[2];
  const int64_t outputs = g.output[0] * g.output[1] * g.output[2];
  const int64_t grain = std::max<int64_t>(1, elementwise_grain / inputs);
  parallel_ranges(g.planes, grain, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const Element* dy = static_cast<const Element*>(p.dy) + plane * outputs;
      const int32_t* indices = p.indices + plane * outputs;
      const FloatRow<Element> sums(static_cast<Element*>(p.dx) + plane * inputs, inputs, worker);
      float* dx = sums.values();
      std::fill_n(dx, inputs, 0.0f);
      for (int64_t o = 0; o < outputs; ++o) {
        if (indices[o] >= 0 && indices[o] < inputs) dx[indices[o]] += to_float(dy[o]);
      }
      sums.put();
    }
  });
}

}  // namespace

void max_pool_forward(const MaxPoolForward& p) {
  with_element_type(p.type, [&]<typename Element>() {
    p.indices == nullptr ? forward<Element, Indices::skip>(p) : forward<Element, Indices::keep>(p);
  });
}

void max_pool_backward_input(const MaxPoolBackwardInput& p) {
  with_element_type(p.type, [&]<typename Element>() { backward_input<Element>(p); });
}

}  // namespace gmr::cpu
