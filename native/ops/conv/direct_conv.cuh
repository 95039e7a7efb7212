// Convolution of groups of few channels and outputs that are none for depthwise.cuh, where a product would be mostly padding: a
// block copies the window of one channel to shared memory (box_tiling.cuh), and each thread slides down a column of it
// and makes four outputs, one below the other, so that a value and a weight that are read once serve four
// multiply-adds.
#pragma once

#include "cuda/box_tiling.cuh"
#include "cuda/implicit_product.cuh"
#include "cuda/shared_words.cuh"
#include "ops/conv/conv_cuda_tuning.h"

namespace gmr::cuda {

template <typename T>
struct DirectConv {
  ProductShape shape;
  BoxTiling tiling;
  ProductWeights weights;
  const T* x;
  Epilogue epilogue;
  T* y;
  int taps;
  Divisor by_all_outputs, by_outputs;
  SmallDivisor box_x, row_groups, box_z;

  DirectConv(const ProductShape& shape, const WindowGeometry& window, const Box& box, const ProductWeights& weights,
             const T* x, const Epilogue& epilogue, T* y)
      : shape(shape),
        tiling(window, box, shape.images),
        weights(weights),
        x(x),
        epilogue(epilogue),
        y(y),
        taps(static_cast<int>(weights.rows)),
        by_all_outputs(shape.groups * shape.outputs),
        by_outputs(shape.outputs),
        box_x(box.extent[2]),
        row_groups((box.extent[1] + direct_rows - 1) / direct_rows),
        box_z(box.extent[0]) {}

  __host__ __device__ int64_t items() const { return tiling.tiles * shape.groups * shape.outputs; }
};

// Wavefronts of shared memory of the first `threads` threads that read a word each.
template <typename Place>
int wavefronts_of(int threads, Place&& place) {
  constexpr int banks = 32;
  int total = 0;
  for (int first = 0; first < threads; first += warp_threads) {
    int words[banks][warp_threads], count[banks] = {}, most = 0;
    for (int thread = first; thread < std::min(first + warp_threads, threads); ++thread) {
      const int word = place(thread), bank = word % banks;
      int* end = words[bank] + count[bank];
      if (std::find(words[bank], end, word) != end) continue;
      *end = word;
      most = std::max(most, ++count[bank]);
    }
    total += most;
  }
  return total;
}

// Rows of the window as far apart as it takes for threads to meet the fewest banks twice; `place_of(box, thread)` is
// where a thread reads. Threads read every fourth row: eight distances are all there are.
template <typename PlaceOf>
Box spread_rows(const Box& box, int threads, int64_t most_floats, PlaceOf&& place_of) {
  Box best = box, next = box;
  int fewest = std::numeric_limits<int>::max();
  for (int extra = 0; extra < 8; ++extra) {
    next.span[2] = box.span[2] + extra;
    if (next.window_floats() > most_floats) break;
    const int wavefronts = wavefronts_of(threads, [&](int thread) { return place_of(next, thread); });
    if (wavefronts >= fewest) continue;
    fewest = wavefronts;
    best = next;
  }
  return best;
}

// Whether a convolution is one for this kernel, and with which box; extent 0: it is not.
inline Box choose_direct_box(const ProductShape& shape, const WindowGeometry& window) {
  const int64_t taps = volume(window.kernel);
  if (shape.channels > direct_most_channels || shape.outputs > direct_most_channels || taps > direct_most_taps)
    return {};
  const int64_t most_floats = product_shared_floats - taps;
  const auto threads_of = [](const Box& box) {
    return box.images * box.extent[0] * box.extent[2] * ((box.extent[1] + direct_rows - 1) / direct_rows);
  };
  const Box box = choose_box(window, shape.images, block_threads * direct_rows, {1, direct_rows, 1}, most_floats,
                             [&](const Box& box) {
                               const int warps = (threads_of(box) + warp_threads - 1) / warp_threads;
                               return direct_window_cost * box.window_floats() +
                                      direct_tap_cost * static_cast<double>(taps) * warps * warp_threads;
                             });
  if (box.extent[0] == 0) return box;
  return spread_rows(box, threads_of(box), most_floats, [&](const Box& b, int thread) {  // as DirectColumn
    const int rows = thread / b.extent[2], groups = (b.extent[1] + direct_rows - 1) / direct_rows;
    const int slices = rows / groups, image = slices / b.extent[0];
    const int slice = image * b.span[0] + slices % b.extent[0] * static_cast<int>(window.stride[0]);
    const int row = slice * b.span[1] + rows % groups * direct_rows * static_cast<int>(window.stride[1]);
    return row * b.span[2] + thread % b.extent[2] * static_cast<int>(window.stride[2]);
  });
}

// Every `step`th float of shared memory, by addresses of 32 bits.
class SharedColumn {
 public:
  __device__ SharedColumn(const float* first, int step)
      : address_(shared_address(first)), step_(step * static_cast<uint32_t>(sizeof(float))) {}

  __device__ float next() {
    const float value = __uint_as_float(load_word<0>(address_));
    address_ += step_;
    return value;
  }

 private:
  uint32_t address_, step_;
};

// sum[j] += sum over t < height of w[t] column[t + j]: four neighbours that see the same `rows` rows of the column, of at
// most 3 more than `height`. What a sum does not see is not multiplied by zero: it may be infinite. Sums that reach
// beyond `rows` are not whole.
__device__ inline void slide(float (&sum)[direct_rows], SharedColumn column, SharedColumn w, int height, int rows) {
  float tap[direct_rows] = {};  // that the next row meets in each sum
  const auto shift = [&](float next) {
#pragma unroll
    for (int j = direct_rows - 1; j > 0; --j) tap[j] = tap[j - 1];
    tap[0] = next;
  };
  constexpr int before = direct_rows - 1;  // rows that not all sums see, at either end
  if (height < before) {
    for (int r = 0; r < rows; ++r) {
      shift(r < height ? w.next() : 0);
      const float value = column.next();
#pragma unroll
      for (int j = 0; j < direct_rows; ++j) {
        if (r >= j && r - j < height) sum[j] += tap[j] * value;
      }
    }
    return;
  }
#pragma unroll
  for (int r = 0; r < before; ++r) {
    shift(w.next());
    const float value = column.next();
#pragma unroll
    for (int j = 0; j <= r; ++j) sum[j] += tap[j] * value;
  }
#pragma unroll 4
  for (int r = before; r < height; ++r) {
    shift(w.next());
    const float value = column.next();
#pragma unroll
    for (int j = 0; j < direct_rows; ++j) sum[j] += tap[j] * value;
  }
#pragma unroll
  for (int behind = 0; behind < before; ++behind) {
    if (height + behind >= rows) break;
    shift(0);
    const float value = column.next();
#pragma unroll
    for (int j = behind + 1; j < direct_rows; ++j) sum[j] += tap[j] * value;
  }
}

// A thread's four outputs, from the window of one channel.
template <typename T>
struct DirectColumn {
  const DirectConv<T>& p;
  int image, z, row, x;  // in the tile; row is the first of four
  bool is_in_box;
  float sum[direct_rows] = {};

  __device__ explicit DirectColumn(const DirectConv<T>& conv) : p(conv) {
    const auto thread = static_cast<int>(threadIdx.x);
    const int rows = p.box_x.divide(thread), slices = p.row_groups.divide(rows);
    image = p.box_z.divide(slices);
    z = slices - image * p.box_z.divisor();
    row = (rows - slices * p.row_groups.divisor()) * direct_rows;
    x = thread - rows * p.box_x.divisor();
    is_in_box = image < p.tiling.box.images;
  }

  __device__ void add_channel(const float* window, const float* weights) {
    const Window& g = p.tiling.window;
    const int depth = g.kernel[0], height = g.kernel[1], width = g.kernel[2];
    const int pitch = p.tiling.box.span[2];
    for (int tz = 0; tz < depth; ++tz) {
      const int slice = image * p.tiling.box.span[0] + z * g.stride[0] + tz * g.dilation[0];
      const int first_row = slice * p.tiling.box.span[1] + row * g.stride[1];
      for (int tx = 0; tx < width; ++tx) {
        const float* column = window + first_row * pitch + x * g.stride[2] + tx * g.dilation[2];
        const float* w = weights + tz * height * width + tx;
        if (g.stride[1] == 1 && g.dilation[1] == 1) {
          slide(sum, {column, pitch}, {w, width}, height, height + direct_rows - 1);
        } else {
          for (int ty = 0; ty < height; ++ty) {
#pragma unroll
            for (int j = 0; j < direct_rows; ++j) {
              sum[j] += w[ty * width] * column[(j * g.stride[1] + ty * g.dilation[1]) * pitch];
            }
          }
        }
      }
    }
  }
};

template <typename T>
__device__ void direct_conv(const DirectConv<T>& p) {
  extern __shared__ float4 shared_memory[];
  float* window = reinterpret_cast<float*>(shared_memory);
  float* weights = window + p.tiling.box.window_floats();
  const int64_t all_channels = p.shape.groups * p.shape.channels, all_outputs = p.shape.groups * p.shape.outputs;
  const auto& out = p.tiling.window.out;
  for (int64_t item = blockIdx.x; item < p.items(); item += gridDim.x) {
    const auto [tile, o] = p.by_all_outputs.divide(item);
    const auto [group, output] = p.by_outputs.divide(o);
    const BoxTiling::Corner corner = p.tiling.corner(tile);
    DirectColumn column(p);
    for (int64_t c = 0; c < p.shape.channels; ++c) {
      p.tiling.copy_windows(p.x, all_channels, group * p.shape.channels + c, 1, corner, window);
      for (int t = static_cast<int>(threadIdx.x); t < p.taps; t += block_threads) {
        weights[t] = p.weights.first_output(group, c * p.taps + t)[output * p.weights.output_step];
      }
      wait_for_copies();
      __syncthreads();
      if (column.is_in_box) column.add_channel(window, weights);
      __syncthreads();
    }
    const int64_t image = corner.image + column.image;
    const int z = corner.z + column.z, x = corner.x + column.x;
    if (!column.is_in_box || image >= p.shape.images || z >= out[0] || x >= out[2]) continue;
    const float bias = p.epilogue.bias_of(o);
    T* plane = p.y + (image * all_outputs + o) * p.shape.out_plane;
#pragma unroll
    for (int j = 0; j < direct_rows; ++j) {
      const int y = corner.y + column.row + j;
      if (column.row + j < p.tiling.box.extent[1] && y < out[1]) {
        const float sum = column.sum[j] + bias;
        plane[(int64_t{z} * out[1] + y) * out[2] + x] =
            rounded<T>(p.epilogue.normalises() ? p.epilogue.norm_of(o)(sum) : sum);
      }
    }
  }
}

}  // namespace gmr::cuda
