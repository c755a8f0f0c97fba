#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"
#include "cuda/buffer.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {

/// Threads of every k-means kernel's block.
inline constexpr int kThreads = 128;

/// A block of rows in device memory, and their weights.
template <class T>
struct DeviceRows {
  const T* data = nullptr;
  const double* weights = nullptr;  // null: all 1
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  __host__ __device__ const T* row(std::int64_t i) const { return data + i * stride; }
  __host__ __device__ double weight(std::int64_t i) const {
    return weights == nullptr ? 1.0 : weights[i];
  }

  DeviceRows part(RowBlock block) const {
    return {data + block.first * stride, weights == nullptr ? nullptr : weights + block.first,
            block.rows, cols, stride};
  }
};

/// A matrix in host memory, made contiguous on the device.
template <class T>
Buffer<T> upload_matrix(MatrixView<const T> from, cudaStream_t stream) {
  Buffer<T> to(from.rows * from.cols, stream);
  if (from.stride == from.cols) {
    upload(from.data, to.size(), to.data(), stream);
    return to;
  }
  const std::size_t width = static_cast<std::size_t>(from.cols) * sizeof(T);
  check(cudaMemcpy2DAsync(to.data(), width, from.data,
                          static_cast<std::size_t>(from.stride) * sizeof(T), width,
                          static_cast<std::size_t>(from.rows), cudaMemcpyHostToDevice, stream));
  return to;
}

/// Extremes of the columns. Rows are counted from the first of `x`.
template <class T>
ColumnRange column_range(const DeviceRows<T>& x, cudaStream_t stream);

template <class T>
void column_spread(const DeviceRows<T>& x, const Frame& frame, SpreadSums& sums,
                   cudaStream_t stream);

/// `labels` are those of the rows of `x`; centroids are in host memory.
template <class T>
FixedSum inertia(const DeviceRows<T>& x, const std::int32_t* labels, MatrixView<const T> centroids,
                 double scale, int bits, cudaStream_t stream);

/// Rows are counted from the first of `x`.
template <class T>
std::vector<FarRow> farthest(const DeviceRows<T>& x, const std::int32_t* labels,
                             MatrixView<const T> centroids, std::int64_t count,
                             cudaStream_t stream);

/// `stream` outlives the passes, and so does the memory behind `x`.
template <class T>
std::unique_ptr<SeedingPasses<T>> seeding_passes(const DeviceRows<T>& x, cudaStream_t stream);
template <class T>
std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding_passes(const DeviceRows<T>& x,
                                                                  cudaStream_t stream);

/// Lloyd's pass and the device memory that it uses over and over.
template <class T>
class LloydPass {
 public:
  explicit LloydPass(cudaStream_t stream) : stream_(stream) {}

  /// `labels[t]` are those of task t for the rows of `x`, in device memory.
  void run(const DeviceRows<T>& x, const Frame& frame, std::span<LloydTask<T>> tasks,
           std::span<std::int32_t* const> labels);

 private:
  struct Prepared;

  /// Brings the tasks' centroids to the device and sets their sums to 0.
  std::vector<Prepared> prepare(std::span<const LloydTask<T>> tasks, std::int64_t cols);
  /// Waits for the device and adds up what it found.
  void collect(const std::vector<Prepared>& prepared, std::int64_t cols,
               std::span<LloydTask<T>> tasks) const;

  cudaStream_t stream_;
  Buffer<T> points_;              // the distinct centroids of all tasks
  Buffer<std::int32_t> indices_;  // what their models call them
  Buffer<double> frame_;          // shift and scale of the columns
  Buffer<Word> sums_;             // what the pass adds, task by task
};

}  // namespace coterie::cuda
