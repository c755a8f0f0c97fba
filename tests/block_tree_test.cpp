// The tree's promises: all rows, in boxes that hold them, near ones together.
#include "cpu/block_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cpu/column_facts.hpp"
#include "testing.hpp"

namespace coterie::cpu {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

template <class T>
struct Built {
  explicit Built(const Matrix<T>& x, const PairMetric& metric = {}, int threads = 2) {
    Context ctx = Device::Cpu;
    ctx.threads = threads;
    const ColumnRange range = column_range(x.view(), {0, x.rows}, ctx);
    double largest = 0;
    for (std::size_t j = 0; j < range.low.size(); ++j) {
      largest = std::max({largest, std::abs(range.low[j]), std::abs(range.high[j])});
    }
    filter = pair_filter<T>(metric, x.cols, nullptr, largest);
    order = spatial_order(x.view(), filter, range, ctx);
    tree = OwnedTree(x.view(), filter, order, ctx);
  }
  PairFilter filter;
  std::vector<std::int32_t> order;
  OwnedTree tree;
};

void expect_all_rows(std::vector<std::int32_t> order, std::int64_t rows) {
  std::sort(order.begin(), order.end());
  std::vector<std::int32_t> expected(static_cast<std::size_t>(rows));
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

/// Every box of every level holds the points below it, tightly, and knows its smallest row.
void expect_tight(const BlockTree& tree) {
  for (int level = 1; level <= tree.levels; ++level) {
    const std::int64_t span = std::int64_t{1} << (5 * level);
    for (std::int64_t box = 0; box < tree.boxes(level); ++box) {
      const std::int64_t end = std::min((box + 1) * span, tree.rows);
      std::int32_t first = tree.order[box * span];
      for (std::int64_t i = box * span; i < end; ++i) first = std::min(first, tree.order[i]);
      EXPECT_EQ(tree.first[level - 1][box], first);
      for (std::int64_t j = 0; j < tree.cols; ++j) {
        float low = std::numeric_limits<float>::infinity(), high = -low;
        for (std::int64_t i = box * span; i < end; ++i) {
          const float value = tree.leaf(i / kBlock)[j * kBlock + i % kBlock];
          low = std::min(low, value);
          high = std::max(high, value);
        }
        ASSERT_EQ(tree.low_of(level, box)[j * kBlock], low);
        ASSERT_EQ(tree.high_of(level, box)[j * kBlock], high);
      }
    }
  }
  EXPECT_LE(tree.boxes(tree.levels), kBlock);
}

TEST(BlockTree, HoldsAllRowsInTightBoxes) {
  for (const std::int64_t rows : {1, 31, 32, 33, 1024, 1025, 40000}) {
    for (const std::int64_t cols : {1, 2, 3, 4, 20}) {
      if (rows * cols > 100000) continue;
      for (const Shape shape : {Shape::Blobs, Shape::Duplicates}) {
        const auto x = make_rows<float>(rows, cols, shape);
        const Built<float> built(x);
        expect_all_rows(built.order, rows);
        const BlockTree& tree = built.tree.view();
        EXPECT_EQ(tree.rows, rows);
        for (std::int64_t i = 0; i < tree.leaves * kBlock; ++i) {
          const float* point = tree.leaf(i / kBlock) + i % kBlock;
          if (i >= rows) {
            EXPECT_EQ(tree.order[i], -1);
            EXPECT_TRUE(std::isnan(point[0]));
            continue;
          }
          std::vector<float> expected(static_cast<std::size_t>(cols * kBlock));
          built.filter.put_point(x.view().row(tree.order[i]), expected.data());
          for (std::int64_t j = 0; j < cols * kBlock; j += kBlock) {
            EXPECT_EQ(point[j], expected[static_cast<std::size_t>(j)]);
          }
        }
        expect_tight(tree);
      }
    }
  }
}

TEST(BlockTree, KeepsEqualRowsAscending) {
  for (const std::int64_t cols : {1, 2, 3, 7}) {
    const Matrix<float> same(5000, cols);
    const Built<float> built(same);
    EXPECT_TRUE(std::is_sorted(built.order.begin(), built.order.end()));
  }
}

TEST(BlockTree, IsTheSameForAnyNumberOfThreads) {
  for (const std::int64_t cols : {2, 3, 5}) {
    const auto x = make_rows<double>(30000, cols);
    const Built<double> one(x, {}, 1);
    EXPECT_EQ(one.order, Built<double>(x, {}, 2).order);
    EXPECT_EQ(one.order, Built<double>(x, {}, 7).order);
  }
}

/// The area of all leaves' boxes but the largest one, which a far row may have.
double covered(const BlockTree& tree) {
  double sum = 0, largest = 0;
  for (std::int64_t leaf = 0; leaf < tree.leaves; ++leaf) {
    double area = 1;
    for (std::int64_t j = 0; j < 2; ++j) {
      area *= tree.high_of(1, leaf)[j * kBlock] - tree.low_of(1, leaf)[j * kBlock];
    }
    sum += area;
    largest = std::max(largest, area);
  }
  return sum - largest;
}

TEST(BlockTree, KeepsNearRowsTogetherBesideFarOnes) {
  auto x = make_rows<float>(20000, 2, Shape::Blobs);
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] = std::fmod(x.values[i] + 99, 1.0f);
  // All leaves together cover the square about once.
  const Built<float> alone(x);
  EXPECT_LT(covered(alone.tree.view()) / (alone.filter.scale * alone.filter.scale), 4);
  x.values[20001] = 1e9f;
  const Built<float> beside(x);
  EXPECT_LT(covered(beside.tree.view()) / (beside.filter.scale * beside.filter.scale), 4);
}

TEST(BlockTree, OrdersUnitRowsAndPlacesToo) {
  auto x = make_rows<double>(2000, 2);
  for (double& value : x.values) value = value / 8 + 0.01;
  for (const NeighborMetric metric : {NeighborMetric::Cosine, NeighborMetric::Haversine}) {
    const Built<double> built(x, {metric, 2});
    expect_all_rows(built.order, x.rows);
    EXPECT_EQ(built.tree.view().cols, metric == NeighborMetric::Cosine ? 2 : 3);
    expect_tight(built.tree.view());
  }
}

TEST(BlockTree, GivesItsRowsBack) {
  const auto x = make_rows<float>(100, 2);
  Built<float> built(x);
  EXPECT_EQ(built.tree.release(), built.order);
  EXPECT_EQ(built.tree.view().rows, 0);
}

}  // namespace
}  // namespace coterie::cpu
