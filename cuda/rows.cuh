#pragma once

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"
#include "cuda/upload.cuh"

namespace coterie::cuda {

/// Threads of a kernel's block, unless it says otherwise.
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

/// Throws std::invalid_argument unless `memory` is the device's in use. What `stream` is given from
/// now on comes after all that the caller's own stream has been given.
inline void take_over(const void* memory, const Context& ctx, cudaStream_t stream) {
  cudaPointerAttributes found;
  int device = 0;
  check(cudaPointerGetAttributes(&found, memory));
  check(cudaGetDevice(&device));
  const bool on_a_gpu = found.type == cudaMemoryTypeDevice || found.type == cudaMemoryTypeManaged;
  if (!on_a_gpu || found.device != device) {
    throw std::invalid_argument(
        "x must lie in the memory of GPU " + std::to_string(device) + ", got " +
        (on_a_gpu ? "GPU " + std::to_string(found.device) : std::string("host memory")));
  }
  Event queued;
  queued.record(static_cast<cudaStream_t>(ctx.stream));
  queued.hold_up(stream);
}

/// A small matrix, from wherever it lies, made contiguous on the device.
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
                          static_cast<std::size_t>(from.rows), cudaMemcpyDefault, stream));
  return to;
}

/// A contiguous matrix on the device, copied to wherever `to` lies; waits for it.
template <class T>
void download_matrix(const T* from, MatrixView<T> to, cudaStream_t stream) {
  if (to.stride == to.cols) return download(from, to.rows * to.cols, to.data, stream);
  const std::size_t width = static_cast<std::size_t>(to.cols) * sizeof(T);
  check(cudaMemcpy2DAsync(to.data, static_cast<std::size_t>(to.stride) * sizeof(T), from, width,
                          width, static_cast<std::size_t>(to.rows), cudaMemcpyDefault, stream));
  check(cudaStreamSynchronize(stream));
}

/// Extremes of the columns. Rows are counted from the first of `x`.
template <class T>
ColumnRange column_range(const DeviceRows<T>& x, cudaStream_t stream);

template <class T>
void column_spread(const DeviceRows<T>& x, const Frame& frame, SpreadSums& sums,
                   cudaStream_t stream);

/// A matrix on the device: where it lies if that is there, else a copy made contiguous.
template <class T>
class RowsOnDevice {
 public:
  RowsOnDevice(MatrixView<const T> x, const Context& ctx, cudaStream_t stream) : view_(x) {
    if (x.memory == Memory::Device) {
      take_over(x.data, ctx, stream);
    } else {
      copy_ = Buffer<T>(x.rows * x.cols, stream);
      finite_ = pinned_upload().copy(x, copy_.data(), ctx, stream);
      view_ = {copy_.data(), x.rows, x.cols, x.cols, Memory::Device};
    }
  }

  MatrixView<const T> view() const { return view_; }

  /// Whether all values are finite. Of the host's rows that was found while they were copied.
  bool finite(cudaStream_t stream) const {
    if (finite_) return *finite_;
    return column_range<T>({view_.data, nullptr, view_.rows, view_.cols, view_.stride}, stream)
               .bad_row < 0;
  }

 private:
  MatrixView<const T> view_;
  Buffer<T> copy_;
  std::optional<bool> finite_;
};

/// DeviceFunctions::copy_rows.
template <class T>
void copy_rows(MatrixView<const T> x, std::span<const std::int64_t> rows, T* out,
               const Context& ctx);

/// Leaves where the caller wants to stop. Kernels are short, so it is asked in between.
inline void stop_if_asked(const Context& ctx) {
  if (ctx.interrupted && ctx.interrupted()) throw Interrupted();
}

}  // namespace coterie::cuda
