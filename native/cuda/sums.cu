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

// Lanes for a piece: as many as have two groups each, up to a warp.
template <typename T>
int lanes_of(int64_t length) {
  const int64_t groups = length / group_width<T> + 1;
  int lanes = 1;
  while (lanes < warp_threads && 2 * lanes < groups) lanes *= 2;
  return lanes;
}

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

// kernels

// `lanes` lanes for each of `count` pieces, of x as [rows, length] with `pieces` pieces a row.
template <typename T>
__global__ void sum_rows_kernel(const T* x, Grouping grouping, int64_t count, int64_t length, int64_t piece_length,
                                Divisor by_pieces, int lanes, Target target) {
  const int items = warp_threads / lanes;  // of a warp at a time
  for (int64_t first = first_warp_item() * items; first < count; first += warp_item_step() * items) {
    const int64_t item = first + (lane_of_thread() >> (__ffs(lanes) - 1));  // lanes are a power of two
    const auto [row, piece] = by_pieces.divide(item);
    const int64_t begin = row * length + piece * piece_length;
    const int64_t end = item < count ? min(begin + piece_length, (row + 1) * length) : begin;
    double sum = 0;
    for_row(x, grouping, begin, end, lanes, [&](int64_t, auto value) { sum += value; });
    sum = warp_sum(sum, lanes);
    if ((lane_of_thread() & (lanes - 1)) == 0 && item < count) target.put(item, sum);
  }
}

// A thread for `width` neighbours of each of `count` packs of columns of pieces, of x as [outer, reduced, inner]; targets
// lie as [outer, pieces, inner].
template <typename T, int width>
__global__ void sum_columns_kernel(const T* x, int64_t count, int64_t reduced, int64_t inner, int64_t piece_length,
                                   Divisor by_pieces, Divisor by_packs, Target target) {
  for (int64_t item = first_item(); item < count; item += item_step()) {
    const auto [rows, pack] = by_packs.divide(item);
    const auto [outer, piece] = by_pieces.divide(rows);
    const int64_t begin = piece * piece_length, end = min(begin + piece_length, reduced);
    const T* column = x + outer * reduced * inner + pack * width;
    double sum[width] = {};
    load_ahead<sum_rows_ahead>(
        begin, int64_t{1}, end, [&](int64_t row) { return load_pack<width>(column + row * inner); },
        [&](int64_t, const auto& values) {
#pragma unroll
          for (int k = 0; k < width; ++k) sum[k] += values.v[k];
        });
#pragma unroll
    for (int k = 0; k < width; ++k) target.put(item * width + k, sum[k]);
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
    const int lanes = lanes_of<T>(std::min(piece, s.reduced));
    launch(device, Kernel{"sum_rows_kernel", sum_rows_kernel<T>}, thread_each(device, count * lanes), x,
           grouping_of<T>(s.outer * s.reduced, x), count, s.reduced, piece, Divisor(pieces), lanes, target);
    return;
  }
  const auto launch_columns = [&](auto width) {
    const int64_t packs = s.inner / width, count = s.outer * pieces * packs;
    launch(device, Kernel{"sum_columns_kernel", sum_columns_kernel<T, width>}, thread_each(device, count), x, count,
           s.reduced, s.inner, piece, Divisor(pieces), Divisor(packs), target);
  };
  // Each row starts at a multiple of inner.
  if (s.inner % group_width<T> == 0 && groups_of<T>(s.inner, x) > 0) {
    launch_columns(Width<group_width<T>>{});
  } else {
    launch_columns(Width<1>{});
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
