#include <limits>

#include "cuda/bfloat16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/reduction.cuh"
#include "cuda/sums.h"

namespace gmr::cuda {
namespace {

// A row's maximum, and the sum of exp(z - maximum). NaN is no maximum; it comes back in through the exponentials.
struct Exponentials {
  float maximum;
  double sum;
};

template <typename T>
__device__ Exponentials exponentials_of(const T* logits, const Grouping& grouping, int64_t begin, int64_t end) {
  float largest = -INFINITY;
  for_row(logits, grouping, begin, end, warp_threads, [&](int64_t, float z) { largest = z > largest ? z : largest; });
  largest = warp_maximum(largest);
  double sum = 0;
  for_row(logits, grouping, begin, end, warp_threads, [&](int64_t, float z) { sum += expf(z - largest); });
  return {largest, warp_sum(sum)};
}

__device__ bool is_class(int32_t target, int64_t classes) { return target >= 0 && target < classes; }

// kernels

// One block: it records the first target out of range, whatever the order in which threads run.
__global__ void cross_entropy_check_targets_kernel(const int32_t* targets, int64_t rows, int64_t classes,
                                                   OutOfRange* out_of_range) {
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  int64_t first = none;
  for (int64_t row = threadIdx.x; row < rows && first == none; row += blockDim.x) {
    if (!is_class(targets[row], classes)) first = row;
  }
  __shared__ int64_t found[block_threads];
  found[threadIdx.x] = first;
  __syncthreads();
  for (unsigned half = block_threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) found[threadIdx.x] = min(found[threadIdx.x], found[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0 && found[0] != none && out_of_range->argument == CheckedArgument::none) {
    *out_of_range = {CheckedArgument::cross_entropy_targets, targets[found[0]], found[0], classes};
  }
}

// A warp a row.
template <typename T>
__global__ void cross_entropy_forward_kernel(const __grid_constant__ CrossEntropyForward p, Grouping grouping,
                                             double* losses) {
  const auto* logits = static_cast<const T*>(p.logits);
  for (int64_t row = first_warp_item(); row < p.rows; row += warp_item_step()) {
    const int64_t begin = row * p.classes, end = begin + p.classes;
    const auto [maximum, sum] = exponentials_of(logits, grouping, begin, end);
    const double m = maximum, smoothing = p.label_smoothing;
    double depths = 0;
    if (smoothing > 0) {  // not 0 * infinity: logits of -infinity are legal where the label has no weight
      for_row(logits, grouping, begin, end, warp_threads, [&](int64_t, float z) { depths += m - z; });
      depths = warp_sum(depths);
    }
    if (lane_of_thread() != 0) continue;
    const int32_t target = p.targets[row];
    const double at_target = is_class(target, p.classes) ? m - to_float(logits[begin + target]) : NAN;
    losses[row] = log(sum) + (1 - smoothing) * at_target + smoothing * depths / static_cast<double>(p.classes);
  }
}

template <typename T>
__global__ void cross_entropy_backward_input_kernel(const __grid_constant__ CrossEntropyBackwardInput p,
                                                    Grouping grouping) {
  const auto* logits = static_cast<const T*>(p.logits);
  const float scale = *p.dy / static_cast<float>(p.divisor);
  const float everywhere = p.label_smoothing / static_cast<float>(p.classes);
  const float at_target = 1 - p.label_smoothing + everywhere;
  for (int64_t row = first_warp_item(); row < p.rows; row += warp_item_step()) {
    const int64_t begin = row * p.classes, end = begin + p.classes;
    const auto [maximum, sum] = exponentials_of(logits, grouping, begin, end);
    const auto inverse = static_cast<float>(1 / sum);
    const int32_t target = p.targets[row];
    constexpr int64_t width = group_width<T>, step = width * warp_threads;
    for (int64_t first = (begin / width + lane_of_thread()) * width; first < end; first += step) {
      auto group = load_group(logits, first, grouping);
#pragma unroll
      for (int k = 0; k < width; ++k) {
        const float wanted = first + k - begin == target ? at_target : everywhere;
        const float gradient = scale * (expf(group.v[k] - maximum) * inverse - wanted);
        group.v[k] = is_class(target, p.classes) ? gradient : NAN;
      }
      store_group(static_cast<T*>(p.dlogits), first, grouping, GroupPart<T>(first, begin, end), group);
    }
  }
}

void check_targets(BackendDevice& device, const int32_t* targets, int64_t rows, int64_t classes) {
  if (rows == 0) return;
  device.expect_out_of_range();
  launch(device, Kernel{"cross_entropy_check_targets_kernel", cross_entropy_check_targets_kernel}, block_each(1),
         targets, rows, classes, device.out_of_range());
}

}  // namespace

// launchers

void cross_entropy_forward(BackendDevice& device, const CrossEntropyForward& p) {
  const SumShape shape{1, p.rows, 1};
  const Scratch scratch(device, {static_cast<size_t>(p.rows) * sizeof(double),
                                 static_cast<size_t>(sum_axis_scratch_doubles(shape)) * sizeof(double)});
  auto* losses = scratch.array<double>(0);
  check_targets(device, p.targets, p.rows, p.classes);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"cross_entropy_forward_kernel", cross_entropy_forward_kernel<T>}, warp_each(device, p.rows),
           p, grouping_of<T>(p.rows * p.classes, p.logits), losses);
  });
  sum_axis(device, losses, shape, static_cast<double>(p.divisor), scratch.array<double>(1), p.loss);
}

void cross_entropy_backward_input(BackendDevice& device, const CrossEntropyBackwardInput& p) {
  check_targets(device, p.targets, p.rows, p.classes);
  with_element_type(p.type, [&]<typename T>() {
    launch(device, Kernel{"cross_entropy_backward_input_kernel", cross_entropy_backward_input_kernel<T>},
           warp_each(device, p.rows), p, grouping_of<T>(p.rows * p.classes, p.logits, p.dlogits));
  });
}

}  // namespace gmr::cuda
