#pragma once

#include <type_traits>

#include "core/contract/pair_filter.hpp"
#include "cuda/block_tree.cuh"

// A warp takes a leaf of queries, a lane each of them, through a tree: it looks at 32 boxes at once
// and at 32 points one after the other. Nothing is shared, so there are no barriers.

namespace coterie::cuda {

/// Blocks of walking warps that a multiprocessor shall have room for: more would cost them spilled
/// registers.
inline constexpr int kBlocksAtOnce = 4;

// The forms of PairFilter. A value of boxes is computed in the same steps as one of points, so that
// rounding, which keeps order, cannot put the boxes further apart than any of their points.
struct Squares {
  __device__ static float add(float sum, float t) { return fmaf(t, t, sum); }
};
struct Sum {
  __device__ static float add(float sum, float t) { return sum + fabsf(t); }
};
struct Largest {
  // So that a NaN stays one.
  __device__ static float add(float sum, float t) { return fabsf(t) <= sum ? sum : fabsf(t); }
};

/// Rows on the device as canonical keys see them.
template <class T>
struct KeyRows {
  const T* data;
  std::int64_t stride;
  const Direction* directions;  // null but under Cosine

  __device__ const T* row(std::int64_t i) const { return data + i * stride; }
};

/// Queries and the rows that they look for.
template <class T>
struct Pairs {
  KeyRows<T> queries;
  KeyRows<T> rows;
  std::int64_t cols;
  PairMetric metric;
};

/// Out of line, as it is seldom called and takes many registers.
template <class T>
__device__ __attribute__((noinline)) double key_by_metric(const Pairs<T>& pairs, std::int64_t query,
                                                          std::int64_t row) {
  const T* a = pairs.queries.row(query);
  const T* b = pairs.rows.row(row);
  if (pairs.metric.metric == NeighborMetric::Cosine) {
    return cosine_key(a, pairs.queries.directions[query], b, pairs.rows.directions[row],
                      pairs.cols);
  }
  return coterie::key(pairs.metric, a, b, pairs.cols);
}

/// The canonical key, given the form that belongs to the metric.
template <class Form, class T>
__device__ double key_of_pair(const Pairs<T>& pairs, std::int64_t query, std::int64_t row) {
  const T* a = pairs.queries.row(query);
  const T* b = pairs.rows.row(row);
  if constexpr (std::is_same_v<Form, Sum>) {
    return manhattan_distance(a, b, pairs.cols);
  } else if constexpr (std::is_same_v<Form, Largest>) {
    return chebyshev_distance(a, b, pairs.cols);
  } else if (pairs.metric.metric == NeighborMetric::Euclidean) {
    return squared_distance(a, b, pairs.cols);
  } else {
    return key_by_metric(pairs, query, row);
  }
}

/// What is within a key: see PairFilter.
struct Band {
  double key;
  float sure;
  float reach;
};

/// What the passes over pairs have in common.
template <class T>
struct Search {
  BlockTree queries;
  BlockTree tree;
  Pairs<T> pairs;
  Band band;

  /// The leaf of the tree that a leaf of queries is; -1: none.
  __device__ std::int64_t own_leaf(std::int64_t leaf) const {
    return queries.points == tree.points ? leaf : -1;
  }
};

/// The corners of a box, their columns kBlock apart.
struct Box {
  const float* low;
  const float* high;

  __device__ Box(const BlockTree& tree, int level, std::int64_t box)
      : low(tree.low_of(level, box)), high(tree.high_of(level, box)) {}
};

/// No two points of the boxes have a smaller value.
template <class Form>
__device__ float smallest_value(const Box& a, const Box& b, std::int64_t cols) {
  float sum = 0;
  for (std::int64_t j = 0; j < cols * kBlock; j += kBlock) {
    const float between = fmaxf(a.low[j] - b.high[j], b.low[j] - a.high[j]);
    sum = Form::add(sum, fmaxf(between, 0.0F));
  }
  return sum;
}

/// No two points of the boxes have a larger value.
template <class Form>
__device__ float largest_value(const Box& a, const Box& b, std::int64_t cols) {
  float sum = 0;
  for (std::int64_t j = 0; j < cols * kBlock; j += kBlock) {
    sum = Form::add(sum, fmaxf(a.high[j] - b.low[j], b.high[j] - a.low[j]));
  }
  return sum;
}

/// The query of a lane.
struct Query {
  std::int64_t leaf;
  Box box;
  const float* point;  // its columns kBlock apart
  std::int32_t row;    // -1: none

  __device__ Query(const BlockTree& queries, std::int64_t leaf)
      : leaf(leaf),
        box(queries, 1, leaf),
        point(queries.leaf(leaf) + lane_of_warp()),
        row(queries.order[leaf * kBlock + lane_of_warp()]) {}
};

/// values[r]: of the lane's query and point r of the leaf; NaN where there is none.
template <class Form>
__device__ void values_of_leaf(const float* point, const float* leaf, std::int64_t cols,
                               float (&values)[kBlock]) {
#pragma unroll
  for (int r = 0; r < kBlock; ++r) values[r] = 0;
  for (std::int64_t j = 0; j < cols * kBlock; j += kBlock) {
    const float mine = point[j];
    const auto* theirs = reinterpret_cast<const float4*>(leaf + j);
#pragma unroll
    for (int r = 0; r < kBlock; r += 4) {
      const float4 four = theirs[r / 4];
      values[r] = Form::add(values[r], mine - four.x);
      values[r + 1] = Form::add(values[r + 1], mine - four.y);
      values[r + 2] = Form::add(values[r + 2], mine - four.z);
      values[r + 3] = Form::add(values[r + 3], mine - four.w);
    }
  }
}

/// A bit for each value up to `most`.
__device__ inline unsigned bits_up_to(const float (&values)[kBlock], float most) {
  unsigned bits = 0;
#pragma unroll
  for (int r = 0; r < kBlock; ++r) bits |= values[r] <= most ? 1U << r : 0U;
  return bits;
}

/// Points of a leaf that are near the lane's query by the filter alone, and those to be decided by
/// their keys.
struct Near {
  unsigned sure;
  unsigned open;
};

template <class Form, class T>
__device__ Near compare_leaf(const Search<T>& search, const Query& query, std::int64_t leaf) {
  float values[kBlock];
  values_of_leaf<Form>(query.point, search.tree.leaf(leaf), search.tree.cols, values);
  const unsigned sure = bits_up_to(values, search.band.sure);
  return {sure, bits_up_to(values, search.band.reach) & ~sure};
}

/// Whether the query's key to point r of the leaf is within the band's.
template <class Form, class T>
__device__ bool is_near(const Search<T>& search, const Query& query, std::int64_t leaf, int r) {
  const std::int32_t row = search.tree.order[leaf * kBlock + r];
  return key_of_pair<Form>(search.pairs, query.row, row) <= search.band.key;
}

/// A bit for each point of the leaf near the lane's query.
template <class Form, class T>
__device__ unsigned near_points(const Search<T>& search, const Query& query, std::int64_t leaf) {
  const Near near = compare_leaf<Form>(search, query, leaf);
  unsigned bits = near.sure;
  for (unsigned open = near.open; open != 0; open &= open - 1) {
    const int r = __ffs(open) - 1;
    if (is_near<Form>(search, query, leaf, r)) bits |= 1U << r;
  }
  return bits;
}

/// Where a walk begins.
struct Start {
  int level;  // of the boxes
  std::int64_t block;
};

__device__ inline Start root_of_tree(const BlockTree& tree) { return {tree.levels, 0}; }

/// A warp goes through the boxes below `start`. The visitor has
///   unsigned open(level, block): of a block of boxes, those to go into, a bit for each;
///   int pick(left, level, block): which of them to go into next, -1 for none;
///   bool leaf(box): called for boxes of level 1; false ends the walk;
/// which all lanes call at once and which give all lanes the same.
template <class Visitor>
__device__ void walk(const Start& start, Visitor& visitor) {
  int level = start.level;
  std::int64_t block = start.block;
  unsigned left = visitor.open(level, block);
  unsigned kept = 0;  // lane i: what is left of the path's block of level i
  while (true) {
    const int child = left == 0 ? -1 : visitor.pick(left, level, block);
    if (child < 0) {
      if (level == start.level) return;
      ++level;
      block /= kBlock;
      left = __shfl_sync(kAllLanes, kept, level);
      continue;
    }
    left &= ~(1U << child);
    const std::int64_t box = block * kBlock + child;
    if (level == 1) {
      if (!visitor.leaf(box)) return;
      continue;
    }
    if (lane_of_warp() == level) kept = left;
    --level;
    block = box;
    left = visitor.open(level, block);
  }
}

/// The box towards `leaf` (-1: none) if it is one of those left, else the first: what is near comes
/// early.
__device__ inline int pick_towards(std::int64_t leaf, unsigned left, int level,
                                   std::int64_t block) {
  const std::int64_t box = leaf >> (5 * (level - 1));
  const int child = static_cast<int>(box & (kBlock - 1));
  return leaf >= 0 && box / kBlock == block && (left >> child & 1) != 0 ? child : __ffs(left) - 1;
}

static_assert(kBlock == kWarp && kBlock == 1 << 5);

}  // namespace coterie::cuda
