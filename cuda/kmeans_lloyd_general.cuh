#pragma once

#include "cuda/kmeans_lloyd.cuh"

namespace coterie::cuda {

/// A warp per row: with many centroids its lanes share them out. Canonical throughout, and nothing
/// in shared memory: slower than the other kernels, but no size is too large. `open`: the rows that
/// another kernel left, as many as the sums count as rechecked; null: all rows.
template <class T>
__global__ void __launch_bounds__(kThreads)
    lloyd_general_kernel(const __grid_constant__ DeviceRows<T> x,
                         const __grid_constant__ DeviceFrame frame,
                         const __grid_constant__ DeviceTask<T> task, const std::int64_t* open) {
  if (task.stopped()) return;
  const SumsView sums = {task.sums, task.clusters, x.cols};
  const int lane = threadIdx.x % kWarp;
  const std::int64_t count =
      open == nullptr ? x.rows : static_cast<std::int64_t>(*sums.rechecked());
  const std::int64_t warps = std::int64_t{gridDim.x} * (kThreads / kWarp);
  for (std::int64_t i = std::int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
       i < count; i += warps) {
    const std::int64_t row = open == nullptr ? i : open[i];
    Nearest nearest =
        nearest_point(x.row(row), task.points, x.cols, x.cols, task.distinct, lane, kWarp);
    for (int step = kWarp / 2; step > 0; step /= 2) {
      const double distance = __shfl_xor_sync(kAllLanes, nearest.distance, step);
      const std::int32_t point = __shfl_xor_sync(kAllLanes, nearest.point, step);
      const bool tie = distance == nearest.distance && point < nearest.point;
      if (distance < nearest.distance || tie) nearest = {distance, point};
    }
    const std::int32_t to = task.indices[nearest.point];
    const std::int32_t from = task.labels[row];
    __syncwarp();  // every lane has read the label before one writes it
    if (to == from) continue;
    if (lane == 0) {
      task.labels[row] = to;
      atomic_add(sums.changed(), 1);
      if (task.follow_labels) move_weight(sums, from, to, x.weight(row), frame);
    }
    if (task.follow_labels) move_row(sums, x, row, from, to, frame, lane);
  }
}

}  // namespace coterie::cuda
