// Two sums a channel in double, over pieces of its positions; then a warp a channel adds the pieces up and works out
// what every element needs; then one elementwise pass.
#include <limits>

#include "cuda/divisor.h"
#include "cuda/elements.cuh"
#include "cuda/kernels.h"
#include "cuda/reduction.cuh"
#include "ops/batch_norm/batch_norm_cuda_tuning.h"

namespace gmr::cuda {
namespace {

// How a channel's N * P positions are cut, by the shape alone.
struct Partition {
  BatchNormExtents extents;
  int64_t positions, pieces;
  Divisor by_pieces, by_pixels, by_channels;

  explicit Partition(const BatchNormExtents& e)
      : extents(e),
        positions(e.batch * e.pixels),
        pieces((positions + batch_norm_piece - 1) / batch_norm_piece),
        by_pieces(pieces),
        by_pixels(e.pixels),
        by_channels(e.channels) {}

  size_t partial_bytes() const { return static_cast<size_t>(extents.channels * pieces) * sizeof(DoublePair); }
  __host__ __device__ int64_t count() const { return positions * extents.channels; }

  // Groups of elements lie in one channel.
  template <typename T, typename... Operands>
  int64_t groups(const Operands*... operands) const {
    return extents.pixels % group_width<T> == 0 ? groups_of<T>(count(), operands...) : 0;
  }

  __device__ int64_t channel_of(int64_t element) const {
    return by_channels.divide(by_pixels.divide(element).quotient).remainder;
  }

  // A block for each piece of each channel: partial[c, piece] = sums of term(c, offset) over the piece.
  template <typename Term>
  __device__ void sum_pieces(DoublePair* partial, Term&& term) const {
    for (int64_t item = blockIdx.x; item < extents.channels * pieces; item += gridDim.x) {
      const auto [c, piece] = by_pieces.divide(item);
      const int64_t begin = piece * batch_norm_piece, end = min(begin + batch_norm_piece, positions);
      DoublePair sums{0, 0};
      for (int64_t position = begin + threadIdx.x; position < end; position += blockDim.x) {
        const auto [n, pixel] = by_pixels.divide(position);
        const DoublePair next = term(c, (n * extents.channels + c) * extents.pixels + pixel);
        sums = {sums.first + next.first, sums.second + next.second};
      }
      sums = block_sums(sums);
      if (threadIdx.x == 0) partial[item] = sums;
    }
  }

  // Of a channel's pieces, in every lane of its warp.
  __device__ DoublePair total(const DoublePair* partial, int64_t c) const {
    DoublePair sums{0, 0};
    for (int64_t piece = lane_of_thread(); piece < pieces; piece += warp_threads) {
      const DoublePair next = partial[c * pieces + piece];
      sums = {sums.first + next.first, sums.second + next.second};
    }
    return {warp_sum(sums.first), warp_sum(sums.second)};
  }
};

// Sums are taken about the channel's first value. Whatever it is, its square distance from the mean is at most M
// variances, so that the subtraction below loses a part in 2^53 / M at most.
template <typename T>
__device__ double pivot_of(const BatchNormAffine& p, int64_t c) {
  return to_float(static_cast<const T*>(p.x)[c * p.extents.pixels]);
}

__device__ float inverse_root(double variance, float eps) { return static_cast<float>(1 / sqrt(variance + eps)); }

// dx = by_g g + by_x (x - mean) + offset for each element of a channel.
struct Slopes {
  float by_g, by_x, offset;
};

// g of batch_norm.h.
template <typename T>
__device__ float gradient_at(const BatchNormBackwardInput& p, int64_t i) {
  const bool is_kept = p.y == nullptr || to_float(static_cast<const T*>(p.y)[i]) > 0;
  return is_kept ? to_float(static_cast<const T*>(p.dy)[i]) : 0;
}

// kernels

template <typename T>
__global__ void batch_norm_forward_sums_kernel(const __grid_constant__ BatchNormAffine p,
                                               const __grid_constant__ Partition partition, DoublePair* partial) {
  partition.sum_pieces(partial, [&](int64_t c, int64_t i) {
    const double d = to_float(static_cast<const T*>(p.x)[i]) - pivot_of<T>(p, c);
    return DoublePair{d, d * d};
  });
}

template <typename T>
__global__ void batch_norm_forward_finish_kernel(const __grid_constant__ BatchNormForward p,
                                                 const __grid_constant__ Partition partition, const DoublePair* partial,
                                                 const OutOfRange* out_of_range) {
  const BatchNormAffine& affine = p.affine;
  for (int64_t c = first_warp_item(); c < affine.extents.channels; c += warp_item_step()) {
    const DoublePair totals = partition.total(partial, c);
    if (lane_of_thread() != 0) continue;
    const auto count = static_cast<double>(partition.positions);
    const double mean = pivot_of<T>(affine, c) + totals.first / count;
    const double squares = totals.second - totals.first * totals.first / count;
    const double positive = squares < 0 ? 0 : squares;  // rounding; NaN stays
    affine.mean[c] = static_cast<float>(mean);
    affine.inverse_std[c] = inverse_root(positive / count, affine.eps);
    if (out_of_range->argument != CheckedArgument::none) continue;
    if (p.running_mean != nullptr) {
      p.running_mean[c] = static_cast<float>((1 - p.momentum) * p.running_mean[c] + p.momentum * mean);
    }
    if (p.running_variance != nullptr) {
      const double unbiased = positive / (count - 1);
      p.running_variance[c] = static_cast<float>((1 - p.momentum) * p.running_variance[c] + p.momentum * unbiased);
    }
  }
}

__global__ void batch_norm_running_statistics_kernel(const __grid_constant__ BatchNormForwardInference p) {
  for (int64_t c = first_item(); c < p.affine.extents.channels; c += item_step()) {
    p.affine.mean[c] = p.running_mean[c];
    p.affine.inverse_std[c] = inverse_root(p.running_variance[c], p.affine.eps);
  }
}

__global__ void batch_norm_scale_kernel(const __grid_constant__ BatchNormScale p) {
  for (int64_t c = first_item(); c < p.channels; c += item_step()) {
    const float inverse_std = inverse_root(p.running_variance[c], p.eps);
    p.scale[c] = p.weight == nullptr ? inverse_std : p.weight[c] * inverse_std;
  }
}

template <typename T>
__global__ void batch_norm_normalise_kernel(const __grid_constant__ BatchNormAffine p,
                                            const __grid_constant__ Partition partition, int64_t groups) {
  const float floor = p.relu ? 0 : -INFINITY;
  for_elements<T>(partition.count(), groups, [&](int64_t i, auto width) {
    const int64_t c = partition.channel_of(i);
    const float mean = p.mean[c];  // subtracted first: folded into the offset it would cost digits where it is large
    const float scale = p.weight == nullptr ? p.inverse_std[c] : p.weight[c] * p.inverse_std[c];
    const float bias = p.bias == nullptr ? 0 : p.bias[c];
    auto z = load_pack<width>(static_cast<const T*>(p.x) + i);
#pragma unroll
    for (float& value : z.v) value = (value - mean) * scale + bias;
    if (p.residual != nullptr) {
      const auto residual = load_pack<width>(static_cast<const T*>(p.residual) + i);
#pragma unroll
      for (int k = 0; k < width; ++k) z.v[k] += residual.v[k];
    }
#pragma unroll
    for (float& value : z.v) value = value < floor ? floor : value;
    store_pack(static_cast<T*>(p.y) + i, z);
  });
}

template <typename T>
__global__ void batch_norm_backward_sums_kernel(const __grid_constant__ BatchNormBackwardInput p,
                                                const __grid_constant__ Partition partition, DoublePair* partial) {
  partition.sum_pieces(partial, [&](int64_t c, int64_t i) {
    const double g = gradient_at<T>(p, i);
    const double x = to_float(static_cast<const T*>(p.x)[i]);
    return DoublePair{g, g * (x - static_cast<double>(p.mean[c]))};
  });
}

// `partial` is nullptr where no sum is wanted.
__global__ void batch_norm_backward_finish_kernel(const __grid_constant__ BatchNormBackwardInput p,
                                                  const __grid_constant__ Partition partition,
                                                  const DoublePair* partial, Slopes* slopes) {
  for (int64_t c = first_warp_item(); c < p.extents.channels; c += warp_item_step()) {
    const DoublePair totals = partial == nullptr ? DoublePair{0, 0} : partition.total(partial, c);
    if (lane_of_thread() != 0) continue;
    const double inverse_std = p.inverse_std[c];
    const double scale = p.weight == nullptr ? inverse_std : p.weight[c] * inverse_std;
    const auto count = static_cast<double>(partition.positions);
    if (p.dbias != nullptr) p.dbias[c] = static_cast<float>(totals.first);
    if (p.dweight != nullptr) p.dweight[c] = static_cast<float>(totals.second * inverse_std);
    Slopes s{static_cast<float>(scale), 0, 0};
    if (p.training) {
      s.by_x = static_cast<float>(-scale * inverse_std * inverse_std * totals.second / count);
      s.offset = static_cast<float>(-scale * totals.first / count);
    }
    slopes[c] = s;
  }
}

template <typename T>
__global__ void batch_norm_backward_input_kernel(const __grid_constant__ BatchNormBackwardInput p,
                                                 const __grid_constant__ Partition partition, const Slopes* slopes,
                                                 int64_t groups) {
  for_elements<T>(partition.count(), groups, [&](int64_t i, auto width) {
    auto g = load_pack<width>(static_cast<const T*>(p.dy) + i);
    if (p.y != nullptr) {
      const auto y = load_pack<width>(static_cast<const T*>(p.y) + i);
#pragma unroll
      for (int k = 0; k < width; ++k) g.v[k] = y.v[k] > 0 ? g.v[k] : 0;
    }
    if (p.dresidual != nullptr) store_pack(static_cast<T*>(p.dresidual) + i, g);
    if (p.dx == nullptr) return;
    const int64_t c = partition.channel_of(i);
    const Slopes s = slopes[c];
    if (p.training) {
      const float mean = p.mean[c];
      const auto x = load_pack<width>(static_cast<const T*>(p.x) + i);
#pragma unroll
      for (int k = 0; k < width; ++k) g.v[k] = s.by_g * g.v[k] + s.by_x * (x.v[k] - mean) + s.offset;
    } else {
#pragma unroll
      for (float& value : g.v) value *= s.by_g;
    }
    store_pack(static_cast<T*>(p.dx) + i, g);
  });
}

template <typename T>
void normalise(BackendDevice& device, const BatchNormAffine& p, const Partition& partition) {
  const int64_t groups = partition.groups<T>(p.x, p.residual, p.y);
  launch(device, Kernel{"batch_norm_normalise_kernel", batch_norm_normalise_kernel<T>},
         elements_shape(device, partition.count(), groups), p, partition, groups);
}

}  // namespace

// launchers

void batch_norm_forward(BackendDevice& device, const BatchNormForward& p) {
  const Partition partition(p.affine.extents);
  auto* partial = static_cast<DoublePair*>(device.scratch(partition.partial_bytes()));
  with_element_type(p.affine.type, [&]<typename T>() {
    launch(device, Kernel{"batch_norm_forward_sums_kernel", batch_norm_forward_sums_kernel<T>},
           block_each(partition.extents.channels * partition.pieces), p.affine, partition, partial);
    launch(device, Kernel{"batch_norm_forward_finish_kernel", batch_norm_forward_finish_kernel<T>},
           warp_each(device, partition.extents.channels), p, partition, partial, device.out_of_range());
    normalise<T>(device, p.affine, partition);
  });
}

void batch_norm_forward_inference(BackendDevice& device, const BatchNormForwardInference& p) {
  launch(device, Kernel{"batch_norm_running_statistics_kernel", batch_norm_running_statistics_kernel},
         thread_each(device, p.affine.extents.channels), p);
  with_element_type(p.affine.type, [&]<typename T>() { normalise<T>(device, p.affine, Partition(p.affine.extents)); });
}

void batch_norm_scale(BackendDevice& device, const BatchNormScale& p) {
  launch(device, Kernel{"batch_norm_scale_kernel", batch_norm_scale_kernel}, thread_each(device, p.channels), p);
}

void batch_norm_backward_input(BackendDevice& device, const BatchNormBackwardInput& p) {
  const Partition partition(p.extents);
  const Scratch scratch(device, {static_cast<size_t>(p.extents.channels) * sizeof(Slopes), partition.partial_bytes()});
  auto* slopes = scratch.array<Slopes>(0);
  const bool has_sums = p.dweight != nullptr || p.dbias != nullptr || (p.training && p.dx != nullptr);
  DoublePair* partial = has_sums ? scratch.array<DoublePair>(1) : nullptr;
  with_element_type(p.type, [&]<typename T>() {
    if (has_sums) {
      launch(device, Kernel{"batch_norm_backward_sums_kernel", batch_norm_backward_sums_kernel<T>},
             block_each(partition.extents.channels * partition.pieces), p, partition, partial);
    }
    launch(device, Kernel{"batch_norm_backward_finish_kernel", batch_norm_backward_finish_kernel},
           warp_each(device, partition.extents.channels), p, partition, partial, slopes);
    if (p.dx == nullptr && p.dresidual == nullptr) return;
    const int64_t groups = partition.groups<T>(p.x, p.y, p.dy, p.dx, p.dresidual);
    launch(device, Kernel{"batch_norm_backward_input_kernel", batch_norm_backward_input_kernel<T>},
           elements_shape(device, partition.count(), groups), p, partition, slopes, groups);
  });
}

}  // namespace gmr::cuda
