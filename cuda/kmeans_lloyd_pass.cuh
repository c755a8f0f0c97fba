#pragma once

#include "cuda/kmeans_lloyd_tensor.cuh"

namespace coterie::cuda {

/// Lloyd's pass and the device memory that it uses over and over.
template <class T>
class LloydPass {
 public:
  explicit LloydPass(cudaStream_t stream) : stream_(stream), tensor_(stream) {}

  /// `labels[t]` are those of task t for the rows of `x`, in device memory.
  void run(const DeviceRows<T>& x, const Frame& frame, std::span<LloydTask<T>> tasks,
           std::span<std::int32_t* const> labels);

 private:
  struct Prepared;

  /// Brings the tasks' centroids to the device and sets their sums to 0.
  std::vector<Prepared> prepare(std::span<const LloydTask<T>> tasks, std::int64_t cols);
  /// Waits for the device and adds up what it found.
  void collect(const std::vector<Prepared>& prepared, const DeviceRows<T>& x,
               std::span<LloydTask<T>> tasks);

  cudaStream_t stream_;
  Buffer<T> points_;              // the distinct centroids of all tasks
  Buffer<std::int32_t> indices_;  // what their models call them
  Buffer<double> frame_;          // shift and scale of the columns
  Buffer<Word> sums_;             // what the pass adds, task by task
  TensorLloyd tensor_;            // for float32
};

}  // namespace coterie::cuda
