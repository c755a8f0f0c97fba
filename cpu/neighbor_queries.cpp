// The rows within a key of queries: leaves of queries against the tree of rows, counted or listed.
#include <algorithm>
#include <bit>

#include "cpu/block_visit.hpp"
#include "cpu/leaf_loop.hpp"
#include "cpu/neighbors.hpp"
#include "cpu/pair_test.hpp"
#include "cpu/simd/leaves.hpp"

namespace coterie::cpu {
namespace {

template <class T>
struct WithinPass {
  MatrixView<const T> x;
  const BlockTree& tree;
  MatrixView<const T> queries;
  const BlockTree& query_tree;
  PairFilter filter;
  double key;

  bool within(std::int32_t query, std::int32_t row) const {
    return coterie::key(filter.metric, queries.row(query), x.row(row), x.cols) <= key;
  }
};

/// Calls use(query, leaf, bits) for the points of leaves within the key of each of a leaf of
/// queries.
template <class T, class Use>
void for_each_within(const WithinPass<T>& pass, std::int64_t query_leaf, const Use& use) {
  const BlockTree& tree = pass.tree;
  const float* points = pass.query_tree.leaf(query_leaf);
  const std::int32_t* order = pass.query_tree.order + query_leaf * kBlock;
  const std::uint32_t queries = members_of(pass.query_tree, query_leaf);
  const Search search =
      PairTest<T>(pass.x, pass.filter, pass.key).search(pass.query_tree, query_leaf);
  const auto take = [&](int level, std::int64_t box, bool inside) {
    if (!inside) return false;
    const std::int64_t first = first_in(level - 1, box), last = first_in(level - 1, box + 1);
    for (std::int64_t leaf = first; leaf < std::min(last, tree.leaves); ++leaf) {
      for_each_bit(queries, [&](int query) { use(query, leaf, members_of(tree, leaf)); });
    }
    return true;
  };
  const auto use_leaf = [&](std::int64_t leaf) {
    std::uint32_t all = 0, near[kBlock], unsure[kBlock];
    const std::uint32_t wanted =
        queries & leaves().boxes_within(tree.low_of(1, leaf), tree.high_of(1, leaf), points, points,
                                        tree.cols, search.form, search.sure, search.reach, &all);
    for_each_bit(wanted & all, [&](int query) { use(query, leaf, members_of(tree, leaf)); });
    const std::uint32_t any =
        leaves().pairs_within(points, tree.leaf(leaf), tree.cols, search.form, wanted & ~all,
                              search.sure, search.reach, near, unsure);
    const std::int32_t* rows = tree.order + leaf * kBlock;
    for_each_bit(any, [&](int query) {
      for_each_bit(unsure[query], [&](int p) {
        const bool is_near = pass.within(order[query], rows[p]);
        near[query] |= static_cast<std::uint32_t>(is_near) << p;
      });
    });
    for_each_bit(wanted & ~all, [&](int query) {
      if (near[query] != 0) use(query, leaf, near[query]);
    });
  };
  visit_tree(tree, search, take, use_leaf);
}

template <class T>
void count(const WithinPass<T>& pass, std::span<std::int64_t> counts, const Context& ctx) {
  LeafProgress progress{"counting", pass.query_tree.leaves};
  for_each_leaf(pass.query_tree, ctx, &progress, [&](std::int64_t query_leaf) {
    std::int64_t of_leaf[kBlock] = {};
    for_each_within(pass, query_leaf, [&](int query, std::int64_t, std::uint32_t bits) {
      of_leaf[query] += std::popcount(bits);
    });
    const std::int32_t* order = pass.query_tree.order + query_leaf * kBlock;
    for_each_bit(members_of(pass.query_tree, query_leaf), [&](int query) {
      counts[static_cast<std::size_t>(order[query])] = of_leaf[query];
    });
  });
}

template <class T>
void list(const WithinPass<T>& pass, std::span<const std::int64_t> starts,
          std::span<std::int64_t> rows, std::span<double> keys, const Context& ctx) {
  LeafProgress progress{"listing", pass.query_tree.leaves};
  for_each_leaf(pass.query_tree, ctx, &progress, [&](std::int64_t query_leaf) {
    const std::int32_t* order = pass.query_tree.order + query_leaf * kBlock;
    std::int64_t next[kBlock] = {};
    const std::uint32_t queries = members_of(pass.query_tree, query_leaf);
    for_each_bit(queries,
                 [&](int query) { next[query] = starts[static_cast<std::size_t>(order[query])]; });
    for_each_within(pass, query_leaf, [&](int query, std::int64_t leaf, std::uint32_t bits) {
      for_each_bit(bits, [&](int p) {
        rows[static_cast<std::size_t>(next[query]++)] = pass.tree.order[leaf * kBlock + p];
      });
    });
    for_each_bit(queries, [&](int query) {
      const auto first = static_cast<std::size_t>(starts[static_cast<std::size_t>(order[query])]);
      const auto last = static_cast<std::size_t>(next[query]);
      std::sort(rows.begin() + static_cast<std::ptrdiff_t>(first),
                rows.begin() + static_cast<std::ptrdiff_t>(last));
      const T* values = pass.queries.row(order[query]);
      for (std::size_t i = first; i < last; ++i) {
        keys[i] = coterie::key(pass.filter.metric, values, pass.x.row(rows[i]), pass.x.cols);
      }
    });
  });
}

}  // namespace

template <class T>
void CpuNeighborPasses<T>::count_within(MatrixView<const T> queries, double key,
                                        std::span<std::int64_t> counts, const Context& ctx) {
  const BlockTree& rows_tree = tree(ctx);
  if (is_x(queries)) {
    return count<T>({x_, rows_tree, x_, rows_tree, filter_, key}, counts, ctx);
  }
  const QueryLeaves in = query_leaves(queries, filter_, ctx);
  count<T>({x_, rows_tree, queries, in.tree.view(), in.filter, key}, counts, ctx);
}

template <class T>
void CpuNeighborPasses<T>::list_within(MatrixView<const T> queries, double key,
                                       std::span<const std::int64_t> starts,
                                       std::span<std::int64_t> rows, std::span<double> keys,
                                       const Context& ctx) {
  const BlockTree& rows_tree = tree(ctx);
  if (is_x(queries)) {
    return list<T>({x_, rows_tree, x_, rows_tree, filter_, key}, starts, rows, keys, ctx);
  }
  const QueryLeaves in = query_leaves(queries, filter_, ctx);
  list<T>({x_, rows_tree, queries, in.tree.view(), in.filter, key}, starts, rows, keys, ctx);
}

template void CpuNeighborPasses<float>::count_within(MatrixView<const float>, double,
                                                     std::span<std::int64_t>, const Context&);
template void CpuNeighborPasses<double>::count_within(MatrixView<const double>, double,
                                                      std::span<std::int64_t>, const Context&);
template void CpuNeighborPasses<float>::list_within(MatrixView<const float>, double,
                                                    std::span<const std::int64_t>,
                                                    std::span<std::int64_t>, std::span<double>,
                                                    const Context&);
template void CpuNeighborPasses<double>::list_within(MatrixView<const double>, double,
                                                     std::span<const std::int64_t>,
                                                     std::span<std::int64_t>, std::span<double>,
                                                     const Context&);

}  // namespace coterie::cpu
