#pragma once

#include "cuda/kmeans_lloyd_tensor.cuh"
#include "cuda/kmeans_update.cuh"

namespace coterie::cuda {

/// Lloyd's pass and the device memory that it uses over and over.
template <class T>
class LloydPass {
 public:
  LloydPass(const Context& ctx, cudaStream_t stream)
      : ctx_(ctx), stream_(stream), tensor_(stream), mover_(stream) {}

  /// `labels[t]` are those of task t for the rows of `x`, in device memory.
  void run(const DeviceRows<T>& x, const Frame& frame, std::span<LloydTask<T>> tasks,
           std::span<std::int32_t* const> labels);

 private:
  struct Share;
  struct Batch;

  /// Says which kernel takes each task, and where its data will lie in the buffers.
  Batch plan(const DeviceRows<T>& x, const Frame& frame, std::span<const LloydTask<T>> tasks) const;
  /// Brings the centroids, and the sums of those that look ahead, to the device.
  void bring(Batch& batch, const Frame& frame, std::span<LloydTask<T>> tasks);
  /// Says to the kernels where all lies.
  void prepare(Batch& batch, std::span<const LloydTask<T>> tasks,
               std::span<std::int32_t* const> labels);
  /// Queues a pass of some tasks. Passes count from 0.
  void queue(const Batch& batch, std::span<const Share> shares, int pass);
  /// Queues passes while tasks go on, up to some number. Returns the last.
  int go_ahead(const Batch& batch);
  /// Takes in how tasks stand after a pass that took `products`. Returns whether some go on.
  bool take_note(const Batch& batch, std::span<const ModelState> states, int products);
  /// Waits for the device and adds up what it found.
  void collect(const Batch& batch, std::span<LloydTask<T>> tasks);
  /// The same of those that look ahead.
  void collect_ahead(const Batch& batch, std::span<LloydTask<T>> tasks, int last_pass);

  const Context& ctx_;
  cudaStream_t stream_;
  Buffer<T> points_;  // the distinct centroids of all tasks; behind them room for moved ones
  Buffer<std::int32_t> indices_;  // what their models call them
  Buffer<double> frame_;          // shift and scale of the columns
  Buffer<Word> sums_;             // what the pass adds, task by task
  Buffer<float> centers_;         // for tensor cores
  TensorLloyd tensor_;            // for float32
  CentroidMover<T> mover_;
};

}  // namespace coterie::cuda
