#pragma once

#include "core/contract/fixed_point.hpp"
#include "cuda/neighbors.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {

__device__ inline void add(std::int64_t& total, std::int64_t value) { total += value; }
__device__ inline void add(FixedSum& total, const FixedSum& value) {
  total.high += value.high;
  total.low += value.low;
}
__device__ inline std::int64_t warp_total(std::int64_t value) { return warp_sum(value); }
__device__ inline FixedSum warp_total(const FixedSum& value) {
  return {warp_sum(value.high), warp_sum(value.low)};
}

// What is counted. A tally has a type Total, points_of (near points of a leaf), box_of (all of a
// box), enough (no more can change the outcome) and finish (called once for each query).

/// Neighbours by number, until a row has enough of them to be core.
struct CoreByNumber {
  using Total = std::int64_t;
  std::int64_t least;
  std::uint8_t* core;

  __device__ Total points_of(std::int64_t, unsigned near) const { return __popc(near); }
  __device__ Total box_of(const BlockTree& tree, int level, std::int64_t box) const {
    return rows_in_box(tree, level, box);
  }
  __device__ bool enough(Total total) const { return total >= least; }
  __device__ void finish(std::int32_t row, Total total) const { core[row] = total >= least; }
};

/// Neighbours by weight, as exact sums.
struct CoreByWeight {
  using Total = FixedSum;
  const FixedSum* points;  // by place in the tree
  const FixedSum* boxes[BlockTree::kMostLevels];
  int bits;
  double scale;
  double least;
  bool grows;  // no weight is negative
  std::uint8_t* core;

  __device__ Total points_of(std::int64_t leaf, unsigned near) const {
    Total sum;
    for (; near != 0; near &= near - 1) add(sum, points[leaf * kBlock + __ffs(near) - 1]);
    return sum;
  }
  __device__ Total box_of(const BlockTree&, int level, std::int64_t box) const {
    return boxes[level - 1][box];
  }
  __device__ bool enough(const Total& total) const { return grows && weighs_enough(total); }
  __device__ void finish(std::int32_t row, const Total& total) const {
    core[row] = weighs_enough(total);
  }
  __device__ bool weighs_enough(const Total& total) const {
    return from_limbs(total, bits, scale) >= least;
  }
};

/// All neighbours.
struct AllByNumber {
  using Total = std::int64_t;
  std::int64_t* counts;

  __device__ Total points_of(std::int64_t, unsigned near) const { return __popc(near); }
  __device__ Total box_of(const BlockTree& tree, int level, std::int64_t box) const {
    return rows_in_box(tree, level, box);
  }
  __device__ bool enough(Total) const { return false; }
  __device__ void finish(std::int32_t query, Total total) const { counts[query] = total; }
};

/// Visitor of a walk: see walk().
template <class Form, class T, class Tally>
class Counter {
 public:
  __device__ Counter(const Search<T>& search, const Tally& tally, std::int64_t leaf)
      : search_(search), tally_(tally), query_(search.queries, leaf), own_(search.own_leaf(leaf)) {}

  /// Boxes all of whose points are near all queries are counted at once.
  __device__ unsigned open(int level, std::int64_t block) {
    const std::int64_t index = block * kBlock + lane_of_warp();
    bool near = index < search_.tree.boxes(level);
    bool whole = false;
    if (near) {
      const Box box(search_.tree, level, index);
      near = smallest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.reach;
      whole = near && largest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.sure;
    }
    if (__ballot_sync(kAllLanes, whole) != 0) {
      typename Tally::Total inside = {};
      if (whole) inside = tally_.box_of(search_.tree, level, index);
      add(total_, warp_total(inside));
    }
    return __ballot_sync(kAllLanes, near && !whole);
  }

  __device__ int pick(unsigned left, int level, std::int64_t block) const {
    return pick_towards(own_, left, level, block);
  }

  __device__ bool leaf(std::int64_t leaf) {
    const bool open = query_.row >= 0 && !tally_.enough(total_);
    if (__ballot_sync(kAllLanes, open) == 0) return false;
    if (open) add(total_, tally_.points_of(leaf, near_points<Form>(search_, query_, leaf)));
    return true;
  }

  __device__ void finish() const {
    if (query_.row >= 0) tally_.finish(query_.row, total_);
  }

 private:
  const Search<T>& search_;
  const Tally& tally_;
  Query query_;
  std::int64_t own_;
  typename Tally::Total total_ = {};
};

/// A warp per leaf of queries.
template <class Form, class T, class Tally>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    count_kernel(const __grid_constant__ Search<T> search, const __grid_constant__ Tally tally,
                 std::int64_t first, std::int64_t count) {
  if (warp_of_grid() >= count) return;
  Counter<Form, T, Tally> counter(search, tally, first + warp_of_grid());
  walk(root_of_tree(search.tree), counter);
  counter.finish();
}

template <class T, class Tally>
void count_neighbors(const Search<T>& search, FilterForm form, const Tally& tally,
                     std::string_view stage, const Context& ctx, cudaStream_t stream) {
  const auto kernel =
      kernel_for(form, [](auto form) { return count_kernel<decltype(form), T, Tally>; });
  run_in_portions(
      search.queries.leaves, stage, ctx, stream, [&](std::int64_t first, std::int64_t count) {
        launch(kernel, grid_of_leaves(count), kThreads, 0, stream, search, tally, first, count);
      });
}

}  // namespace coterie::cuda
