// The measures' innermost loops against the scalar rules, bit for bit.
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

}  // namespace
}  // namespace coterie::cpu
