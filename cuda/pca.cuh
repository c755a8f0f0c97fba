#pragma once

#include <algorithm>
#include <vector>

#include "core/contract/pca.hpp"
#include "cuda/rows.cuh"

namespace coterie::cuda {

/// ScatterPass. The rows are shared out by x's shape alone, so every GPU has the same bits.
template <class T>
Scatter scatter(MatrixView<const T> x, const std::vector<double>& shift, const Context& ctx);

/// ProjectPass, the CPU's bits.
template <class T>
bool project(MatrixView<const T> x, const Projection& onto, MatrixView<T> out, const Context& ctx);

/// Values that are on the device at a time: rows go there in chunks, so that memory does not limit
/// them and a caller can stop in between.
inline constexpr std::int64_t kChunkValues = 1 << 23;

/// What a block keeps of some rows in shared memory, in float64.
inline constexpr int kStageValues = 4096;

/// Puts x - shift of some columns of x, at most kThreads, into shared memory and returns what this
/// thread has added up of its own column, threadIdx.x % width. Neighbouring threads take
/// neighbouring columns, so that a warp reads whole lines; one left over takes no rows.
template <class T>
__device__ double stage_rows(const T* x, std::int64_t x_stride, int rows, int width,
                             const double* shift, double* stage, int stage_stride) {
  const int lanes = kThreads / width;
  const int lane = static_cast<int>(threadIdx.x) / width;
  const int col = static_cast<int>(threadIdx.x) % width;
  if (lane >= lanes) return 0;
  const double origin = shift[col];
  double sum = 0;
#pragma unroll 4
  for (int r = lane; r < rows; r += lanes) {
    const double t = static_cast<double>(x[r * x_stride + col]) - origin;
    stage[r * stage_stride + col] = t;
    sum += t;
  }
  return sum;
}

/// Calls step(block, rows) with the rows on the device, block after block.
template <class T, class Step>
void for_each_chunk(MatrixView<const T> x, std::int64_t chunk_rows, const Context& ctx,
                    cudaStream_t stream, const Step& step) {
  Buffer<T> copy;  // for all chunks: the stream has read one before the next is written over it
  if (x.memory == Memory::Device) {
    take_over(x.data, ctx, stream);
  } else {
    copy = Buffer<T>(std::min(chunk_rows, x.rows) * x.cols, stream);
  }
  for (std::int64_t first = 0; first < x.rows; first += chunk_rows) {
    stop_if_asked(ctx);
    const RowBlock block{first, std::min(chunk_rows, x.rows - first)};
    MatrixView<const T> rows{x.row(first), block.rows, x.cols, x.stride, x.memory};
    if (x.memory == Memory::Host) {
      pinned_upload().copy(rows, copy.data(), ctx, stream);  // the pass finds what is not finite
      rows = {copy.data(), block.rows, x.cols, x.cols, Memory::Device};
    }
    step(block, rows);
  }
}

}  // namespace coterie::cuda
