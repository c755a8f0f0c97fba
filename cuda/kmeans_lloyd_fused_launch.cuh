#pragma once

#include <algorithm>

#include "cuda/kmeans_lloyd_fused.cuh"

namespace coterie::cuda {

/// The fused kernel for some number of columns, and the shared memory that it needs.
template <class T>
struct FusedKernel {
  void (*kernel)(FusedBatch<T>);
  std::size_t (*bytes)(std::int64_t points, std::int64_t shared_words);
  std::int64_t cols;  // padded

  template <int kCols>
  static FusedKernel of() {
    return {lloyd_fused_kernel<T, kCols>, FusedMemory<T, kCols>::bytes, kCols};
  }
  static FusedKernel for_cols(std::int64_t cols) {
    if (cols <= 4) return of<4>();
    if (cols <= 8) return of<8>();
    if (cols <= 16) return of<16>();
    if (cols <= 32) return of<32>();
    return of<kMaxFusedCols>();
  }
};

inline std::size_t shared_memory_limit() {
  int device = 0;
  int bytes = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return static_cast<std::size_t>(bytes);
}

/// Gathers tasks for as few readings of the rows as shared memory allows.
template <class T>
class FusedLauncher {
 public:
  FusedLauncher(const FusedBatch<T>& common, cudaStream_t stream)
      : batch_(common),
        kernel_(FusedKernel<T>::for_cols(common.x.cols)),
        limit_(shared_memory_limit()),
        stream_(stream) {}

  static bool takes(std::int64_t points, std::int64_t cols) {
    if (cols > kMaxFusedCols) return false;
    const auto kernel = FusedKernel<T>::for_cols(cols);
    return points * kernel.cols <= kMaxFusedCentroids &&
           kernel.bytes(points, 0) <= shared_memory_limit();
  }

  void add(const DeviceTask<T>& task, std::int64_t words) {
    // A launch gathers the sums of tasks side by side.
    if (task.sums != batch_.sums + batch_.shared_words) flush();
    // Half of the memory, so that two blocks share a multiprocessor.
    const std::size_t with =
        kernel_.bytes(batch_.points + task.distinct, batch_.shared_words + words);
    if (batch_.tasks == kMaxFusedTasks || with > limit_ / 2) flush();
    if (batch_.tasks == 0) batch_.sums = task.sums;
    batch_.task[batch_.tasks++] = task;
    batch_.points += task.distinct;
    batch_.shared_words += words;
  }

  void flush() {
    if (batch_.tasks == 0) return;
    if (kernel_.bytes(batch_.points, batch_.shared_words) > limit_) batch_.shared_words = 0;
    const std::size_t bytes = kernel_.bytes(batch_.points, batch_.shared_words);
    // The most that it may ever be, as other threads launch the kernel too.
    check(cudaFuncSetAttribute(kernel_.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(limit_)));
    int resident = 0;
    check(
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel_.kernel, kThreads, bytes));
    const std::int64_t tiles = (batch_.x.rows + kThreads - 1) / kThreads;
    const std::int64_t full = std::int64_t{multiprocessors()} * std::max(resident, 1);
    launch(kernel_.kernel, static_cast<unsigned>(std::min(tiles, full)), kThreads, bytes, stream_,
           batch_);
    batch_.tasks = batch_.points = 0;
    batch_.shared_words = 0;
  }

 private:
  FusedBatch<T> batch_;
  FusedKernel<T> kernel_;
  std::size_t limit_;
  cudaStream_t stream_;
};

}  // namespace coterie::cuda
