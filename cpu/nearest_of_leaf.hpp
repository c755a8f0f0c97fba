#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/contract/pair_filter.hpp"
#include "coterie/matrix.hpp"
#include "cpu/block_visit.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {

/// A pass over rows and queries.
template <class T>
struct NearestPass {
  MatrixView<const T> x;
  const BlockTree& tree;
  MatrixView<const T> queries;
  const BlockTree& query_tree;
  PairFilter filter;
  std::int64_t k;
  bool others;  // the queries are x, and no row is its own neighbour
  std::span<std::int64_t> rows;
  std::span<double> keys;

  bool of_itself() const { return &tree == &query_tree; }
};

/// A row and its canonical key.
struct NearRow {
  double key;
  std::int32_t row;

  bool operator<(const NearRow& other) const {
    return key < other.key || (key == other.key && row < other.row);
  }
};

/// What may be among the nearest rows of one query: candidates by the filter's values, and the k
/// nearest so far by canonical keys once the values alone could not choose.
struct NearestSoFar {
  AlignedBuffer<float> values;
  AlignedBuffer<std::int32_t> candidates;
  std::int64_t count = 0;
  std::vector<NearRow> rows;  // the farthest of them last
};

/// The nearest rows of the queries of one leaf.
template <class T>
class NearestOfLeaf {
 public:
  explicit NearestOfLeaf(const NearestPass<T>& pass)
      : pass_(pass),
        room_(pass.k + std::max<std::int64_t>(pass.k / 2, kBlock)),
        cols_(pass.tree.cols) {}

  void start(std::int64_t leaf) {
    leaf_ = leaf;
    order_ = pass_.query_tree.order + leaf * kBlock;
    points_ = pass_.query_tree.leaf(leaf);
    queries_ = members_of(pass_.query_tree, leaf);
    size_ = largest_in(pass_.query_tree, leaf);
    std::fill_n(limits_, kBlock, -1.0f);  // of what is missing: nothing is near
    for_each_bit(queries_, [&](int query) {
      limits_[query] = kNoLimit;
      NearestSoFar& nearest = nearest_[query];
      nearest.values.resize(room_ + 2 * kBlock);
      nearest.candidates.resize(room_ + kBlock);
      nearest.count = 0;
      nearest.rows.clear();
      last_rows_[query] = kLastRow;
    });
    settle_limit();
  }

  std::int64_t leaf() const { return leaf_; }
  /// No value above it matters any more to any query,
  float limit() const { return limit_; }
  /// nor any row after it.
  std::int32_t last_row() const { return last_row_; }

  /// Takes in the pairs of the queries and a leaf of rows.
  void meet(std::int64_t leaf) {
    const BlockTree& tree = pass_.tree;
    std::uint32_t wanted = leaves().queries_near_box(tree.low_of(1, leaf), tree.high_of(1, leaf),
                                                     points_, cols_, pass_.filter.form, limits_);
    if (wanted != 0 && is_one_point(leaf)) wanted = wanting_more(wanted, leaf);
    if (wanted == 0) return;
    std::uint32_t below[kBlock];
    alignas(64) float values[kBlock * kBlock];
    const std::uint32_t any = leaves().pair_values(
        points_, tree.leaf(leaf), cols_, pass_.filter.form, wanted, limits_, below, values);
    const bool itself = pass_.others && leaf == leaf_;
    const std::int32_t* rows = tree.order + leaf * kBlock;
    bool tighter = false;
    for_each_bit(any, [&](int query) {
      NearestSoFar& nearest = nearest_[query];
      if (itself) below[query] &= ~(std::uint32_t{1} << query);
      append(below[query], values + query * kBlock, rows, nearest);
      if (nearest.count < (limits_[query] == kNoLimit ? pass_.k : room_)) return;
      narrow(query);
      tighter = true;
    });
    if (tighter) settle_limit();
  }

  /// Writes the results.
  void finish() {
    for_each_bit(queries_, [&](int query) { finish(query); });
  }

 private:
  static constexpr float kNoLimit = std::numeric_limits<float>::max();
  static constexpr std::int32_t kLastRow = std::numeric_limits<std::int32_t>::max();
  static constexpr std::int64_t kFew = 64;  // what simple sorting is good for

  /// Limits have changed.
  void settle_limit() {
    limit_ = *std::max_element(limits_, limits_ + kBlock);
    last_row_ = 0;
    for_each_bit(queries_, [&](int query) { last_row_ = std::max(last_row_, last_rows_[query]); });
  }

  /// All rows of a leaf are equal: one point many times must not be compared with all of it.
  bool is_one_point(std::int64_t leaf) const {
    const BlockTree& tree = pass_.tree;
    const float* low = tree.low_of(1, leaf);
    const float* high = tree.high_of(1, leaf);
    for (std::int64_t j = 0; j < cols_; ++j) {
      if (low[j * kBlock] != high[j * kBlock]) return false;
    }
    const std::int32_t* rows = tree.order + leaf * kBlock;
    const T* first = pass_.x.row(rows[0]);
    return std::all_of(rows + 1, rows + std::popcount(members_of(tree, leaf)), [&](int row) {
      return std::equal(first, first + pass_.x.cols, pass_.x.row(row));
    });
  }

  /// Of these queries, those for which the first of a leaf's equal rows could take a place.
  std::uint32_t wanting_more(std::uint32_t queries, std::int64_t leaf) const {
    const std::int32_t first = pass_.tree.first[0][leaf];
    std::uint32_t wanting = queries;
    for_each_bit(queries, [&](int query) {
      const std::vector<NearRow>& rows = nearest_[query].rows;
      if (rows.empty() || NearRow{key_of(query, first), first} < rows.back()) return;
      wanting &= ~(std::uint32_t{1} << query);
    });
    return wanting;
  }

  double key_of(int query, std::int32_t row) const {
    return key(pass_.filter.metric, pass_.queries.row(order_[query]), pass_.x.row(row),
               pass_.x.cols);
  }

  static void append(std::uint32_t bits, const float* values, const std::int32_t* rows,
                     NearestSoFar& nearest) {
    float* next_value = nearest.values.data() + nearest.count;
    std::int32_t* next = nearest.candidates.data() + nearest.count;
    nearest.count += std::popcount(bits);
    for_each_bit(bits, [&](int p) {
      *next_value++ = values[p];
      *next++ = rows[p];
    });
  }

  /// Drops candidates that k others are nearer than, by values where these do, else by keys.
  void narrow(int query) {
    NearestSoFar& nearest = nearest_[query];
    const std::int64_t some_more = (room_ - pass_.k) / 8;
    if (nearest.rows.empty()) narrow_by_values(query, pass_.k + some_more);
    if (nearest.count > pass_.k + 4 * some_more) narrow_by_keys(query);
  }

  /// Leaves the k nearest and some more.
  void narrow_by_values(int query, std::int64_t most) {
    NearestSoFar& nearest = nearest_[query];
    float* values = nearest.values.data();
    std::int32_t* candidates = nearest.candidates.data();
    const float kth = leaves().about_kth(values, nearest.count, pass_.k, most);
    limits_[query] = std::min(limits_[query], reach_of(kth));
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < nearest.count; ++i) {
      values[kept] = values[i];
      candidates[kept] = candidates[i];
      kept += static_cast<std::int64_t>(values[i] <= limits_[query]);
    }
    nearest.count = kept;
  }

  /// What the filter says, and where points are rounded, what it says of small ones, if that is
  /// less: twice, as the first answer still has the rounding of large ones in it.
  float reach_of(float kth) const {
    const float reach = pass_.filter.reach_of(kth);
    if (!pass_.filter.relative || reach <= 1.01f * kth) return reach;
    PairFilter local = pass_.filter.for_size(size_, pass_.filter.highest_key(kth));
    local = local.for_size(size_, local.highest_key(kth));
    return local.reach_of(kth);
  }

  void narrow_by_keys(int query) {
    take_keys(query);
    NearestSoFar& nearest = nearest_[query];
    const auto last = nearest.rows.begin() + pass_.k - 1;
    std::nth_element(nearest.rows.begin(), last, nearest.rows.end());
    const PairFilter local = pass_.filter.for_size(size_, last->key);
    limits_[query] = std::min(limits_[query], local.reach(last->key));
    // Of the rows at no distance only those before the last one kept can still take a place.
    if (last->key == 0) last_rows_[query] = last->row;
    nearest.rows.resize(static_cast<std::size_t>(pass_.k));
  }

  /// Candidates become rows.
  void take_keys(int query) {
    NearestSoFar& nearest = nearest_[query];
    const std::size_t first = nearest.rows.size();
    nearest.rows.resize(first + static_cast<std::size_t>(nearest.count));
    for (std::int64_t i = 0; i < nearest.count; ++i) {
      const std::int32_t row = nearest.candidates.data()[i];
      nearest.rows[first + static_cast<std::size_t>(i)] = {key_of(query, row), row};
    }
    nearest.count = 0;
  }

  /// Ascending by value, which is all but the order of keys: sorting what is sorted is fast.
  void sort_candidates(NearestSoFar& nearest) const {
    if (nearest.count > kFew) return;
    const float* values = nearest.values.data();
    std::int32_t* candidates = nearest.candidates.data();
    std::int32_t sorted[kFew];
    for (std::int64_t i = 0; i < nearest.count; ++i) {
      std::int32_t rank = 0;
      for (std::int64_t j = 0; j < i; ++j) {
        rank += static_cast<std::int32_t>(values[j] <= values[i]);
      }
      for (std::int64_t j = i + 1; j < nearest.count; ++j) {
        rank += static_cast<std::int32_t>(values[j] < values[i]);
      }
      sorted[rank] = candidates[i];
    }
    std::copy_n(sorted, nearest.count, candidates);
  }

  /// Fast where they nearly are.
  static void sort(std::vector<NearRow>& rows) {
    if (rows.size() > static_cast<std::size_t>(kFew)) return std::sort(rows.begin(), rows.end());
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const NearRow row = rows[i];
      std::size_t at = i;
      for (; at > 0 && row < rows[at - 1]; --at) rows[at] = rows[at - 1];
      rows[at] = row;
    }
  }

  void finish(int query) {
    NearestSoFar& nearest = nearest_[query];
    if (nearest.rows.empty()) {
      narrow_by_values(query, pass_.k);
      sort_candidates(nearest);
    }
    take_keys(query);
    sort(nearest.rows);
    const std::int64_t start = order_[query] * pass_.k;
    for (std::int64_t i = 0; i < pass_.k; ++i) {
      const NearRow& near = nearest.rows[static_cast<std::size_t>(i)];
      pass_.rows[static_cast<std::size_t>(start + i)] = near.row;
      pass_.keys[static_cast<std::size_t>(start + i)] = near.key;
    }
  }

  const NearestPass<T>& pass_;
  std::int64_t room_;  // candidates that are not worth a selection
  std::int64_t cols_;  // of the points
  std::int64_t leaf_ = 0;
  const std::int32_t* order_ = nullptr;
  const float* points_ = nullptr;
  double size_ = 0;                        // the largest magnitude of the points
  std::uint32_t queries_ = 0;              // those that are there
  float limit_ = 0;                        // the largest of
  alignas(64) float limits_[kBlock] = {};  // values that may matter
  std::int32_t last_row_ = 0;              // the largest of
  std::int32_t last_rows_[kBlock] = {};    // rows that may matter
  NearestSoFar nearest_[kBlock];
};

}  // namespace coterie::cpu
