#pragma once

#include <array>

#include "cuda/kmeans_lloyd.cuh"

// Iterations without the host: after a pass the device itself moves the centroids and decides who
// stops, and the host, which queues further passes meanwhile, hears of it later.

namespace coterie::cuda {

/// Passes that the host may be ahead of what it knows. After the last model stops as many are
/// queued in vain; their kernels return at once.
inline constexpr int kPassesAhead = 4;

/// A model whose centroids the device moves.
template <class T>
struct MovingModel {
  T* centroids[2];  // clusters x cols: a pass reads one, the move after it fills the other
  Word* sums;       // see SumsView
  double* shifts;   // of each cluster, squared; -1 where it is empty
  std::int32_t clusters;
  std::int64_t most;  // moves
  double tolerance;
};

/// Memory of the host that the device writes to.
template <class T>
class SharedWithHost {
 public:
  SharedWithHost() = default;
  ~SharedWithHost() { static_cast<void>(cudaFreeHost(data_)); }
  SharedWithHost(const SharedWithHost&) = delete;
  SharedWithHost& operator=(const SharedWithHost&) = delete;

  /// Makes room for `size` elements; what was in it is lost when it has to grow.
  void reserve(std::size_t size) {
    if (size <= size_) return;
    check(cudaFreeHost(std::exchange(data_, nullptr)));
    size_ = 0;
    void* memory = nullptr;
    check(cudaMallocHost(&memory, size * sizeof(T)));
    data_ = static_cast<T*>(memory);
    size_ = size;
  }
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Moves the centroids of some models after each pass.
template <class T>
class CentroidMover {
 public:
  explicit CentroidMover(cudaStream_t stream) : stream_(stream) {}
  /// Waits: the device may still write to memory of the host.
  ~CentroidMover() { static_cast<void>(cudaStreamSynchronize(stream_)); }
  CentroidMover(const CentroidMover&) = delete;
  CentroidMover& operator=(const CentroidMover&) = delete;

  /// Makes room for the states of some models, which do not go before start().
  void reserve(std::int64_t models);
  /// From now on these are the models; their `shifts` are set here.
  void start(std::vector<MovingModel<T>> models, const DeviceFrame& frame, std::int64_t cols);
  const ModelState* state(std::int64_t model) const { return states_.data() + model; }

  /// Queues the moves after a pass: passes count from 0.
  void move(int pass);
  /// The states after a pass that was queued no more than kPassesAhead passes ago.
  std::span<const ModelState> wait(int pass);

 private:
  ModelState* told(int pass) const { return told_.data() + pass % kPassesAhead * count_; }

  cudaStream_t stream_;
  std::int64_t count_ = 0;
  std::int64_t cols_ = 0;
  std::int64_t most_clusters_ = 0;
  bool large_ = false;  // whether some model takes more than one block
  DeviceFrame frame_ = {};
  Buffer<MovingModel<T>> models_;
  Buffer<ModelState> states_;
  Buffer<double> shifts_;
  SharedWithHost<ModelState> told_;  // what the states were after each of the last passes
  std::array<Event, kPassesAhead> events_;
};

}  // namespace coterie::cuda
