#include "cuda/dbscan_components.cuh"

namespace coterie::cuda {
namespace {

__global__ void __launch_bounds__(kThreads) alone_kernel(std::int64_t rows, std::int32_t* parents) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows; i += step) {
    parents[i] = static_cast<std::int32_t>(i);
  }
}

/// The root of a row while nobody unites. It climbs by loads alone: who halves the path on the way,
/// as find_root does, may store after another thread has stored the root here.
__device__ std::int32_t settled_root(const Parents& parents, std::int32_t row) {
  std::int32_t root = row;
  for (std::int32_t up = parents.load(root); up != root; up = parents.load(root)) root = up;
  return root;
}

/// A warp per leaf, whose rows come to point at their roots.
__global__ void __launch_bounds__(kThreads)
    leaf_roots_kernel(const __grid_constant__ BlockTree tree, Parents parents,
                      const __grid_constant__ BoxRoots roots) {
  for (std::int64_t b = warp_of_grid(); b < tree.leaves; b += warps_in_grid()) {
    const std::int32_t row = tree.order[b * kBlock + lane_of_warp()];
    const std::int32_t root = row < 0 ? -1 : settled_root(parents, row);
    if (row >= 0) parents.store(row, root);
    const std::int32_t low = warp_min(row < 0 ? kNoRow : root);
    const std::int32_t high = warp_max(root);
    if (lane_of_warp() != 0) continue;
    roots.low[0][b] = low;
    roots.high[0][b] = high;
  }
}

/// A warp per box of a level from 2 on.
__global__ void __launch_bounds__(kThreads)
    box_roots_kernel(const __grid_constant__ BlockTree tree, int level,
                     const __grid_constant__ BoxRoots roots) {
  const std::int64_t parts = tree.boxes(level - 1);
  for (std::int64_t b = warp_of_grid(); b < tree.boxes(level); b += warps_in_grid()) {
    const std::int64_t part = b * kBlock + lane_of_warp();
    const std::int32_t low = warp_min(part < parts ? roots.low[level - 2][part] : kNoRow);
    const std::int32_t high = warp_max(part < parts ? roots.high[level - 2][part] : -1);
    if (lane_of_warp() != 0) continue;
    roots.low[level - 1][b] = low;
    roots.high[level - 1][b] = high;
  }
}

}  // namespace

Components::Components(const BlockTree& tree, std::int64_t rows, cudaStream_t stream)
    : tree_(tree), parents_(rows, stream), stream_(stream) {
  for (int level = 1; level <= tree.levels; ++level) {
    low_[level - 1] = Buffer<std::int32_t>(tree.boxes(level), stream);
    high_[level - 1] = Buffer<std::int32_t>(tree.boxes(level), stream);
    roots_.low[level - 1] = low_[level - 1].data();
    roots_.high[level - 1] = high_[level - 1].data();
  }
  launch(alone_kernel, grid_for(rows, kThreads), kThreads, 0, stream, rows, parents_.data());
}

void Components::look_up() {
  launch(leaf_roots_kernel, grid_of_warps(tree_.leaves), kThreads, 0, stream_, tree_, parents(),
         roots_);
  for (int level = 2; level <= tree_.levels; ++level) {
    launch(box_roots_kernel, grid_of_warps(tree_.boxes(level)), kThreads, 0, stream_, tree_, level,
           roots_);
  }
}

}  // namespace coterie::cuda
