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

// The channels of a group's elements: `next` has those from `left` on.
struct GroupChannels {
  int64_t first, next, left;
};

// How a channel's positions are cut, by the shape alone: its planes into groups, which may hold elements of the planes
// beside it, and these into pieces.
class Partition {
 public:
  BatchNormExtents extents;
  int64_t pieces;

  Partition(const BatchNormExtents& e, int group_width)
      : extents(e),
        plane_groups_(e.pixels % group_width == 0 ? e.pixels / group_width
                                                  : (e.pixels + group_width - 2) / group_width + 1),
        by_pixels_(e.pixels),
        by_channels_(e.channels),
        by_plane_groups_(plane_groups_),
        by_few_groups_(plane_groups_) {
    pieces = (e.batch * plane_groups_ + batch_norm_piece_groups - 1) / batch_norm_piece_groups;
    by_pieces_ = Divisor(pieces);
  }

  size_t partial_bytes() const { return static_cast<size_t>(extents.channels * pieces) * sizeof(DoublePair); }
  __host__ __device__ int64_t positions() const { return extents.batch * extents.pixels; }
  __host__ __device__ int64_t count() const { return positions() * extents.channels; }

  // For elementwise passes: a group has elements of at most two channels.
  template <typename T, typename... Operands>
  int64_t groups(const Operands*... operands) const {
    return extents.pixels >= group_width<T> ? groups_of<T>(count(), operands...) : 0;
  }

  __device__ GroupChannels channels_of(int64_t element) const {
    const auto [plane, pixel] = by_pixels_.divide(element);
    const int64_t c = by_channels_.divide(plane).remainder;
    return {c, c + 1 < extents.channels ? c + 1 : 0, extents.pixels - pixel};
  }

  // A block for each piece of each channel: partial[c, piece] = sums of term(about, load(first), k) over the elements k
  // of its groups, with about = prepare(c).
  template <typename T, int ahead, typename Prepare, typename Load, typename Term>
  __device__ void sum_pieces(DoublePair* partial, Prepare&& prepare, Load&& load, Term&& term) const {
    constexpr int width = group_width<T>;
    for (int64_t item = blockIdx.x; item < extents.channels * pieces; item += gridDim.x) {
      const auto [c, piece] = by_pieces_.divide(item);
      const auto [first_image, first_group] = by_plane_groups_.divide(piece * batch_norm_piece_groups);
      const int64_t first_plane = (first_image * extents.channels + c) * extents.pixels;
      const int64_t left = extents.batch * plane_groups_ - piece * batch_norm_piece_groups;
      const auto about = prepare(c);
      DoublePair sums{0, 0};
      load_ahead<ahead / width>(
          static_cast<int>(threadIdx.x), block_threads, static_cast<int>(min(left, batch_norm_piece_groups)),
          [&, first_group = first_group](int i) {
            int group;
            const int image = by_few_groups_.divide(static_cast<int>(first_group) + i, group);
            const int64_t begin = first_plane + image * (extents.channels * extents.pixels);
            const int64_t first = (begin / width + group) * width;
            return std::pair{load(first), GroupPart<T>(first, begin, begin + extents.pixels)};
          },
          [&](int, const auto& loaded) {
#pragma unroll
            for (int k = 0; k < width; ++k) {
              const DoublePair next = term(about, loaded.first, k, loaded.second.contains(k));
              sums = {sums.first + next.first, sums.second + next.second};
            }
          });
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

 private:
  int64_t plane_groups_;
  Divisor by_pixels_, by_channels_, by_plane_groups_, by_pieces_;
  Divisor32 by_few_groups_;
};

// Sums are taken about the channel's first value. Whatever it is, its square distance from the mean is at most M
// variances, so that the subtraction below loses a part in 2^53 / M at most.
template <typename T>
__device__ float pivot_of(const BatchNormAffine& p, int64_t c) {
  return to_float(static_cast<const T*>(p.x)[c * p.extents.pixels]);
}

__device__ float inverse_root(double variance, float eps) { return static_cast<float>(1 / sqrt(variance + eps)); }

// dx = by_g g + by_x (x - mean) + offset for each element of a channel.
struct Slopes {
  float by_g, by_x, offset;
};

// z = (x - mean) scale + bias; the mean is subtracted first: folded into the offset it would cost digits where it is
// large.
struct Normalisation {
  float mean, scale, bias;

  __device__ Normalisation(const BatchNormAffine& p, int64_t c)
      : mean(p.mean[c]),
        scale(p.weight == nullptr ? p.inverse_std[c] : p.weight[c] * p.inverse_std[c]),
        bias(p.bias == nullptr ? 0 : p.bias[c]) {}
};

// What the sums of the gradient read.
template <int width>
struct GradientPacks {
  Pack<width> x, dy, y;
};

// kernels

template <typename T>
__global__ void batch_norm_forward_sums_kernel(const __grid_constant__ BatchNormAffine p,
                                               const __grid_constant__ Partition partition, Grouping grouping,
                                               DoublePair* partial) {
  partition.sum_pieces<T, batch_norm_forward_ahead>(
      partial, [&](int64_t c) { return pivot_of<T>(p, c); },
      [&](int64_t first) { return load_group(static_cast<const T*>(p.x), first, grouping); },
      [&](float pivot, const auto& x, int k, bool is_inside) {
        const double d = static_cast<double>(is_inside ? x.v[k] : pivot) - pivot;
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
    const auto count = static_cast<double>(partition.positions());
    const double mean = double{pivot_of<T>(affine, c)} + totals.first / count;
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
    const GroupChannels channels = partition.channels_of(i);
    const Normalisation here(p, channels.first),
        beside = channels.left < width ? Normalisation(p, channels.next) : here;
    auto z = load_pack<width>(static_cast<const T*>(p.x) + i);
#pragma unroll
    for (int k = 0; k < width; ++k) {
      const Normalisation& norm = k < channels.left ? here : beside;
      z.v[k] = (z.v[k] - norm.mean) * norm.scale + norm.bias;
    }
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
                                                const __grid_constant__ Partition partition, Grouping grouping,
                                                DoublePair* partial) {
  partition.sum_pieces<T, batch_norm_backward_ahead>(
      partial, [&](int64_t c) { return p.mean[c]; },
      [&](int64_t first) {
        GradientPacks<group_width<T>> packs{load_group(static_cast<const T*>(p.x), first, grouping),
                                            load_group(static_cast<const T*>(p.dy), first, grouping),
                                            {}};
        if (p.y != nullptr) packs.y = load_group(static_cast<const T*>(p.y), first, grouping);
        return packs;
      },
      [&](float mean, const auto& packs, int k, bool is_inside) {
        const bool is_kept = is_inside && (p.y == nullptr || packs.y.v[k] > 0);  // g of batch_norm.h
        const double g = is_kept ? packs.dy.v[k] : 0;
        const double x = is_inside ? packs.x.v[k] : mean;
        return DoublePair{g, g * (x - static_cast<double>(mean))};
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
    const auto count = static_cast<double>(partition.positions());
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
    const auto [first, next, left] = partition.channels_of(i);
    const Slopes here = slopes[first], beside = left < width ? slopes[next] : here;
    if (p.training) {
      const float mean_here = p.mean[first], mean_beside = left < width ? p.mean[next] : mean_here;
      const auto x = load_pack<width>(static_cast<const T*>(p.x) + i);
#pragma unroll
      for (int k = 0; k < width; ++k) {
        const Slopes& s = k < left ? here : beside;
        g.v[k] = s.by_g * g.v[k] + s.by_x * (x.v[k] - (k < left ? mean_here : mean_beside)) + s.offset;
      }
    } else {
#pragma unroll
      for (int k = 0; k < width; ++k) g.v[k] *= k < left ? here.by_g : beside.by_g;
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
  with_element_type(p.affine.type, [&]<typename T>() {
    const Partition partition(p.affine.extents, group_width<T>);
    auto* partial = static_cast<DoublePair*>(device.scratch(partition.partial_bytes()));
    launch(device, Kernel{"batch_norm_forward_sums_kernel", batch_norm_forward_sums_kernel<T>},
           block_each(partition.extents.channels * partition.pieces), p.affine, partition,
           grouping_of<T>(partition.count(), p.affine.x), partial);
    launch(device, Kernel{"batch_norm_forward_finish_kernel", batch_norm_forward_finish_kernel<T>},
           warp_each(device, partition.extents.channels), p, partition, partial, device.out_of_range());
    normalise<T>(device, p.affine, partition);
  });
}

void batch_norm_forward_inference(BackendDevice& device, const BatchNormForwardInference& p) {
  launch(device, Kernel{"batch_norm_running_statistics_kernel", batch_norm_running_statistics_kernel},
         thread_each(device, p.affine.extents.channels), p);
  with_element_type(p.affine.type,
                    [&]<typename T>() { normalise<T>(device, p.affine, Partition(p.affine.extents, group_width<T>)); });
}

void batch_norm_scale(BackendDevice& device, const BatchNormScale& p) {
  launch(device, Kernel{"batch_norm_scale_kernel", batch_norm_scale_kernel}, thread_each(device, p.channels), p);
}

void batch_norm_backward_input(BackendDevice& device, const BatchNormBackwardInput& p) {
  const bool has_sums = p.dweight != nullptr || p.dbias != nullptr || (p.training && p.dx != nullptr);
  with_element_type(p.type, [&]<typename T>() {
    const Partition partition(p.extents, group_width<T>);
    const Scratch scratch(device,
                          {static_cast<size_t>(p.extents.channels) * sizeof(Slopes), partition.partial_bytes()});
    auto* slopes = scratch.array<Slopes>(0);
    DoublePair* partial = has_sums ? scratch.array<DoublePair>(1) : nullptr;
    if (has_sums) {
      launch(device, Kernel{"batch_norm_backward_sums_kernel", batch_norm_backward_sums_kernel<T>},
             block_each(partition.extents.channels * partition.pieces), p, partition,
             grouping_of<T>(partition.count(), p.x, p.dy, p.y), partial);
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
