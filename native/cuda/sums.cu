// In two steps: pieces of the axis, then the pieces' sums. Rows (inner = 1) are added up by warps, columns by threads
// side by side.
#include <algorithm>

#include "cuda/divisor.h"
#include "cuda/elements.cuh"
#include "cuda/reduction.cuh"
#include "cuda/sums.h"
#include "cuda/sums_tuning.h"

namespace gmr::cuda {
namespace {

int64_t piece_of(const SumShape& s) { return s.inner == 1 ? sum_row_piece : sum_column_piece; }

int64_t pieces_of(const SumShape& s) { return std::max<int64_t>((s.reduced + piece_of(s) - 1) / piece_of(s), 1); }

// A sum's target: the pieces' sums, or y.
struct Target {
  double* partial;  // nullptr: y is written
  SumTarget y;
  double divisor;

  __device__ void put(int64_t i, double sum) const {
    if (partial != nullptr) {
      partial[i] = sum;
    } else if (y.type == ElementType::float32) {
      static_cast<float*>(y.data)[i] = static_cast<float>(sum / divisor);
    } else {
      static_cast<bfloat16*>(y.data)[i] = rounded<bfloat16>(static_cast<float>(sum / divisor));
    }
  }
};

__device__ double value_of(double x) { return x; }
template <typename T>
__device__ double value_of(T x) {
  return to_float(x);
}

// kernels

// A warp for each of `count` pieces, of x as [rows, length] with `pieces` pieces a row.
template <typename T>
__global__ void sum_rows_kernel(const T* x, int64_t count, int64_t length, int64_t piece_length, Divisor by_pieces,
                                Target target) {
  for (int64_t item = first_warp_item(); item < count; item += warp_item_step()) {
    const auto [row, piece] = by_pieces.divide(item);
    const int64_t begin = piece * piece_length, end = min(begin + piece_length, length);
    double sum = 0;
    for (int64_t i = begin + lane_of_thread(); i < end; i += warp_threads) sum += value_of(x[row * length + i]);
    sum = warp_sum(sum);
    if (lane_of_thread() == 0) target.put(item, sum);
  }
}

// A thread for each of `count` columns of pieces, of x as [outer, reduced, inner]; targets lie as [outer, pieces,
// inner].
template <typename T>
__global__ void sum_columns_kernel(const T* x, int64_t count, int64_t reduced, int64_t inner, int64_t piece_length,
                                   Divisor by_pieces, Divisor by_inner, Target target) {
  for (int64_t item = first_item(); item < count; item += item_step()) {
    const auto [rows, column] = by_inner.divide(item);
    const auto [outer, piece] = by_pieces.divide(rows);
    const int64_t begin = piece * piece_length, end = min(begin + piece_length, reduced);
    double sum = 0;
    for (int64_t row = begin; row < end; ++row) sum += value_of(x[(outer * reduced + row) * inner + column]);
    target.put(item, sum);
  }
}

// A warp adds up one of `slices` slices of the parts of 32 packs of neighbouring elements, the first of these warps then
// the slices: weights are few, and parts often many.
template <int width, int slices>
__global__ void sum_partials_kernel(const float* partials, int64_t parts, int64_t count, float* y) {
  constexpr int block_packs = block_threads / slices;
  __shared__ Pack<width> sums[slices == 1 ? 1 : block_warps][warp_threads];
  const int lane = lane_of_thread(), warp = static_cast<int>(threadIdx.x) / warp_threads, slice = warp % slices;
  const int64_t begin = parts * slice / slices, end = parts * (slice + 1) / slices;
  for (int64_t block = blockIdx.x; block * block_packs * width < count; block += gridDim.x) {
    const int pack = warp / slices * warp_threads + lane;
    const int64_t i = (block * block_packs + pack) * width;
    const bool is_there = i < count;
    Pack<width> sum{};
    const auto add = [&](const Pack<width>& next) {
#pragma unroll
      for (int k = 0; k < width; ++k) sum.v[k] += next.v[k];
    };
    if (is_there) {
      const float* from = partials + begin * count + i;
#pragma unroll 4
      for (int64_t part = begin; part < end; ++part, from += count) add(load_pack<width>(from));
    }
    if constexpr (slices > 1) {
      sums[warp][lane] = sum;
      __syncthreads();
      if (slice == 0) {
#pragma unroll
        for (int other = 1; other < slices; ++other) add(sums[warp + other][lane]);
      }
      __syncthreads();
    }
    if (slice == 0 && is_there) store_pack(y + i, sum);
  }
}

template <typename T>
void sum_step(BackendDevice& device, const T* x, const SumShape& s, int64_t piece, const Target& target) {
  const int64_t pieces = std::max<int64_t>((s.reduced + piece - 1) / piece, 1);
  if (s.inner == 1) {
    const int64_t count = s.outer * pieces;
    launch(device, Kernel{"sum_rows_kernel", sum_rows_kernel<T>}, warp_each(device, count), x, count, s.reduced, piece,
           Divisor(pieces), target);
  } else {
    const int64_t count = s.outer * pieces * s.inner;
    launch(device, Kernel{"sum_columns_kernel", sum_columns_kernel<T>}, thread_each(device, count), x, count, s.reduced,
           s.inner, piece, Divisor(pieces), Divisor(s.inner), target);
  }
}

template <typename T>
void sum_steps(BackendDevice& device, const T* x, const SumShape& s, double divisor, double* work, const SumTarget& y) {
  const int64_t pieces = pieces_of(s);
  if (pieces == 1) return sum_step(device, x, s, piece_of(s), {nullptr, y, divisor});
  sum_step(device, x, s, piece_of(s), {work, {}, 1});
  sum_step(device, work, {s.outer, pieces, s.inner}, pieces, {nullptr, y, divisor});
}

}  // namespace

// launchers

int64_t sum_axis_scratch_doubles(const SumShape& s) { return pieces_of(s) == 1 ? 0 : s.outer * pieces_of(s) * s.inner; }

void sum_axis(BackendDevice& device, const SumOperand& x, const SumShape& s, double divisor, const SumTarget& y) {
  const size_t bytes = static_cast<size_t>(sum_axis_scratch_doubles(s)) * sizeof(double);
  auto* work = bytes > 0 ? static_cast<double*>(device.scratch(bytes)) : nullptr;
  with_element_type(x.type,
                    [&]<typename T>() { sum_steps(device, static_cast<const T*>(x.data), s, divisor, work, y); });
}

void sum_axis(BackendDevice& device, const double* x, const SumShape& s, double divisor, double* work, float* y) {
  sum_steps(device, x, s, divisor, work, {y, ElementType::float32});
}

void sum_partials(BackendDevice& device, const float* partials, int64_t parts, int64_t count, float* y) {
  const auto launch_kernel = [&](auto width, auto slices) {
    constexpr int block_elements = block_threads / slices * width;
    launch(device, Kernel{"sum_partials_kernel", sum_partials_kernel<width, slices>},
           block_each((count + block_elements - 1) / block_elements), partials, parts, count, y);
  };
  const auto launch_width = [&](auto width) {
    if (parts < sum_sliced_parts) {
      launch_kernel(width, std::integral_constant<int, 1>{});
    } else {
      launch_kernel(width, std::integral_constant<int, block_warps>{});
    }
  };
  // Each part starts at a multiple of count.
  if (count % 4 == 0 && groups_of<float>(count, partials, y) > 0) {
    launch_width(Width<4>{});
  } else {
    launch_width(Width<1>{});
  }
}

}  // namespace gmr::cuda
