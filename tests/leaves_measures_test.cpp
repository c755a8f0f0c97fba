// The measures' and PCA's innermost loops against the scalar rules, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/contract/distance.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/tiles.hpp"
#include "testing.hpp"

namespace coterie::cpu {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

constexpr std::int64_t kColumns[] = {1, 2, 7, 16, 33, 300};
constexpr std::int64_t kPointCounts[] = {1, 3, 4, 8, 9, 25};

TEST(MeasureLeaves, DistancesAreAddedOnePointAfterTheOther) {
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : kPointCounts) {
      const auto x = make_rows<double>(kTileRows, cols);
      const auto points = make_rows<double>(count, cols, Shape::OffsetBlobs);
      AlignedBuffer<double> tile, sums;
      fill_tile(x.view(), {0, kTileRows}, tile.resize(cols * kTileRows));
      std::fill_n(sums.resize(kTileRows), kTileRows, 0.7);
      leaves().add_distances(tile.data(), cols, points.values.data(), count, sums.data());
      for (std::int64_t r = 0; r < kTileRows; ++r) {
        double sum = 0.7;
        for (std::int64_t p = 0; p < count; ++p) {
          sum += std::sqrt(squared_distance(x.view().row(r), points.view().row(p), cols));
        }
        ASSERT_EQ(sums.data()[r], sum) << cols << " columns, " << count << " points";
      }
    }
  }
}

TEST(MeasureLeaves, RootsAreTheRoundedOnes) {
  const auto x = make_rows<double>(8, 13, Shape::OffsetBlobs);
  AlignedBuffer<double> values;
  std::copy(x.values.begin(), x.values.end(), values.resize(8 * 13));
  values.data()[3] = 0;
  leaves().square_roots(values.data(), 8 * 13);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    EXPECT_EQ(values.data()[i], i == 3 ? 0 : std::sqrt(x.values[i]));
  }
}

TEST(MeasureLeaves, ProductsAreAddedInTheOrderOfRows) {
  constexpr std::int64_t kRows = 5;
  for (const std::int64_t cols : {8, 16, 24, 72}) {
    const auto x = make_rows<double>(kRows, cols);
    AlignedBuffer<double> rows, products;
    std::copy(x.values.begin(), x.values.end(), rows.resize(kRows * cols));
    std::fill_n(products.resize(cols * cols), cols * cols, 0.3);
    const std::int64_t last = cols - 8;  // some of the matrix's rows, and then the others
    leaves().add_products(rows.data(), kRows, cols, cols, last, cols, products.data());
    leaves().add_products(rows.data(), kRows, cols, cols, 0, last, products.data());
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = i; j < cols; ++j) {
        double sum = 0;
        for (std::int64_t r = 0; r < kRows; ++r) sum += x.view()(r, i) * x.view()(r, j);
        ASSERT_EQ(products.data()[i * cols + j], 0.3 + sum) << i << ", " << j << " of " << cols;
      }
    }
  }
}

TEST(MeasureLeaves, ProjectionsAddColumnsInAscendingOrder) {
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : kPointCounts) {
      const auto x = make_rows<double>(kTileRows, cols);
      const auto axes = make_rows<double>(count, cols, Shape::Blobs, 2);
      AlignedBuffer<double> tile, out;
      fill_tile(x.view(), {0, kTileRows}, tile.resize(cols * kTileRows));
      leaves().project(tile.data(), cols, axes.values.data(), count, out.resize(count * kTileRows));
      for (std::int64_t a = 0; a < count; ++a) {
        for (std::int64_t r = 0; r < kTileRows; ++r) {
          double sum = 0;
          for (std::int64_t j = 0; j < cols; ++j) sum += axes.view()(a, j) * x.view()(r, j);
          ASSERT_EQ(out.data()[a * kTileRows + r], sum) << cols << " columns, " << count << " axes";
        }
      }
    }
  }
}

}  // namespace
}  // namespace coterie::cpu
