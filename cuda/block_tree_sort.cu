#include "cuda/block_tree_sort.cuh"

// The one file with CUB, which is slow to compile.
#include <cub/device/device_radix_sort.cuh>

namespace coterie::cuda {

RowOrder::RowOrder(std::int64_t count, cudaStream_t stream)
    : stream_(stream),
      keys_{{count, stream}, {count, stream}},
      rows_{{count, stream}, {count, stream}} {}

void RowOrder::sort(int bits) {
  cub::DoubleBuffer<Word> keys(keys_[now_].data(), keys_[1 - now_].data());
  cub::DoubleBuffer<std::int32_t> rows(rows_[now_].data(), rows_[1 - now_].data());
  std::size_t bytes = 0;
  check(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys, rows, size(), 0, bits, stream_));
  scratch_.reserve(static_cast<std::int64_t>(bytes), stream_);
  check(cub::DeviceRadixSort::SortPairs(scratch_.data(), bytes, keys, rows, size(), 0, bits,
                                        stream_));
  now_ = keys.Current() == keys_[0].data() ? 0 : 1;
}

}  // namespace coterie::cuda
