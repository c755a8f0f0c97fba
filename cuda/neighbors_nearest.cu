#include <cmath>

#include "cuda/neighbors.cuh"
#include "cuda/neighbors_heap.cuh"

namespace coterie::cuda {
namespace {

/// Where the k nearest go: queries x k.
struct Found {
  std::int64_t k;
  std::int64_t* rows;
  double* keys;
};

/// Visitor of a walk that goes into the nearest boxes first.
template <class Form, class T>
class NearestFinder {
 public:
  __device__ NearestFinder(const Search<T>& search, const PairFilter& filter, const Found& found,
                           std::int64_t leaf)
      : search_(search),
        filter_(filter),
        query_(search.queries, leaf),
        skips_itself_(search.own_leaf(leaf) >= 0),
        heap_({found.rows + query_.row * found.k, found.keys + query_.row * found.k, found.k}),
        limit_(query_.row < 0 ? -1 : filter.reach(HUGE_VAL)) {
    COTERIE_SHARED(float, bounds, kWarpsPerBlock* BlockTree::kMostLevels* kWarp);
    bounds_ = bounds + threadIdx.x / kWarp * BlockTree::kMostLevels * kWarp + lane_of_warp();
  }

  __device__ unsigned open(int level, std::int64_t block) {
    // A query that has found k rows equal to itself looks for smaller rows only.
    const bool has_equals = heap_.full() && heap_.worst_key() == 0;
    const float limit = warp_max(has_equals ? -1.0F : limit_);
    const float limit_of_equals = warp_max(has_equals ? limit_ : -1.0F);
    const std::int32_t last =
        warp_max(has_equals ? static_cast<std::int32_t>(heap_.worst_row()) : -1);
    const std::int64_t index = block * kBlock + lane_of_warp();
    bool near = index < search_.tree.boxes(level);
    if (near) {
      const Box box(search_.tree, level, index);
      const float bound = smallest_value<Form>(query_.box, box, search_.tree.cols);
      bounds_[(level - 1) * kWarp] = bound;  // read by this lane alone
      near = bound <= limit ||
             (bound <= limit_of_equals && search_.tree.first[level - 1][index] < last);
    }
    return __ballot_sync(kAllLanes, near);
  }

  /// The nearest that is left, of equally near ones the first; none when it is too far by now.
  __device__ int pick(unsigned left, int level, std::int64_t) const {
    const int lane = lane_of_warp();
    const float bound = (left >> lane & 1) != 0 ? bounds_[(level - 1) * kWarp] : HUGE_VALF;
    const float least = warp_min(bound);
    if (!(least <= warp_max(limit_))) return -1;
    return __ffs(__ballot_sync(kAllLanes, bound == least)) - 1;
  }

  __device__ bool leaf(std::int64_t leaf) {
    float values[kBlock];
    values_of_leaf<Form>(query_.point, search_.tree.leaf(leaf), search_.tree.cols, values);
    for (unsigned near = bits_up_to(values, limit_); near != 0; near &= near - 1) {
      const std::int32_t row = search_.tree.order[leaf * kBlock + __ffs(near) - 1];
      if (skips_itself_ && row == query_.row) continue;
      heap_.offer(key_of_pair<Form>(search_.pairs, query_.row, row), row);
    }
    if (heap_.full()) limit_ = filter_.reach(heap_.worst_key());
    return true;
  }

  __device__ void finish() {
    if (query_.row >= 0) heap_.sort();
  }

 private:
  const Search<T>& search_;
  const PairFilter& filter_;
  Query query_;
  bool skips_itself_;
  NearestHeap<std::int64_t> heap_;
  float limit_;  // of the values of what may still be among the nearest
  float* bounds_;
};

/// A warp per leaf of queries.
template <class Form, class T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce - 1)
    nearest_kernel(const __grid_constant__ Search<T> search,
                   const __grid_constant__ PairFilter filter, const __grid_constant__ Found found,
                   std::int64_t first, std::int64_t count) {
  if (warp_of_grid() >= count) return;
  NearestFinder<Form, T> finder(search, filter, found, first + warp_of_grid());
  walk(root_of_tree(search.tree), finder);
  finder.finish();
}

}  // namespace

template <class T>
void nearest(const NeighborSpace<T>& space, const NeighborRows<T>& queries, std::int64_t k,
             std::span<std::int64_t> rows, std::span<double> keys, const Context& ctx) {
  const cudaStream_t stream = space.stream;
  const Search<T> search = space.search(queries.tree(), queries.keys(), space.rows.tree(), 0);
  const Buffer<std::int64_t> found_rows(search.queries.rows * k, stream);
  const Buffer<double> found_keys(search.queries.rows * k, stream);
  const Found found{k, found_rows.data(), found_keys.data()};
  const auto kernel =
      kernel_for(space.filter.form, [](auto form) { return nearest_kernel<decltype(form), T>; });
  run_in_portions(search.queries.leaves, "searching", ctx, stream,
                  [&](std::int64_t first, std::int64_t count) {
                    launch(kernel, grid_of_leaves(count), kThreads, 0, stream, search, space.filter,
                           found, first, count);
                  });
  download(found_rows.data(), found_rows.size(), rows.data(), stream);
  download(found_keys.data(), found_keys.size(), keys.data(), stream);
}

template void nearest(const NeighborSpace<float>&, const NeighborRows<float>&, std::int64_t,
                      std::span<std::int64_t>, std::span<double>, const Context&);
template void nearest(const NeighborSpace<double>&, const NeighborRows<double>&, std::int64_t,
                      std::span<std::int64_t>, std::span<double>, const Context&);

}  // namespace coterie::cuda
