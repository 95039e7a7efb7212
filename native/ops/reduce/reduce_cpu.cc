#include <algorithm>
#include <vector>

#include "cpu/divide_up.h"
#include "cpu/double_vector.h"
#include "cpu/elementwise_tuning.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/reduce/reduce_tuning.h"

namespace gmr::cpu {
namespace {

template <typename Element>
double sum_of(const Element* x, int64_t count) {
  constexpr int chains = 4;  // as many additions in flight as hide their latency
  DoubleVector sums[chains] = {};
  int64_t i = 0;
  for (; i + chains * double_lanes <= count; i += chains * double_lanes) {
    for (int k = 0; k < chains; ++k) sums[k] += load_double(x + i + k * double_lanes);
  }
  double total = sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < count; ++i) total += to_float(x[i]);
  return total;
}

// A cell is what one task adds up: `rows` rows of one `outer` index, `columns` wide.
struct Cells {
  int64_t rows, pieces;    // the reduced axis, cut into pieces of `rows`
  int64_t columns, tiles;  // the inner axis, cut into tiles of `columns`

  explicit Cells(const ReduceForward& p)
      : columns(std::clamp<int64_t>(p.inner, 1, reduce_columns)), tiles(divide_up(p.inner, columns)) {
    rows = std::clamp<int64_t>(p.reduced, 1, reduce_grain / columns);
    pieces = std::max<int64_t>(divide_up(p.reduced, rows), 1);  // one even where there is nothing to add: y is 0 then
  }
};

template <typename Element, typename Write>
void sum_cell(const ReduceForward& p, const Cells& cells, int64_t outer, int64_t piece, int64_t tile, Write&& write) {
  const int64_t begin = piece * cells.rows;
  const int64_t rows = std::min(cells.rows, p.reduced - begin);
  const int64_t column = tile * cells.columns;
  const int64_t columns = std::min(cells.columns, p.inner - column);
  const Element* x = static_cast<const Element*>(p.x) + (outer * p.reduced + begin) * p.inner + column;
  if (p.inner == 1) {
    write(0, sum_of(x, rows));
    return;
  }
  double sums[reduce_columns] = {};
  for (int64_t row = 0; row < rows; ++row, x += p.inner) {
    for (int64_t i = 0; i < columns; ++i) sums[i] += to_float(x[i]);
  }
  for (int64_t i = 0; i < columns; ++i) write(column + i, sums[i]);
}

template <typename From, typename To>
void forward(const ReduceForward& p) {
  const Cells cells(p);
  const auto divisor = static_cast<double>(p.divisor);
  std::vector<double> partial(cells.pieces > 1 ? static_cast<size_t>(p.outer * cells.pieces * p.inner) : 0);
  const int64_t grain = std::max<int64_t>(reduce_grain / (cells.rows * cells.columns), 1);
  parallel_ranges(p.outer * cells.pieces * cells.tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t cell = begin; cell < end; ++cell) {
      const int64_t tile = cell % cells.tiles;
      const int64_t piece = cell / cells.tiles % cells.pieces;
      const int64_t outer = cell / cells.tiles / cells.pieces;
      if (cells.pieces == 1) {
        To* y = static_cast<To*>(p.y) + outer * p.inner;
        sum_cell<From>(p, cells, outer, piece, tile,
                       [&](int64_t i, double s) { y[i] = to_element<To>(static_cast<float>(s / divisor)); });
      } else {
        double* sums = partial.data() + (outer * cells.pieces + piece) * p.inner;
        sum_cell<From>(p, cells, outer, piece, tile, [&](int64_t i, double s) { sums[i] = s; });
      }
    }
  });
  if (cells.pieces == 1) return;
  parallel_ranges(p.outer * p.inner, std::max<int64_t>(reduce_grain / cells.pieces, 1),
                  [&](int64_t begin, int64_t end) {
                    auto* y = static_cast<To*>(p.y);
                    for (int64_t i = begin; i < end; ++i) {
                      const double* sums = partial.data() + i / p.inner * cells.pieces * p.inner + i % p.inner;
                      double total = 0;
                      for (int64_t piece = 0; piece < cells.pieces; ++piece) total += sums[piece * p.inner];
                      y[i] = to_element<To>(static_cast<float>(total / divisor));
                    }
                  });
}

template <typename From, typename To>
void backward_input(const ReduceBackwardInput& p) {
  parallel_ranges(p.outer * p.reduced * p.inner, elementwise_grain, [&](int64_t begin, int64_t end) {
    const auto* dy = static_cast<const From*>(p.dy);
    auto* dx = static_cast<To*>(p.dx);
    const auto divisor = static_cast<float>(p.divisor);
    // Runs of one element of dy repeated, or of a row of dy.
    const int64_t run = p.inner == 1 ? p.reduced : p.inner;
    for (int64_t i = begin; i < end;) {
      const int64_t run_end = std::min((i / run + 1) * run, end);
      if (p.inner == 1) {
        std::fill(dx + i, dx + run_end, to_element<To>(to_float(dy[i / run]) / divisor));
        i = run_end;
      } else {
        const From* row = dy + i / run / p.reduced * p.inner - i / run * run;
        for (; i < run_end; ++i) dx[i] = to_element<To>(to_float(row[i]) / divisor);
      }
    }
  });
}

}  // namespace

void reduce_forward(const ReduceForward& p) {
  with_element_type(
      p.x_type, [&]<typename From>() { with_element_type(p.y_type, [&]<typename To>() { forward<From, To>(p); }); });
}

void reduce_backward_input(const ReduceBackwardInput& p) {
  with_element_type(p.y_type, [&]<typename From>() {
    with_element_type(p.x_type, [&]<typename To>() { backward_input<From, To>(p); });
  });
}

}  // namespace gmr::cpu
