#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/divide_up.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "ops/ring_weight/ring_weight_tuning.h"

namespace gmr::cpu {
namespace {

struct Mixing {
  std::vector<double> p;         // [r, l]
  std::vector<double> dp;        // [r, l]: by log_sigma_r
  std::vector<char> is_clamped;  // [r]
};

Mixing mixing_of(const float* log_sigmas, int64_t rings) {
  Mixing m{std::vector<double>(rings * rings), std::vector<double>(rings * rings), std::vector<char>(rings)};
  for (int64_t r = 0; r < rings; ++r) {
    const double free_sigma = std::exp(static_cast<double>(log_sigmas[r]));
    const double sigma = std::clamp(free_sigma, 0.01, 2.0 * static_cast<double>(rings));  // NaN stays NaN
    m.is_clamped[r] = free_sigma < sigma || free_sigma > sigma;
    for (int64_t l = 0; l < rings; ++l) {
      const double z = static_cast<double>(l - r) / sigma;
      m.p[r * rings + l] = std::exp(-0.5 * z * z) / (2.5066 * sigma);
      m.dp[r * rings + l] = m.p[r * rings + l] * (z * z - 1);
    }
  }
  return m;
}

// Doubles in a worker's scratch memory.
double* scratch_block(int worker, int slot, int64_t rings) {
  return reinterpret_cast<double*>(scratch(worker, slot, static_cast<size_t>(2 * rings * ring_weight_block)));
}

// Columns of up to ring_weight_block rows: block[r][row]; the rows that are not there are 0.
void load_block(const float* x, int64_t rows, int64_t rings, double* block) {
  for (int64_t r = 0; r < rings; ++r) {
    double* column = block + r * ring_weight_block;
    for (int64_t row = 0; row < rows; ++row) column[row] = x[row * rings + r];
    std::fill(column + rows, column + ring_weight_block, 0.0);
  }
}

// out[row] = sum_i factors[i * step] block[i][row]
void mix_column(const double* block, const double* factors, int64_t step, int64_t rings, double* __restrict out) {
  std::fill(out, out + ring_weight_block, 0.0);
  for (int64_t i = 0; i < rings; ++i) {
    const double factor = factors[i * step];
    const double* column = block + i * ring_weight_block;
    for (int64_t row = 0; row < ring_weight_block; ++row) out[row] += factor * column[row];
  }
}

void store_column(const double* column, int64_t rows, int64_t rings, float* x) {
  for (int64_t row = 0; row < rows; ++row) x[row * rings] = static_cast<float>(column[row]);
}

// Calls f(row, rows) for the blocks of a task.
template <typename F>
void for_blocks(int64_t task, int64_t total_rows, F&& f) {
  const int64_t end = std::min((task + 1) * ring_weight_task, total_rows);
  for (int64_t row = task * ring_weight_task; row < end; row += ring_weight_block) {
    f(row, std::min(ring_weight_block, end - row));
  }
}

int64_t task_count(int64_t rows) { return divide_up(rows, ring_weight_task); }

}  // namespace

void ring_weight_forward(const RingWeightForward& p) {
  const Mixing m = mixing_of(p.log_sigmas, p.rings);
  parallel_for(task_count(p.rows), [&](int64_t task, int worker) {
    double* weights = scratch_block(worker, 0, p.rings);
    double mixed[ring_weight_block];
    for_blocks(task, p.rows, [&](int64_t row, int64_t rows) {
      load_block(p.weight + row * p.rings, rows, p.rings, weights);
      for (int64_t l = 0; l < p.rings; ++l) {
        mix_column(weights, &m.p[l], p.rings, p.rings, mixed);
        store_column(mixed, rows, p.rings, p.v + row * p.rings + l);
      }
    });
  });
}

void ring_weight_backward_input(const RingWeightBackwardInput& p) {
  const Mixing m = mixing_of(p.log_sigmas, p.rings);
  const int64_t tasks = task_count(p.rows);
  std::vector<double> partial_sums(p.dlog_sigmas == nullptr ? 0 : tasks * p.rings);  // [task, r]
  parallel_for(tasks, [&](int64_t task, int worker) {
    double* upstream = scratch_block(worker, 0, p.rings);
    double* weights = scratch_block(worker, 1, p.rings);
    double* sums = scratch_block(worker, 2, p.rings);  // of dlog_sigmas, one a row of the block
    double mixed[ring_weight_block];
    std::fill(sums, sums + p.rings * ring_weight_block, 0.0);
    for_blocks(task, p.rows, [&](int64_t row, int64_t rows) {
      load_block(p.dv + row * p.rings, rows, p.rings, upstream);
      if (p.dweight != nullptr) {
        for (int64_t r = 0; r < p.rings; ++r) {
          mix_column(upstream, &m.p[r * p.rings], 1, p.rings, mixed);
          store_column(mixed, rows, p.rings, p.dweight + row * p.rings + r);
        }
      }
      if (p.dlog_sigmas != nullptr) {
        load_block(p.weight + row * p.rings, rows, p.rings, weights);
        for (int64_t r = 0; r < p.rings; ++r) {
          mix_column(upstream, &m.dp[r * p.rings], 1, p.rings, mixed);
          const double* column = weights + r * ring_weight_block;
          double* sum = sums + r * ring_weight_block;
          for (int64_t i = 0; i < ring_weight_block; ++i) sum[i] += column[i] * mixed[i];
        }
      }
    });
    for (int64_t r = 0; r < p.rings && p.dlog_sigmas != nullptr; ++r) {
      double total = 0;
      for (int64_t i = 0; i < ring_weight_block; ++i) total += sums[r * ring_weight_block + i];
      partial_sums[task * p.rings + r] = total;
    }
  });
  for (int64_t r = 0; r < p.rings && p.dlog_sigmas != nullptr; ++r) {
    double total = 0;
    for (int64_t task = 0; task < tasks; ++task) total += partial_sums[task * p.rings + r];
    p.dlog_sigmas[r] = m.is_clamped[r] ? 0 : static_cast<float>(total);
  }
}

}  // namespace gmr::cpu
