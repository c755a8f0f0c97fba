#pragma once

#include <algorithm>

#include "cuda/rows.cuh"

namespace coterie::cuda {

/// Which column a thread keeps to, and which rows it takes. Neighbouring threads take neighbouring
/// columns, so that a warp reads whole lines; a thread left over (a block is seldom a multiple of
/// the columns) takes no rows.
struct ColumnWalk {
  std::int64_t col;
  std::int64_t first_row;
  std::int64_t row_step;
  int width;  // columns that the block spans

  __device__ ColumnWalk(std::int64_t rows, std::int64_t cols) {
    const std::int64_t left = cols - std::int64_t{blockIdx.y} * kThreads;
    width = left < kThreads ? static_cast<int>(left) : kThreads;
    const int lanes = kThreads / width;
    const int lane = static_cast<int>(threadIdx.x) / width;
    col = std::int64_t{blockIdx.y} * kThreads + threadIdx.x % width;
    row_step = std::int64_t{gridDim.x} * lanes;
    first_row = lane < lanes ? std::int64_t{blockIdx.x} * lanes + lane : rows;
  }
};

/// Enough blocks for the rows, times the blocks that the columns take.
inline dim3 column_grid(std::int64_t rows, std::int64_t cols) {
  const std::int64_t width = std::min<std::int64_t>(cols, kThreads);
  constexpr std::int64_t kRowsPerThread = 16;
  return dim3(grid_for(rows, kThreads / width * kRowsPerThread),
              static_cast<unsigned>((cols + kThreads - 1) / kThreads));
}

}  // namespace coterie::cuda
