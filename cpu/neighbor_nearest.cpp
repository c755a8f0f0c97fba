// The nearest rows of queries: leaves of queries against the tree of rows, nearest boxes first.
#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "cpu/block_visit.hpp"
#include "cpu/neighbors.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

constexpr float kNoLimit = std::numeric_limits<float>::max();
constexpr std::int32_t kLastRow = std::numeric_limits<std::int32_t>::max();

/// A row and its canonical key.
struct NearRow {
  double key;
  std::int32_t row;

  bool operator<(const NearRow& other) const {
    return key < other.key || (key == other.key && row < other.row);
  }
};

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

/// What may be among the nearest rows of one query: candidates by the filter's values, and the k
/// nearest so far by canonical keys once the values alone could not choose.
struct Nearest {
  AlignedBuffer<float> values;
  AlignedBuffer<std::int32_t> candidates;
  std::int64_t count = 0;
  std::vector<NearRow> rows;
};

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
};

/// The nearest rows of one leaf of queries after the other.
template <class T>
class NearestSearch {
 public:
  explicit NearestSearch(const NearestPass<T>& pass)
      : pass_(pass),
        room_(pass.k + std::max<std::int64_t>(pass.k / 2, kBlock)),
        cols_(pass.tree.cols) {}

  void run(std::int64_t leaf) {
    leaf_ = leaf;
    order_ = pass_.query_tree.order + leaf * kBlock;
    points_ = pass_.query_tree.leaf(leaf);
    start();
    own_leaf_ = &pass_.tree == &pass_.query_tree ? leaf : -1;
    if (own_leaf_ >= 0) meet(leaf);  // what is near enough at once
    visit(pass_.tree.levels, 0);
    for_each_bit(valid_, [&](int query) { finish(query); });
  }

 private:
  void start() {
    valid_ = members_of(pass_.query_tree, leaf_);
    std::fill_n(limits_, kBlock, -1.0f);  // of what is missing: nothing is near
    for_each_bit(valid_, [&](int query) {
      limits_[query] = kNoLimit;
      Nearest& nearest = nearest_[query];
      nearest.values.resize(room_ + 2 * kBlock);
      nearest.candidates.resize(room_ + kBlock);
      nearest.count = 0;
      nearest.rows.clear();
      last_rows_[query] = kLastRow;
    });
    settle_limit();
  }

  /// Limits have changed.
  void settle_limit() {
    limit_ = *std::max_element(limits_, limits_ + kBlock);
    last_row_ = 0;
    for_each_bit(valid_, [&](int query) { last_row_ = std::max(last_row_, last_rows_[query]); });
  }

  /// The boxes of a block of a level that may hold a nearer row, nearest first.
  void visit(int level, std::int64_t block) {
    const BlockTree& tree = pass_.tree;
    const std::int64_t first = block * kBlock;
    alignas(64) float nearest[kBlock], farthest[kBlock];
    leaves().box_bounds(pass_.query_tree.low_of(1, leaf_), pass_.query_tree.high_of(1, leaf_),
                        tree.low_of(level, first), tree.high_of(level, first), cols_,
                        pass_.filter.form, nearest, farthest);
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
      } else if (box != own_leaf_) {
        meet(box);
      }
    }
  }

  /// The pairs of the queries and a leaf of rows.
  void meet(std::int64_t leaf) {
    const BlockTree& tree = pass_.tree;
    const std::uint32_t wanted = leaves().queries_near_box(
        tree.low_of(1, leaf), tree.high_of(1, leaf), points_, cols_, pass_.filter.form, limits_);
    if (wanted == 0) return;
    std::uint32_t below[kBlock];
    alignas(64) float values[kBlock * kBlock];
    const std::uint32_t any = leaves().pair_values(
        points_, tree.leaf(leaf), cols_, pass_.filter.form, wanted, limits_, below, values);
    const bool itself = pass_.others && leaf == own_leaf_;
    const std::int32_t* rows = tree.order + leaf * kBlock;
    bool tighter = false;
    for_each_bit(any, [&](int query) {
      Nearest& nearest = nearest_[query];
      if (itself) below[query] &= ~(std::uint32_t{1} << query);
      append(below[query], values + query * kBlock, rows, nearest);
      if (nearest.count < (limits_[query] == kNoLimit ? pass_.k : room_)) return;
      narrow(query);
      tighter = true;
    });
    if (tighter) settle_limit();
  }

  static void append(std::uint32_t bits, const float* values, const std::int32_t* rows,
                     Nearest& nearest) {
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
    Nearest& nearest = nearest_[query];
    const std::int64_t some_more = (room_ - pass_.k) / 8;
    if (nearest.rows.empty()) narrow_by_values(query, pass_.k + some_more);
    if (nearest.count > pass_.k + 4 * some_more) narrow_by_keys(query);
  }

  /// Leaves the k nearest and some more.
  void narrow_by_values(int query, std::int64_t most) {
    Nearest& nearest = nearest_[query];
    float* values = nearest.values.data();
    std::int32_t* candidates = nearest.candidates.data();
    const float kth = leaves().about_kth(values, nearest.count, pass_.k, most);
    limits_[query] = std::min(limits_[query], pass_.filter.reach_of(kth));
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < nearest.count; ++i) {
      values[kept] = values[i];
      candidates[kept] = candidates[i];
      kept += static_cast<std::int64_t>(values[i] <= limits_[query]);
    }
    nearest.count = kept;
  }

  void narrow_by_keys(int query) {
    take_keys(query);
    Nearest& nearest = nearest_[query];
    const auto last = nearest.rows.begin() + pass_.k - 1;
    std::nth_element(nearest.rows.begin(), last, nearest.rows.end());
    limits_[query] = std::min(limits_[query], pass_.filter.reach(last->key));
    // Of the rows at no distance only those before the last one kept can still take a place.
    if (last->key == 0) last_rows_[query] = last->row;
    nearest.rows.resize(static_cast<std::size_t>(pass_.k));
  }

  /// Candidates become rows.
  void take_keys(int query) {
    Nearest& nearest = nearest_[query];
    const T* values = pass_.queries.row(order_[query]);
    for (std::int64_t i = 0; i < nearest.count; ++i) {
      const std::int32_t row = nearest.candidates.data()[i];
      nearest.rows.push_back(
          {coterie::key(pass_.filter.metric, values, pass_.x.row(row), pass_.x.cols), row});
    }
    nearest.count = 0;
  }

  /// Ascending by value, which is all but the order of keys: sorting what is sorted is fast.
  void sort_candidates(Nearest& nearest) const {
    constexpr std::int64_t kFew = 64;
    if (nearest.count > kFew) return;
    const float* values = nearest.values.data();
    std::int32_t* candidates = nearest.candidates.data();
    std::int32_t sorted[kFew];
    for (std::int64_t i = 0; i < nearest.count; ++i) {
      std::int32_t rank = 0;
      for (std::int64_t j = 0; j < i; ++j)
        rank += static_cast<std::int32_t>(values[j] <= values[i]);
      for (std::int64_t j = i + 1; j < nearest.count; ++j) {
        rank += static_cast<std::int32_t>(values[j] < values[i]);
      }
      sorted[rank] = candidates[i];
    }
    std::copy_n(sorted, nearest.count, candidates);
  }

  void finish(int query) {
    Nearest& nearest = nearest_[query];
    if (nearest.rows.empty()) {
      narrow_by_values(query, pass_.k);
      sort_candidates(nearest);
    }
    take_keys(query);
    std::sort(nearest.rows.begin(), nearest.rows.end());
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
  std::int64_t own_leaf_ = -1;  // the same leaf of the tree, where the queries are its rows
  const std::int32_t* order_ = nullptr;
  const float* points_ = nullptr;
  std::uint32_t valid_ = 0;  // the queries that are there
  float limit_ = 0;          // the largest of limits_, of values that may matter
  alignas(64) float limits_[kBlock] = {};
  std::int32_t last_row_ = 0;  // the largest of last_rows_, of rows that may matter
  std::int32_t last_rows_[kBlock] = {};
  Nearest nearest_[kBlock];
};

template <class T>
void run_nearest(const NearestPass<T>& pass, const Context& ctx) {
  constexpr std::int64_t kLeaves = 8;
  const Context settled = with_settled_threads(ctx);
  std::vector<NearestSearch<T>> searches;
  for (int i = 0; i < settled.threads; ++i) searches.emplace_back(pass);
  const std::int64_t leaves = pass.query_tree.leaves;
  parallel_for(settled, (leaves + kLeaves - 1) / kLeaves, [&](std::int64_t chunk, int worker) {
    const std::int64_t last = std::min(leaves, (chunk + 1) * kLeaves);
    for (std::int64_t leaf = chunk * kLeaves; leaf < last; ++leaf) {
      searches[static_cast<std::size_t>(worker)].run(leaf);
    }
  });
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
