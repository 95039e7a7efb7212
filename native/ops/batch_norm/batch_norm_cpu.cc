#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/divide_up.h"
#include "cpu/double_vector.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/batch_norm/batch_norm_tuning.h"

namespace gmr::cpu {
namespace {

// Both passes need two sums a channel over N and P.
struct Sums {
  double first = 0, second = 0;

  Sums& operator+=(const Sums& other) {
    first += other.first;
    second += other.second;
    return *this;
  }
};

// How the work is cut, by the shape alone: tiles of channels, and pieces of the N * P positions that each channel has.
class Partition {
 public:
  Partition(const BatchNormExtents& extents, int64_t arrays_read_twice)
      : extents_(extents),
        positions_(extents.batch * extents.pixels),
        tile_(std::clamp<int64_t>(batch_norm_run / std::max<int64_t>(extents.pixels, 1), 1, batch_norm_run)),
        piece_(batch_norm_grain / tile_),
        tiles_(divide_up(extents.channels, tile_)),
        pieces_(divide_up(positions_, piece_)),
        resident_(tiles_ >= batch_norm_resident_tasks &&
                  positions_ * tile_ * arrays_read_twice <= batch_norm_resident_floats) {}

  // Calls apply(c, offset, count) for every contiguous run of a channel's elements.
  template <typename Apply>
  void each_run(Apply&& apply) const {
    parallel_for(tiles_ * pieces_, [&](int64_t task) { runs(task % tiles_, task / tiles_, apply); });
  }

  // Adds sum(c, offset, count) up over the runs of each channel, hands the totals to finish(c, totals), and then calls
  // apply as above. The order of the additions does not depend on whether a channel stays with one task.
  template <typename Sum, typename Finish, typename Apply>
  void sum_then_each_run(Sum&& sum, Finish&& finish, Apply&& apply) const {
    std::vector<Sums> partial(static_cast<size_t>(pieces_ * extents_.channels));
    const auto sum_piece = [&](int64_t tile, int64_t piece) {
      Sums* sums = partial.data() + piece * extents_.channels;
      runs(tile, piece, [&](int64_t c, int64_t offset, int64_t count) { sums[c] += sum(c, offset, count); });
    };
    const auto finish_tile = [&](int64_t tile) {
      const int64_t end = std::min((tile + 1) * tile_, extents_.channels);
      for (int64_t c = tile * tile_; c < end; ++c) {
        Sums totals;
        for (int64_t piece = 0; piece < pieces_; ++piece) totals += partial[piece * extents_.channels + c];
        finish(c, totals);
      }
    };
    if (resident_) {
      parallel_for(tiles_, [&](int64_t tile) {
        for (int64_t piece = 0; piece < pieces_; ++piece) sum_piece(tile, piece);
        finish_tile(tile);
        for (int64_t piece = 0; piece < pieces_; ++piece) runs(tile, piece, apply);
      });
    } else {
      parallel_for(tiles_ * pieces_, [&](int64_t task) { sum_piece(task % tiles_, task / tiles_); });
      parallel_for(tiles_, finish_tile);
      each_run(apply);
    }
  }

 private:
  // Samples outside, channels inside: the order in which the elements lie in memory.
  template <typename F>
  void runs(int64_t tile, int64_t piece, F&& f) const {
    const int64_t first = tile * tile_, last = std::min(first + tile_, extents_.channels);
    const int64_t end = std::min((piece + 1) * piece_, positions_);
    for (int64_t position = piece * piece_; position < end;) {
      const int64_t n = position / extents_.pixels, pixel = position % extents_.pixels;
      const int64_t count = std::min(extents_.pixels - pixel, end - position);
      for (int64_t c = first; c < last; ++c) f(c, (n * extents_.channels + c) * extents_.pixels + pixel, count);
      position += count;
    }
  }

  BatchNormExtents extents_;
  int64_t positions_, tile_, piece_, tiles_, pieces_;
  bool resident_;
};

// Sums of d = x - pivot and of d^2.
template <typename Element>
Sums centred_sums(const Element* x, int64_t count, double pivot) {
  constexpr int chains = 2;  // with the two sums, four additions in flight: enough to keep up with memory
  DoubleVector first[chains] = {}, second[chains] = {};
  int64_t i = 0;
  for (; i + chains * double_lanes <= count; i += chains * double_lanes) {
    for (int k = 0; k < chains; ++k) {
      const DoubleVector d = load_double(x + i + k * double_lanes) - pivot;
      first[k] += d;
      second[k] += d * d;
    }
  }
  Sums sums{sum(first[0] + first[1]), sum(second[0] + second[1])};
  for (; i < count; ++i) {
    const double d = to_float(x[i]) - pivot;
    sums += {d, d * d};
  }
  return sums;
}

// Sums of g and of g (x - mean); g is dy, and 0 where a rectifier's y is not positive.
template <bool rectified, typename Element>
Sums gradient_sums(const Element* x, const Element* y, const Element* dy, int64_t count, double mean) {
  constexpr int chains = 2;
  DoubleVector first[chains] = {}, second[chains] = {};
  int64_t i = 0;
  for (; i + chains * double_lanes <= count; i += chains * double_lanes) {
    for (int k = 0; k < chains; ++k) {
      const int64_t at = i + k * double_lanes;
      auto g = load<double_lanes>(dy + at);
      if constexpr (rectified) g = load<double_lanes>(y + at) > 0 ? g : VectorOf<double_lanes>::aligned{};
      first[k] += to_double(g);
      second[k] += to_double(g) * (load_double(x + at) - mean);
    }
  }
  Sums sums{sum(first[0] + first[1]), sum(second[0] + second[1])};
  for (; i < count; ++i) {
    const double g = rectified && !(to_float(y[i]) > 0) ? 0 : to_float(dy[i]);
    sums += {g, g * (to_float(x[i]) - mean)};
  }
  return sums;
}

template <typename Element>
void normalise(const BatchNormAffine& p, int64_t c, int64_t offset, int64_t count) {
  const float mean = p.mean[c];  // subtracted first: folded into the offset it would cost digits where it is large
  const float scale = p.weight == nullptr ? p.inverse_std[c] : p.weight[c] * p.inverse_std[c];
  const float bias = p.bias == nullptr ? 0 : p.bias[c];
  const float floor = p.relu ? 0 : -std::numeric_limits<float>::infinity();
  const Element* x = static_cast<const Element*>(p.x) + offset;
  Element* y = static_cast<Element*>(p.y) + offset;
  if (p.residual == nullptr) {
    for (int64_t i = 0; i < count; ++i) {
      const float z = (to_float(x[i]) - mean) * scale + bias;
      y[i] = to_element<Element>(z < floor ? floor : z);
    }
  } else {
    const Element* residual = static_cast<const Element*>(p.residual) + offset;
    for (int64_t i = 0; i < count; ++i) {
      const float z = (to_float(x[i]) - mean) * scale + bias + to_float(residual[i]);
      y[i] = to_element<Element>(z < floor ? floor : z);
    }
  }
}

float inverse_root(double variance, float eps) { return static_cast<float>(1 / std::sqrt(variance + eps)); }

// dx = by_g g + by_x (x - mean) + offset for each element of a channel.
struct Slopes {
  float by_g, by_x, offset;
};

template <typename Element, bool rectified>
void backward(const BatchNormBackwardInput& p) {
  const Partition partition(p.extents, rectified ? 3 : 2);
  const auto count_all = static_cast<double>(p.extents.batch * p.extents.pixels);
  std::vector<Slopes> slopes(static_cast<size_t>(p.extents.channels));
  const auto* all_x = static_cast<const Element*>(p.x);
  const auto* all_y = static_cast<const Element*>(p.y);
  const auto* all_dy = static_cast<const Element*>(p.dy);

  const auto sum = [&](int64_t c, int64_t offset, int64_t count) {
    const Element* y = rectified ? all_y + offset : nullptr;
    return gradient_sums<rectified>(all_x + offset, y, all_dy + offset, count, p.mean[c]);
  };
  const auto finish = [&](int64_t c, const Sums& totals) {
    const double inverse_std = p.inverse_std[c];
    const double scale = p.weight == nullptr ? inverse_std : p.weight[c] * inverse_std;
    if (p.dbias != nullptr) p.dbias[c] = static_cast<float>(totals.first);
    if (p.dweight != nullptr) p.dweight[c] = static_cast<float>(totals.second * inverse_std);
    slopes[c] = {static_cast<float>(scale), 0, 0};
    if (p.training) {
      slopes[c].by_x = static_cast<float>(-scale * inverse_std * inverse_std * totals.second / count_all);
      slopes[c].offset = static_cast<float>(-scale * totals.first / count_all);
    }
  };
  const auto write = [&](int64_t c, int64_t offset, int64_t count) {
    const Element* x = all_x + offset;
    const Element* dy = all_dy + offset;
    const auto g = [dy, y = rectified ? all_y + offset : nullptr](int64_t i) {
      const float value = to_float(dy[i]);  // read in any case, so that the loops below have no branch
      return !rectified || to_float(y[i]) > 0 ? value : 0;
    };
    if (p.dx != nullptr) {
      const Slopes s = slopes[c];
      const float mean = p.mean[c];
      Element* dx = static_cast<Element*>(p.dx) + offset;
      if (p.training) {
        for (int64_t i = 0; i < count; ++i) {
          dx[i] = to_element<Element>(s.by_g * g(i) + s.by_x * (to_float(x[i]) - mean) + s.offset);
        }
      } else {
        for (int64_t i = 0; i < count; ++i) dx[i] = to_element<Element>(s.by_g * g(i));
      }
    }
    if (p.dresidual != nullptr) {
      Element* dresidual = static_cast<Element*>(p.dresidual) + offset;
      for (int64_t i = 0; i < count; ++i) dresidual[i] = to_element<Element>(g(i));
    }
  };

  if (p.dweight != nullptr || p.dbias != nullptr || (p.training && p.dx != nullptr)) {
    partition.sum_then_each_run(sum, finish, write);
  } else {
    for (int64_t c = 0; c < p.extents.channels; ++c) finish(c, {});
    partition.each_run(write);
  }
}

template <typename Element>
void forward(const BatchNormForward& p) {
  const BatchNormAffine& affine = p.affine;
  const BatchNormExtents& extents = affine.extents;
  const auto* x = static_cast<const Element*>(affine.x);
  // Sums are taken about the channel's first value. Whatever it is, its square distance from the mean is at most M
  // variances, so that the subtraction below loses a part in 2^53 / M at most.
  const auto pivot = [&](int64_t c) { return static_cast<double>(to_float(x[c * extents.pixels])); };
  const auto sum = [&](int64_t c, int64_t offset, int64_t count) { return centred_sums(x + offset, count, pivot(c)); };
  const auto finish = [&](int64_t c, const Sums& totals) {
    const auto count = static_cast<double>(extents.batch * extents.pixels);
    const double mean = pivot(c) + totals.first / count;
    const double squares = totals.second - totals.first * totals.first / count;
    const double positive = squares < 0 ? 0 : squares;  // rounding; NaN stays
    affine.mean[c] = static_cast<float>(mean);
    affine.inverse_std[c] = inverse_root(positive / count, affine.eps);
    if (p.running_mean != nullptr) {
      p.running_mean[c] = static_cast<float>((1 - p.momentum) * p.running_mean[c] + p.momentum * mean);
    }
    if (p.running_variance != nullptr) {
      const double unbiased = positive / (count - 1);
      p.running_variance[c] = static_cast<float>((1 - p.momentum) * p.running_variance[c] + p.momentum * unbiased);
    }
  };
  Partition(extents, 1).sum_then_each_run(sum, finish, [&](int64_t c, int64_t offset, int64_t count) {
    normalise<Element>(affine, c, offset, count);
  });
}

template <typename Element>
void forward_inference(const BatchNormForwardInference& p) {
  const BatchNormAffine& affine = p.affine;
  for (int64_t c = 0; c < affine.extents.channels; ++c) {
    affine.mean[c] = p.running_mean[c];
    affine.inverse_std[c] = inverse_root(p.running_variance[c], affine.eps);
  }
  Partition(affine.extents, 1).each_run([&](int64_t c, int64_t offset, int64_t count) {
    normalise<Element>(affine, c, offset, count);
  });
}

}  // namespace

void batch_norm_forward(const BatchNormForward& p) {
  with_element_type(p.affine.type, [&]<typename Element>() { forward<Element>(p); });
}

void batch_norm_forward_inference(const BatchNormForwardInference& p) {
  with_element_type(p.affine.type, [&]<typename Element>() { forward_inference<Element>(p); });
}

void batch_norm_scale(const BatchNormScale& p) {
  for (int64_t c = 0; c < p.channels; ++c) {
    const float inverse_std = inverse_root(p.running_variance[c], p.eps);
    p.scale[c] = p.weight == nullptr ? inverse_std : p.weight[c] * inverse_std;
  }
}

void batch_norm_backward_input(const BatchNormBackwardInput& p) {
  with_element_type(
      p.type, [&]<typename Element>() { p.y == nullptr ? backward<Element, false>(p) : backward<Element, true>(p); });
}

}  // namespace gmr::cpu
