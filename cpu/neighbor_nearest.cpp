// The nearest rows of queries: leaves of queries against the tree of rows, nearest boxes first.
#include <algorithm>
#include <span>
#include <vector>

#include "cpu/nearest_of_leaf.hpp"
#include "cpu/neighbors.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

/// A box, and the values of its nearest and farthest points to a box of queries.
struct NearBox {
  float nearest;
  float farthest;
  int child;

  bool operator<(const NearBox& other) const {
    if (nearest != other.nearest) return nearest < other.nearest;
    if (farthest != other.farthest) return farthest < other.farthest;
    return child < other.child;
  }
};

/// Consecutive leaves of queries that are searched for together.
template <class T>
class NearestSearch {
 public:
  NearestSearch(const NearestPass<T>& pass, std::int64_t most_leaves) : pass_(pass) {
    leaves_.reserve(static_cast<std::size_t>(most_leaves));
    for (std::int64_t i = 0; i < most_leaves; ++i) leaves_.emplace_back(pass);
  }

  void run(std::int64_t first, std::int64_t last) {
    group_ = std::span(leaves_).first(static_cast<std::size_t>(last - first));
    for (std::int64_t leaf = first; leaf < last; ++leaf) {
      NearestOfLeaf<T>& queries = group_[static_cast<std::size_t>(leaf - first)];
      queries.start(leaf);
      if (pass_.of_itself()) queries.meet(leaf);  // what is near enough at once
    }
    enclose(first, last);
    settle_limit();
    visit(pass_.tree.levels, 0);
    for (NearestOfLeaf<T>& queries : group_) queries.finish();
  }

 private:
  /// The box around the leaves, laid out as in a tree.
  void enclose(std::int64_t first, std::int64_t last) {
    const BlockTree& tree = pass_.query_tree;
    float* low = low_.resize(tree.cols * kBlock);
    float* high = high_.resize(tree.cols * kBlock);
    for (std::int64_t j = 0; j < tree.cols * kBlock; j += kBlock) {
      low[j] = tree.low_of(1, first)[j];
      high[j] = tree.high_of(1, first)[j];
      for (std::int64_t leaf = first + 1; leaf < last; ++leaf) {
        low[j] = std::min(low[j], tree.low_of(1, leaf)[j]);
        high[j] = std::max(high[j], tree.high_of(1, leaf)[j]);
      }
    }
  }

  void settle_limit() {
    limit_ = 0;
    last_row_ = 0;
    for (const NearestOfLeaf<T>& queries : group_) {
      limit_ = std::max(limit_, queries.limit());
      last_row_ = std::max(last_row_, queries.last_row());
    }
  }

  /// The boxes of a block of a level that may hold a nearer row, nearest first.
  void visit(int level, std::int64_t block) {
    const BlockTree& tree = pass_.tree;
    const std::int64_t first = block * kBlock;
    alignas(64) float nearest[kBlock], farthest[kBlock];
    cpu::leaves().box_bounds(low_.data(), high_.data(), tree.low_of(level, first),
                             tree.high_of(level, first), tree.cols, pass_.filter.form, nearest,
                             farthest);
    NearBox boxes[kBlock];
    int count = 0;
    for (int child = 0; child < kBlock; ++child) {
      if (nearest[child] > limit_) continue;
      boxes[count++] = {nearest[child], farthest[child], child};
    }
    std::sort(boxes, boxes + count);
    for (int i = 0; i < count && boxes[i].nearest <= limit_; ++i) {
      const std::int64_t box = first + boxes[i].child;
      if (tree.first[level - 1][box] > last_row_) continue;
      if (level > 1) {
        visit(level - 1, box);
      } else {
        meet(box);
      }
    }
  }

  void meet(std::int64_t leaf) {
    for (NearestOfLeaf<T>& queries : group_) {
      if (!pass_.of_itself() || queries.leaf() != leaf) queries.meet(leaf);
    }
    settle_limit();
  }

  const NearestPass<T>& pass_;
  std::vector<NearestOfLeaf<T>> leaves_;
  std::span<NearestOfLeaf<T>> group_;  // those in use
  AlignedBuffer<float> low_, high_;    // of the queries
  float limit_ = 0;                    // the largest of the leaves'
  std::int32_t last_row_ = 0;
};

/// Leaves of queries that are searched for together: one where boxes keep most rows out, several
/// where most rows pass by, which a core's cache does not hold.
template <class T>
std::int64_t leaves_at_once(const NearestPass<T>& pass) {
  constexpr std::int64_t kFewCols = 8, kManyNeighbors = 256;
  constexpr std::int64_t kMostWork = std::int64_t{1} << 28;  // so that they end soon
  if (pass.tree.cols <= kFewCols || pass.k > kManyNeighbors) return 1;
  return std::clamp<std::int64_t>(kMostWork / (pass.tree.rows * pass.tree.cols), 1, 8);
}

template <class T>
void run_nearest(const NearestPass<T>& pass, const Context& ctx) {
  const Context settled = with_settled_threads(ctx);
  const std::int64_t at_once = leaves_at_once(pass);
  std::vector<NearestSearch<T>> searches;
  searches.reserve(static_cast<std::size_t>(settled.threads));
  for (int i = 0; i < settled.threads; ++i) searches.emplace_back(pass, at_once);
  const std::int64_t leaves = pass.query_tree.leaves;
  parallel_for(settled, (leaves + at_once - 1) / at_once, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk * at_once, last = std::min(leaves, first + at_once);
    searches[static_cast<std::size_t>(worker)].run(first, last);
    if (worker == 0 && ctx.progress) ctx.progress({"searching", last, leaves});
  });
  if (ctx.progress) ctx.progress({"searching", leaves, leaves});
}

}  // namespace

template <class T>
void CpuNeighborPasses<T>::nearest(MatrixView<const T> queries, std::int64_t k,
                                   std::span<std::int64_t> rows, std::span<double> keys,
                                   const Context& ctx) {
  const BlockTree& rows_tree = tree(ctx);
  if (is_x(queries)) {
    return run_nearest<T>({x_, rows_tree, x_, rows_tree, filter_, k, false, rows, keys}, ctx);
  }
  const QueryLeaves in = query_leaves(queries, filter_, ctx);
  run_nearest<T>({x_, rows_tree, queries, in.tree.view(), in.filter, k, false, rows, keys}, ctx);
}

template <class T>
void CpuNeighborPasses<T>::nearest_others(std::int64_t k, std::span<std::int64_t> rows,
                                          std::span<double> keys, const Context& ctx) {
  const BlockTree& rows_tree = tree(ctx);
  run_nearest<T>({x_, rows_tree, x_, rows_tree, filter_, k, true, rows, keys}, ctx);
}

template void CpuNeighborPasses<float>::nearest(MatrixView<const float>, std::int64_t,
                                                std::span<std::int64_t>, std::span<double>,
                                                const Context&);
template void CpuNeighborPasses<double>::nearest(MatrixView<const double>, std::int64_t,
                                                 std::span<std::int64_t>, std::span<double>,
                                                 const Context&);
template void CpuNeighborPasses<float>::nearest_others(std::int64_t, std::span<std::int64_t>,
                                                       std::span<double>, const Context&);
template void CpuNeighborPasses<double>::nearest_others(std::int64_t, std::span<std::int64_t>,
                                                        std::span<double>, const Context&);

}  // namespace coterie::cpu
