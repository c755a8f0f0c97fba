#include <bit>
#include <cstring>

#include "cuda/block_tree.cuh"

namespace coterie::cuda {
namespace {

constexpr std::int64_t kMostMortonCols = 3;
constexpr std::int64_t kChunkPlaces = 256;  // that a warp takes the extremes of

/// Order of the floats as order of integers.
__device__ unsigned ordered_bits(float value) {
  unsigned bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
__device__ float from_ordered_bits(unsigned ordered) {
  const unsigned bits = (ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// Points in blocks, by their place.
struct Points {
  const float* values;
  std::int64_t rows;
  std::int64_t cols;

  __device__ float value(std::int64_t place, std::int64_t col) const {
    return values[(place / kBlock * cols + col) * kBlock + place % kBlock];
  }
};

/// Places that follow one another in the order, `size` of them in each; extremes by segment, then
/// column, as ordered bits.
struct Segments {
  std::int64_t size;
  unsigned* low;
  unsigned* high;
};

__global__ void __launch_bounds__(kThreads)
    number_kernel(std::int64_t count, std::int32_t* places) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    places[i] = static_cast<std::int32_t>(i);
  }
}

/// A warp per kChunkPlaces, or per segment where these are smaller.
__global__ void __launch_bounds__(kThreads)
    extremes_kernel(Points points, const std::int32_t* places, Segments segments) {
  const std::int64_t chunk = segments.size < kChunkPlaces ? segments.size : kChunkPlaces;
  for (std::int64_t c = warp_of_grid(); c * chunk < points.rows; c += warps_in_grid()) {
    const std::int64_t first = c * chunk;
    const std::int64_t end = first + chunk < points.rows ? first + chunk : points.rows;
    const std::int64_t at = first / segments.size * points.cols;
    for (std::int64_t j = 0; j < points.cols; ++j) {
      float low = HUGE_VALF;
      float high = -HUGE_VALF;
      for (std::int64_t i = first + lane_of_warp(); i < end; i += kWarp) {
        const float value = points.value(places[i], j);
        low = fminf(low, value);
        high = fmaxf(high, value);
      }
      low = warp_min(low);
      high = warp_max(high);
      if (lane_of_warp() != 0) continue;
      atomicMin(&segments.low[at + j], ordered_bits(low));
      atomicMax(&segments.high[at + j], ordered_bits(high));
    }
  }
}

/// The bits of the coordinates in turn, from the highest, after the widest column is cut into
/// 2^bits cells: neighbours in this order are mostly neighbours in space.
__global__ void __launch_bounds__(kThreads)
    morton_keys_kernel(Points points, Segments all, int bits, Word* keys) {
  double widest = 0;
  for (std::int64_t j = 0; j < points.cols; ++j) {
    const double width =
        static_cast<double>(from_ordered_bits(all.high[j])) - from_ordered_bits(all.low[j]);
    widest = width > widest ? width : widest;
  }
  const double cells = static_cast<double>((Word{1} << bits) - 1);
  const double factor = widest > 0 ? cells / widest : 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < points.rows;
       i += step) {
    Word key = 0;
    for (std::int64_t j = 0; j < points.cols; ++j) {
      const double from_low =
          static_cast<double>(points.value(i, j)) - from_ordered_bits(all.low[j]);
      const double cell = from_low * factor;
      const auto number = static_cast<Word>(cell < cells ? cell : cells);
      for (int b = 0; b < bits; ++b) key |= (number >> b & 1) << (b * points.cols + j);
    }
    keys[i] = key;
  }
}

/// Segments in their order, and in each the points by the column in which it is widest.
__global__ void __launch_bounds__(kThreads)
    median_keys_kernel(Points points, const std::int32_t* places, Segments segments, Word* keys) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < points.rows;
       i += step) {
    const std::int64_t segment = i / segments.size;
    const unsigned* low = segments.low + segment * points.cols;
    const unsigned* high = segments.high + segment * points.cols;
    std::int64_t widest = 0;
    float width = -1;
    for (std::int64_t j = 0; j < points.cols; ++j) {
      const float other = from_ordered_bits(high[j]) - from_ordered_bits(low[j]);
      if (other > width) {
        width = other;
        widest = j;
      }
    }
    keys[i] = static_cast<Word>(segment) << 32 | ordered_bits(points.value(places[i], widest));
  }
}

/// Rows that have the flag before those that have another.
__global__ void __launch_bounds__(kThreads)
    flag_keys_kernel(const std::int32_t* names, const std::uint8_t* flags, std::uint8_t flag,
                     std::int64_t rows, Word* keys) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows; i += step) {
    keys[i] = flags[names[i]] == flag ? 0 : 1;
  }
}

/// A warp per block of `out`, which takes the points at `places`. names: the row at a place of
/// `points`; null where rows lie in their order.
__global__ void __launch_bounds__(kThreads)
    gather_kernel(Points points, const std::int32_t* names, const std::int32_t* places,
                  std::int64_t rows, float* out, std::int32_t* order) {
  for (std::int64_t b = warp_of_grid(); b * kBlock < rows; b += warps_in_grid()) {
    const int lane = lane_of_warp();
    const std::int64_t i = b * kBlock + lane;
    const std::int64_t place = i < rows ? places[i] : -1;
    for (std::int64_t j = 0; j < points.cols; ++j) {
      out[(b * points.cols + j) * kBlock + lane] = place < 0 ? NAN : points.value(place, j);
    }
    order[i] = place < 0 ? -1 : names == nullptr ? static_cast<std::int32_t>(place) : names[place];
  }
}

/// One level of blocks, and the boxes around them.
struct Boxes {
  std::int64_t blocks;
  std::int64_t cols;
  const float* from_low;  // the blocks' own values; the same as from_high for points
  const float* from_high;
  const std::int32_t* from_first;
  float* low;
  float* high;
  std::int32_t* first;
};

/// A warp per box; the last block of boxes is filled up with empty ones.
__global__ void __launch_bounds__(kThreads) boxes_kernel(const __grid_constant__ Boxes boxes) {
  const std::int64_t padded = (boxes.blocks + kBlock - 1) / kBlock * kBlock;
  const int lane = lane_of_warp();
  for (std::int64_t b = warp_of_grid(); b < padded; b += warps_in_grid()) {
    const bool there = b < boxes.blocks;
    for (std::int64_t j = 0; j < boxes.cols; ++j) {
      const std::int64_t from = (b * boxes.cols + j) * kBlock + lane;
      const float low =
          warp_min(there ? boxes.from_low[from] : HUGE_VALF);  // fminf passes over NaN
      const float high = warp_max(there ? boxes.from_high[from] : -HUGE_VALF);
      if (lane != 0) continue;
      const std::int64_t to = (b / kBlock * boxes.cols + j) * kBlock + b % kBlock;
      boxes.low[to] = low;
      boxes.high[to] = high;
    }
    std::int32_t first = there ? boxes.from_first[b * kBlock + lane] : kNoRow;
    first = warp_min(first < 0 ? kNoRow : first);
    if (lane == 0) boxes.first[b] = first;
  }
}

/// Bits that tell apart numbers below `count`.
int bits_for(std::int64_t count) { return std::bit_width(static_cast<std::uint64_t>(count - 1)); }

/// The extremes of segments of the order.
class Extremes {
 public:
  Extremes(std::int64_t most_segments, std::int64_t cols, cudaStream_t stream)
      : low_(most_segments * cols, stream), high_(most_segments * cols, stream), stream_(stream) {}

  Segments find(const Points& points, const std::int32_t* places, std::int64_t size) {
    check(cudaMemsetAsync(low_.data(), 0xff, low_.bytes(), stream_));
    check(cudaMemsetAsync(high_.data(), 0, high_.bytes(), stream_));
    const Segments segments{size, low_.data(), high_.data()};
    launch(extremes_kernel, grid_of_warps((points.rows + kBlock - 1) / kBlock), kThreads, 0,
           stream_, points, places, segments);
    return segments;
  }

 private:
  Buffer<unsigned> low_, high_;
  cudaStream_t stream_;
};

void sort_by_morton(const Points& points, RowOrder& order, cudaStream_t stream) {
  const int bits = points.cols == 3 ? 21 : 32;
  Extremes extremes(1, points.cols, stream);
  const Segments all = extremes.find(points, order.rows(), points.rows);
  launch(morton_keys_kernel, grid_for(points.rows, kThreads), kThreads, 0, stream, points, all,
         bits, order.keys());
  order.sort(bits * static_cast<int>(points.cols));
}

/// Halves segments of the order until each is a leaf. Those of a level have one size, a power of
/// two of leaves, so that all but the last are full, and every aligned 32 leaves lie together.
void sort_by_medians(const Points& points, RowOrder& order, cudaStream_t stream) {
  const std::int64_t leaves = (points.rows + kBlock - 1) / kBlock;
  const int levels = bits_for(leaves);
  Extremes extremes((leaves + 1) / 2, points.cols, stream);
  for (int level = levels; level > 0; --level) {
    const std::int64_t size = std::int64_t{kBlock} << level;
    const Segments segments = extremes.find(points, order.rows(), size);
    launch(median_keys_kernel, grid_for(points.rows, kThreads), kThreads, 0, stream, points,
           order.rows(), segments, order.keys());
    order.sort(32 + levels - level);
  }
}

}  // namespace

TreeOnDevice::TreeOnDevice(const float* points, std::int64_t rows, std::int64_t cols,
                           cudaStream_t stream) {
  RowOrder order(rows, stream);
  launch(number_kernel, grid_for(rows, kThreads), kThreads, 0, stream, rows, order.rows());
  const Points from{points, rows, cols};
  if (cols <= kMostMortonCols) {
    sort_by_morton(from, order, stream);
  } else {
    sort_by_medians(from, order, stream);
  }
  take(points, nullptr, order.rows(), rows, cols, stream);
}

TreeOnDevice::TreeOnDevice(const BlockTree& whole, const std::uint8_t* flags, std::uint8_t flag,
                           std::int64_t kept, cudaStream_t stream) {
  RowOrder order(whole.rows, stream);
  const unsigned grid = grid_for(whole.rows, kThreads);
  launch(number_kernel, grid, kThreads, 0, stream, whole.rows, order.rows());
  launch(flag_keys_kernel, grid, kThreads, 0, stream, whole.order, flags, flag, whole.rows,
         order.keys());
  order.sort(1);
  take(whole.points, whole.order, order.rows(), kept, whole.cols, stream);
}

/// Makes the tree of the points at `places`, in this order.
void TreeOnDevice::take(const float* points, const std::int32_t* names, const std::int32_t* places,
                        std::int64_t rows, std::int64_t cols, cudaStream_t stream) {
  view_.rows = rows;
  view_.cols = cols;
  view_.leaves = (rows + kBlock - 1) / kBlock;
  points_ = Buffer<float>(view_.leaves * cols * kBlock, stream);
  order_ = Buffer<std::int32_t>(view_.leaves * kBlock, stream);
  view_.points = points_.data();
  view_.order = order_.data();
  launch(gather_kernel, grid_of_warps(view_.leaves), kThreads, 0, stream,
         Points{points, rows, cols}, names, places, rows, points_.data(), order_.data());
  put_boxes_around(stream);
}

void TreeOnDevice::put_boxes_around(cudaStream_t stream) {
  Boxes boxes{view_.leaves, view_.cols, view_.points, view_.points,
              view_.order,  nullptr,    nullptr,      nullptr};
  for (std::int64_t blocks = view_.leaves;; blocks = (blocks + kBlock - 1) / kBlock) {
    const int level = view_.levels++;
    const std::int64_t padded = (blocks + kBlock - 1) / kBlock * kBlock;
    low_[level] = Buffer<float>(padded * view_.cols, stream);
    high_[level] = Buffer<float>(padded * view_.cols, stream);
    first_[level] = Buffer<std::int32_t>(padded, stream);
    view_.low[level] = boxes.low = low_[level].data();
    view_.high[level] = boxes.high = high_[level].data();
    view_.first[level] = boxes.first = first_[level].data();
    boxes.blocks = blocks;
    launch(boxes_kernel, grid_of_warps(padded), kThreads, 0, stream, boxes);
    if (blocks <= kBlock) return;
    boxes.from_low = boxes.low;
    boxes.from_high = boxes.high;
    boxes.from_first = boxes.first;
  }
}

}  // namespace coterie::cuda
