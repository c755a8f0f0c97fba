#pragma once

#include <algorithm>
#include <cstdint>

#include "core/contract/block_tree.hpp"
#include "core/contract/pair_filter.hpp"
#include "coterie/matrix.hpp"
#include "cpu/block_visit.hpp"
#include "cpu/simd/leaves.hpp"

namespace coterie::cpu {

/// Which points of a leaf are near each query, and which of them the filter left open.
struct PairBits {
  std::uint32_t near[kBlock];
  std::uint32_t unsure[kBlock];
};

/// Decides which pairs of rows have a canonical key of at most `key`.
template <class T>
class PairTest {
 public:
  PairTest(MatrixView<const T> x, const PairFilter& filter, double key)
      : x_(x), filter_(filter), key_(key), sure_(filter.sure(key)), reach_(filter.reach(key)) {}

  /// The search of a leaf's queries.
  Search search(const BlockTree& queries, std::int64_t leaf) const {
    Search search{queries.low_of(1, leaf), queries.high_of(1, leaf), filter_.form, sure_, reach_};
    if (filter_.relative) {
      const PairFilter local = filter_.for_size(largest_in(queries, leaf), key_);
      search.sure = local.sure(key_);
      search.reach = local.reach(key_);
    }
    return search;
  }

  /// The queries of a leaf that may be near points of another leaf; all: those that surely are
  /// near all its points.
  std::uint32_t queries_near(const Search& search, const float* queries, const BlockTree& tree,
                             std::int64_t leaf, std::uint32_t* all) const {
    return leaves().boxes_within(tree.low_of(1, leaf), tree.high_of(1, leaf), queries, queries,
                                 tree.cols, filter_.form, search.sure, search.reach, all);
  }

  /// Which points of a leaf are near each of the wanted queries of another.
  void decide(const Search& search, const BlockTree& queries, std::int64_t query_leaf,
              const BlockTree& tree, std::int64_t leaf, std::uint32_t wanted,
              PairBits& bits) const {
    const std::uint32_t open =
        leaves().pairs_within(queries.leaf(query_leaf), tree.leaf(leaf), tree.cols, filter_.form,
                              wanted, search.sure, search.reach, bits.near, bits.unsure);
    for_each_bit(open, [&](int q) {
      const std::int32_t row = queries.order[query_leaf * kBlock + q];
      for_each_bit(bits.unsure[q], [&](int p) {
        const bool is_near = near(row, tree.order[leaf * kBlock + p]);
        bits.near[q] |= static_cast<std::uint32_t>(is_near) << p;
      });
    });
  }

 private:
  bool near(std::int32_t a, std::int32_t b) const {
    return key(filter_.metric, x_.row(a), x_.row(b), x_.cols) <= key_;
  }

  MatrixView<const T> x_;
  const PairFilter& filter_;
  double key_;
  float sure_, reach_;
};

}  // namespace coterie::cpu
