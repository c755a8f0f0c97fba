#include "cpu/block_tree.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

constexpr std::int64_t kChunkLeaves = 32;

std::int64_t blocks_of(std::int64_t members) { return (members + kBlock - 1) / kBlock; }

struct Corners {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
};

/// Of the members of a block that are there, in one column.
Corners corners_of(const float* lows, const float* highs) {
  constexpr int kSide = 8;  // comparisons that do not wait for each other
  Corners sides[kSide];
  for (int first = 0; first < kBlock; first += kSide) {
    for (int i = 0; i < kSide; ++i) {
      const float low = lows[first + i], high = highs[first + i];
      sides[i].low = low < sides[i].low ? low : sides[i].low;
      sides[i].high = high > sides[i].high ? high : sides[i].high;
    }
  }
  Corners all;
  for (const Corners& side : sides) {
    all.low = std::min(all.low, side.low);
    all.high = std::max(all.high, side.high);
  }
  return all;
}

/// Sets box `box` of the boxes at low and high to what holds the members of a block.
void enclose(const float* member_lows, const float* member_highs, std::int64_t cols,
             std::int64_t box, float* low, float* high) {
  const std::int64_t at = box / kBlock * cols * kBlock + box % kBlock;
  for (std::int64_t j = 0; j < cols; ++j) {
    const Corners corners = corners_of(member_lows + j * kBlock, member_highs + j * kBlock);
    low[at + j * kBlock] = corners.low;
    high[at + j * kBlock] = corners.high;
  }
}

}  // namespace

template <class T>
OwnedTree::OwnedTree(MatrixView<const T> x, const PairFilter& filter,
                     std::vector<std::int32_t> order, const Context& ctx)
    : order_(std::move(order)) {
  view_.rows = static_cast<std::int64_t>(order_.size());
  view_.cols = filter.point_cols;
  view_.leaves = blocks_of(view_.rows);
  order_.resize(static_cast<std::size_t>(view_.leaves * kBlock), -1);
  view_.order = order_.data();
  const std::int64_t leaf_values = view_.cols * kBlock;
  float* points = points_.resize(view_.leaves * leaf_values);
  view_.points = points;
  parallel_for(ctx, (view_.leaves + kChunkLeaves - 1) / kChunkLeaves, [&](std::int64_t chunk, int) {
    const std::int64_t end = std::min((chunk + 1) * kChunkLeaves, view_.leaves) * kBlock;
    for (std::int64_t i = chunk * kChunkLeaves * kBlock; i < end; ++i) {
      float* point = points + i / kBlock * leaf_values + i % kBlock;
      if (i < view_.rows) {
        filter.put_point(x.row(order_[static_cast<std::size_t>(i)]), point);
      } else {
        for (std::int64_t j = 0; j < view_.cols; ++j) {
          point[j * kBlock] = std::numeric_limits<float>::quiet_NaN();
        }
      }
    }
  });
  lay_out_boxes();
  enclose_leaves(ctx);
  enclose_boxes();
}

std::vector<std::int32_t> OwnedTree::release() {
  std::vector<std::int32_t> order = std::move(order_);
  order.resize(static_cast<std::size_t>(view_.rows));
  *this = OwnedTree();
  return order;
}

void OwnedTree::lay_out_boxes() {
  std::int64_t blocks = 0, count = view_.leaves;
  while (count > 0) {
    ++view_.levels;
    blocks += blocks_of(count);
    count = count > kBlock ? blocks_of(count) : 0;
  }
  const std::int64_t block_values = view_.cols * kBlock;
  float* corners = boxes_.resize(2 * blocks * block_values);
  std::fill_n(corners, blocks * block_values, std::numeric_limits<float>::infinity());
  std::fill_n(corners + blocks * block_values, blocks * block_values,
              -std::numeric_limits<float>::infinity());
  first_.assign(static_cast<std::size_t>(blocks * kBlock), -1);
  std::int64_t before = 0;
  for (int level = 1; level <= view_.levels; ++level) {
    view_.low[level - 1] = low_[level - 1] = corners + before * block_values;
    view_.high[level - 1] = high_[level - 1] = corners + (blocks + before) * block_values;
    view_.first[level - 1] = first_of_[level - 1] = first_.data() + before * kBlock;
    before += blocks_of(view_.boxes(level));
  }
}

void OwnedTree::enclose_leaves(const Context& ctx) {
  if (view_.leaves == 0) return;
  const std::int64_t chunks = (view_.leaves + kChunkLeaves - 1) / kChunkLeaves;
  parallel_for(ctx, chunks, [&](std::int64_t chunk, int) {
    const std::int64_t end = std::min((chunk + 1) * kChunkLeaves, view_.leaves);
    for (std::int64_t leaf = chunk * kChunkLeaves; leaf < end; ++leaf) {
      enclose(view_.leaf(leaf), view_.leaf(leaf), view_.cols, leaf, low_[0], high_[0]);
      const std::int32_t* rows = view_.order + leaf * kBlock;
      const std::int64_t count = std::min<std::int64_t>(kBlock, view_.rows - leaf * kBlock);
      first_of_[0][leaf] = *std::min_element(rows, rows + count);
    }
  });
}

void OwnedTree::enclose_boxes() {
  for (int level = 2; level <= view_.levels; ++level) {
    const std::int64_t members = view_.boxes(level - 1);
    for (std::int64_t box = 0; box < view_.boxes(level); ++box) {
      const std::int64_t first = box * kBlock;
      enclose(view_.low_of(level - 1, first), view_.high_of(level - 1, first), view_.cols, box,
              low_[level - 1], high_[level - 1]);
      const std::int32_t* rows = first_of_[level - 2] + first;
      first_of_[level - 1][box] =
          *std::min_element(rows, rows + std::min<std::int64_t>(kBlock, members - first));
    }
  }
}

template OwnedTree::OwnedTree(MatrixView<const float>, const PairFilter&, std::vector<std::int32_t>,
                              const Context&);
template OwnedTree::OwnedTree(MatrixView<const double>, const PairFilter&,
                              std::vector<std::int32_t>, const Context&);

}  // namespace coterie::cpu
