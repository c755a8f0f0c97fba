#pragma once

#include <chrono>

#include "core/contract/neighbors.hpp"
#include "cuda/neighbors_walk.cuh"

namespace coterie::cuda {

/// Rows on the device in a block tree, or queries to it.
template <class T>
class NeighborRows {
 public:
  /// filter: its shift lies on the device.
  NeighborRows(MatrixView<const T> x, const PairFilter& filter, cudaStream_t stream);

  const BlockTree& tree() const { return tree_.view(); }
  KeyRows<T> keys() const { return {x_.data, x_.stride, directions_.data()}; }

 private:
  MatrixView<const T> x_;  // on the device
  Buffer<Direction> directions_;
  TreeOnDevice tree_;
};

/// What the passes of DBSCAN and the queries need of the rows.
template <class T>
struct NeighborSpace {
  const NeighborRows<T>& rows;
  PairFilter filter;
  cudaStream_t stream;

  Band band(double key) const { return {key, filter.sure(key), filter.reach(key)}; }
  /// Of the leaves of `queries`, whose rows are those of `from`, against a tree of the own rows.
  Search<T> search(const BlockTree& queries, const KeyRows<T>& from, const BlockTree& tree,
                   double key) const {
    return {queries, tree, {from, rows.keys(), filter.cols, filter.metric}, band(key)};
  }
};

template <class T>
void find_core(const NeighborSpace<T>& space, double key, std::span<const double> weights,
               double least, std::span<std::uint8_t> core, const Context& ctx);
template <class T>
void connect(const NeighborSpace<T>& space, double key, std::span<const std::uint8_t> core,
             std::span<std::int32_t> roots, const Context& ctx);

/// The k rows nearest to each query; queries that are the rows themselves do not find themselves.
template <class T>
void nearest(const NeighborSpace<T>& space, const NeighborRows<T>& queries, std::int64_t k,
             std::span<std::int64_t> rows, std::span<double> keys, const Context& ctx);
template <class T>
void count_within(const NeighborSpace<T>& space, const NeighborRows<T>& queries, double key,
                  std::span<std::int64_t> counts, const Context& ctx);
/// rows, keys: of these queries alone, from the first one's start on.
template <class T>
void list_within(const NeighborSpace<T>& space, const NeighborRows<T>& queries, double key,
                 std::span<const std::int64_t> starts, std::span<std::int64_t> rows,
                 std::span<double> keys, const Context& ctx);

/// Launches pass(first, count) over `leaves` until all are done, in portions that take the device a
/// few hundredths of a second, so that the caller is asked and told often.
template <class Pass>
void run_in_portions(std::int64_t leaves, std::string_view stage, const Context& ctx,
                     cudaStream_t stream, const Pass& pass) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kShort(20), kLong(100);
  // One warp for each that the device has room for: all of these take as long as one.
  const std::int64_t fewest = std::int64_t{multiprocessors()} * kBlocksAtOnce * kWarpsPerBlock;
  std::int64_t portion = fewest;
  for (std::int64_t first = 0; first < leaves;) {
    stop_if_asked(ctx);
    const auto begin = Clock::now();
    const std::int64_t count = portion < leaves - first ? portion : leaves - first;
    pass(first, count);
    check(cudaStreamSynchronize(stream));
    first += count;
    if (ctx.progress) ctx.progress({stage, first, leaves});
    const auto taken = Clock::now() - begin;
    if (taken < kShort) portion *= 2;
    if (taken > kLong && portion > fewest) portion /= 2;
  }
}

/// Blocks of threads for a warp per leaf, none of which comes round again: their work differs.
inline unsigned grid_of_leaves(std::int64_t leaves) {
  return static_cast<unsigned>((leaves + kWarpsPerBlock - 1) / kWarpsPerBlock);
}

/// The kernel for a form, which kernels(Form()) returns.
template <class Kernels>
auto kernel_for(FilterForm form, const Kernels& kernels) {
  switch (form) {
    case FilterForm::Sum:
      return kernels(Sum());
    case FilterForm::Largest:
      return kernels(Largest());
    default:
      return kernels(Squares());
  }
}

}  // namespace coterie::cuda
