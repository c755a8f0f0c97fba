#pragma once

#include "core/contract/block_tree.hpp"
#include "cuda/block_tree_sort.cuh"
#include "cuda/rows.cuh"

namespace coterie::cuda {

inline constexpr int kWarpsPerBlock = kThreads / kWarp;
inline constexpr std::int32_t kNoRow = 0x7fffffff;  // larger than any row

/// Blocks of threads such that every item has a warp, where warps come round again if need be.
inline unsigned grid_of_warps(std::int64_t items) { return grid_for(items, kWarpsPerBlock); }

__device__ inline std::int64_t warp_of_grid() {
  return (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarp;
}
__device__ inline std::int64_t warps_in_grid() { return std::int64_t{gridDim.x} * kWarpsPerBlock; }
__device__ inline int lane_of_warp() { return static_cast<int>(threadIdx.x) % kWarp; }

__device__ inline float warp_min(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = fminf(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}
__device__ inline float warp_max(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}
__device__ inline std::int32_t warp_min(std::int32_t value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const std::int32_t other = __shfl_xor_sync(kAllLanes, value, step);
    value = other < value ? other : value;
  }
  return value;
}
__device__ inline std::int32_t warp_max(std::int32_t value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const std::int32_t other = __shfl_xor_sync(kAllLanes, value, step);
    value = other > value ? other : value;
  }
  return value;
}

/// How many points lie in a box.
__device__ inline std::int64_t rows_in_box(const BlockTree& tree, int level, std::int64_t box) {
  const std::int64_t most = std::int64_t{kBlock} << (5 * (level - 1));
  const std::int64_t left = tree.rows - box * most;
  return left < most ? left : most;
}

/// A block tree in device memory.
class TreeOnDevice {
 public:
  /// An empty one.
  TreeOnDevice() = default;
  /// points: of all rows in their order, in blocks like a tree's; what the last lacks is NaN.
  TreeOnDevice(const float* points, std::int64_t rows, std::int64_t cols, cudaStream_t stream);
  /// Those `kept` rows of another tree, in its order, that have the flag.
  TreeOnDevice(const BlockTree& whole, const std::uint8_t* flags, std::uint8_t flag,
               std::int64_t kept, cudaStream_t stream);

  const BlockTree& view() const { return view_; }

 private:
  void take(const float* points, const std::int32_t* names, const std::int32_t* places,
            std::int64_t rows, std::int64_t cols, cudaStream_t stream);
  void put_boxes_around(cudaStream_t stream);

  BlockTree view_;
  Buffer<float> points_;
  Buffer<std::int32_t> order_;
  Buffer<float> low_[BlockTree::kMostLevels], high_[BlockTree::kMostLevels];
  Buffer<std::int32_t> first_[BlockTree::kMostLevels];
};

}  // namespace coterie::cuda
