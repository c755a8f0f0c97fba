#pragma once

#include "cuda/buffer.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {

/// Rows (or places) in an order, and a key of each to bring them into another.
class RowOrder {
 public:
  /// Neither keys nor rows are initialised.
  RowOrder(std::int64_t count, cudaStream_t stream);

  std::int64_t size() const { return keys_[0].size(); }
  Word* keys() const { return keys_[now_].data(); }
  std::int32_t* rows() const { return rows_[now_].data(); }

  /// Ascending by the lowest `bits` bits of the keys; equal ones stay in their order. What keys()
  /// and rows() gave before is gone.
  void sort(int bits);

 private:
  cudaStream_t stream_;
  Buffer<Word> keys_[2];
  Buffer<std::int32_t> rows_[2];
  Buffer<unsigned char> scratch_;
  int now_ = 0;
};

}  // namespace coterie::cuda
