#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/runtime.cuh"

namespace coterie::cuda {

/// The nearest rows so far of one query: a heap with the worst on top, in the memory of the result.
/// Of equal keys the larger row is the worse.
template <class Row>
class NearestHeap {
 public:
  /// Of what is in that memory the first `size` entries are a heap already.
  __device__ NearestHeap(Row* rows, double* keys, std::int64_t most, std::int64_t size = 0)
      : rows_(rows), keys_(keys), most_(most), size_(size) {
    if (size != 0) note_worst();
  }

  __device__ std::int64_t size() const { return size_; }

  __device__ bool full() const { return size_ == most_; }
  __device__ double worst_key() const { return worst_key_; }
  __device__ Row worst_row() const { return worst_row_; }

  __device__ void offer(double key, Row row) {
    if (full()) {
      if (is_worse(key, row, worst_key_, worst_row_)) return;
      sift_down(key, row);
    } else {
      sift_up(key, row);
    }
    note_worst();
  }

  /// Puts the best first; then it is no heap any more.
  __device__ void sort() {
    while (size_ > 1) {
      const double key = keys_[0];
      const Row row = rows_[0];
      --size_;
      sift_down(keys_[size_], rows_[size_]);
      keys_[size_] = key;
      rows_[size_] = row;
    }
  }

 private:
  __device__ void note_worst() {
    worst_key_ = keys_[0];
    worst_row_ = rows_[0];
  }
  __device__ static bool is_worse(double key, Row row, double than_key, Row than_row) {
    return key > than_key || (key == than_key && row > than_row);
  }
  __device__ void put(std::int64_t at, double key, Row row) {
    keys_[at] = key;
    rows_[at] = row;
  }
  __device__ void sift_up(double key, Row row) {
    std::int64_t at = size_++;
    while (at != 0) {
      const std::int64_t parent = (at - 1) / 2;
      if (!is_worse(key, row, keys_[parent], rows_[parent])) break;
      put(at, keys_[parent], rows_[parent]);
      at = parent;
    }
    put(at, key, row);
  }
  /// In the place of the top.
  __device__ void sift_down(double key, Row row) {
    std::int64_t at = 0;
    while (2 * at + 1 < size_) {
      std::int64_t child = 2 * at + 1;
      const bool second = child + 1 < size_ &&
                          is_worse(keys_[child + 1], rows_[child + 1], keys_[child], rows_[child]);
      if (second) ++child;
      if (!is_worse(keys_[child], rows_[child], key, row)) break;
      put(at, keys_[child], rows_[child]);
      at = child;
    }
    put(at, key, row);
  }

  Row* rows_;
  double* keys_;
  std::int64_t most_;
  std::int64_t size_;
  double worst_key_ = HUGE_VAL;
  Row worst_row_ = -1;
};

}  // namespace coterie::cuda
