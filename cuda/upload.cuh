#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>

#include "core/contract/finite.hpp"
#include "core/contract/parallel_for.hpp"
#include "coterie/matrix.hpp"
#include "cuda/buffer.cuh"

namespace coterie::cuda {

/// Page-locked memory of the host, from which the device copies by itself.
class PinnedChunk {
 public:
  PinnedChunk() = default;
  ~PinnedChunk() { static_cast<void>(cudaFreeHost(memory_)); }
  PinnedChunk(const PinnedChunk&) = delete;
  PinnedChunk& operator=(const PinnedChunk&) = delete;

  /// The memory, of a size that never changes, once the device has copied what was last in it.
  void* refill(std::size_t bytes) {
    if (copied_) copied_->wait();
    if (memory_ != nullptr) return memory_;
    void* memory = nullptr;
    const cudaError_t status = cudaMallocHost(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      throw OutOfMemory("out of page-locked host memory for copies to the GPU: " +
                        std::to_string(bytes) + " bytes were needed; take device=\"cpu\"");
    }
    check(status);
    return memory_ = memory;
  }

  void send(std::size_t bytes, void* to, cudaStream_t stream) {
    check(cudaMemcpyAsync(to, memory_, bytes, cudaMemcpyHostToDevice, stream));
    copied_.emplace();  // another each time: an event belongs to one GPU
    copied_->record(stream);
  }

 private:
  void* memory_ = nullptr;
  std::optional<Event> copied_;
};

/// Copies of the host's rows to the device. While the device copies one chunk, the host's threads
/// fill the next and look for values that are not finite, so that neither is a pass of its own.
class PinnedUpload {
 public:
  PinnedUpload(ParallelFor threads, std::int64_t chunk_bytes)
      : parallel_for_(threads), chunk_bytes_(chunk_bytes) {}

  /// Makes the rows contiguous. They may go as soon as the call returns, which is before the device
  /// has the last of them. Returns whether all values are finite.
  template <class T>
  bool copy(MatrixView<const T> from, T* to, const Context& ctx, cudaStream_t stream) {
    const std::int64_t values = from.rows * from.cols;
    if (from.stride == from.cols) from = {from.data, 1, values, values};
    const std::int64_t chunk_values = chunk_bytes_ / static_cast<std::int64_t>(sizeof(T));
    const std::lock_guard lock(mutex_);
    bool finite = true;
    std::size_t turn = 0;
    for (std::int64_t first = 0; first < values; first += chunk_values) {
      PinnedChunk& chunk = chunks_[turn++ % chunks_.size()];
      const std::int64_t count = std::min(chunk_values, values - first);
      auto* const filled = static_cast<T*>(chunk.refill(static_cast<std::size_t>(chunk_bytes_)));
      finite = fill(from, first, count, filled, ctx) && finite;
      chunk.send(static_cast<std::size_t>(count) * sizeof(T), to + first, stream);
    }
    return finite;
  }

 private:
  static constexpr std::int64_t kPieceBytes = 1 << 16;  // stays in a core's cache until checked

  /// Puts `count` values, the rows taken one after another, into a chunk.
  template <class T>
  bool fill(MatrixView<const T> from, std::int64_t first, std::int64_t count, T* chunk,
            const Context& ctx) const {
    constexpr std::int64_t kPiece = kPieceBytes / static_cast<std::int64_t>(sizeof(T));
    std::atomic<bool> finite = true;
    parallel_for_(ctx, (count + kPiece - 1) / kPiece, [&](std::int64_t piece, int) {
      const std::int64_t begin = piece * kPiece;
      const std::int64_t size = std::min(kPiece, count - begin);
      if (!copy_values(from, first + begin, size, chunk + begin)) finite = false;
    });
    return finite;
  }

  template <class T>
  static bool copy_values(MatrixView<const T> from, std::int64_t first, std::int64_t count, T* to) {
    bool finite = true;
    while (count > 0) {
      const std::int64_t col = first % from.cols;
      const std::int64_t width = std::min(count, from.cols - col);
      std::memcpy(to, from.row(first / from.cols) + col,
                  static_cast<std::size_t>(width) * sizeof(T));
      finite = all_finite(to, width) && finite;
      first += width;
      to += width;
      count -= width;
    }
    return finite;
  }

  ParallelFor parallel_for_;
  std::int64_t chunk_bytes_;
  std::mutex mutex_;  // of the chunks: the way to the device is one
  std::array<PinnedChunk, 4> chunks_;
};

/// Says whose threads pinned_upload() takes; to be called before it.
void borrow_threads(ParallelFor threads);

/// The process's one: page-locking takes longer than many a copy.
PinnedUpload& pinned_upload();

}  // namespace coterie::cuda
