// Each instruction set's loops against the scalar rules, bit for bit. COTERIE_SIMD picks the set;
// ctest runs this program once for each.
#include "cpu/simd/leaves.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/contract/distance.hpp"
#include "core/contract/fixed_point.hpp"
#include "cpu/tiles.hpp"
#include "testing.hpp"

namespace coterie::cpu {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

constexpr std::int64_t kColumns[] = {1, 2, 7, 16, 33, 300};
constexpr std::int64_t kPointCounts[] = {1, 3, 4, 8, 9, 25};

TEST(Leaves, TilesRepeatTheLastRow) {
  const auto x = make_rows<float>(5, 3);
  AlignedBuffer<double> tile;
  fill_tile(x.view(), {0, 5}, tile.resize(3 * kTileRows));
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    for (std::int64_t j = 0; j < 3; ++j) {
      EXPECT_EQ(tile.data()[j * kTileRows + r], x.view()(std::min<std::int64_t>(r, 4), j));
    }
  }
}

TEST(Leaves, SquaredDistancesAreCanonical) {
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : kPointCounts) {
      const auto x = make_rows<float>(kTileRows, cols);
      const auto points = make_rows<double>(count, cols, Shape::OffsetBlobs);
      AlignedBuffer<double> tile, out;
      fill_tile(x.view(), {0, kTileRows}, tile.resize(cols * kTileRows));
      leaves().squared_distances(tile.data(), cols, points.values.data(), count,
                                 out.resize(count * kTileRows));
      for (std::int64_t p = 0; p < count; ++p) {
        for (std::int64_t r = 0; r < kTileRows; ++r) {
          ASSERT_EQ(out.data()[p * kTileRows + r],
                    squared_distance(x.view().row(r), points.view().row(p), cols))
              << cols << " columns, " << count << " points";
        }
      }
    }
  }
}

TEST(Leaves, NearestInFloat64IsTheDefinition) {
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : kPointCounts) {
      const auto x = make_rows<double>(kTileRows, cols, Shape::Integers);  // full of ties
      const auto points = make_rows<double>(count, cols, Shape::Integers, 2);
      AlignedBuffer<double> tile;
      fill_tile(x.view(), {0, kTileRows}, tile.resize(cols * kTileRows));
      std::int32_t nearest[kTileRows];
      leaves().nearest_f64(tile.data(), cols, points.values.data(), count, nearest);
      for (std::int64_t r = 0; r < kTileRows; ++r) {
        ASSERT_EQ(nearest[r],
                  testing_support::nearest_centroid<double>(x.view().row(r), points.view()));
      }
    }
  }
}

TEST(Leaves, NearestInFloat32GivesTheTwoSmallestDistances) {
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : kPointCounts) {
      const auto x = make_rows<float>(kTileRows, cols);
      const auto points = make_rows<float>(count, cols, Shape::Blobs, 2);
      AlignedBuffer<float> tile;
      leaves().tile_f32(TileRows<float>(x.view(), {0, kTileRows}).at, cols, 1.0f,
                        tile.resize(cols * kTileRows));
      alignas(64) std::int32_t nearest[kTileRows];
      alignas(64) float best[kTileRows], second[kTileRows];
      leaves().nearest_f32(tile.data(), cols, points.values.data(), count, nearest, best, second);
      for (std::int64_t r = 0; r < kTileRows; ++r) {
        std::vector<double> distances;
        for (std::int64_t p = 0; p < count; ++p) {
          distances.push_back(squared_distance(x.view().row(r), points.view().row(p), cols));
        }
        std::sort(distances.begin(), distances.end());
        ASSERT_NEAR(best[r], distances[0], 1e-4 * (1 + distances[0]));
        if (count == 1) {
          ASSERT_TRUE(std::isinf(second[r]));
        } else {
          ASSERT_NEAR(second[r], distances[1], 1e-4 * (1 + distances[1]));
        }
      }
    }
  }
}

TEST(Leaves, TwoTilesGiveTheCanonicalDistanceRowByRow) {
  for (const std::int64_t cols : kColumns) {
    const auto a = make_rows<float>(50, cols);
    const auto b = make_rows<double>(50, cols, Shape::OffsetBlobs);
    AlignedBuffer<double> a_tile, b_tile;
    fill_tile(a.view(), {0, 50}, a_tile.resize(cols * kTileRows));
    fill_tile(b.view(), {0, 50}, b_tile.resize(cols * kTileRows));
    alignas(64) double out[kTileRows];
    leaves().tile_distances(a_tile.data(), b_tile.data(), cols, out);
    for (std::int64_t r = 0; r < 50; ++r) {
      ASSERT_EQ(out[r], squared_distance(a.view().row(r), b.view().row(r), cols));
    }
  }
}

TEST(Leaves, PotentialsAndLimbsFollowTheScalarRules) {
  for (const std::int64_t count : {1, 7, 8, 63, 64}) {
    for (const bool weighted : {false, true}) {
      const auto n = static_cast<std::size_t>(count);
      auto nearest = make_rows<double>(count, 1).values;
      auto distances = make_rows<double>(count, 1, Shape::Blobs, 2).values;
      const auto weights = make_rows<double>(count, 1, Shape::Integers, 3).values;
      for (double& value : nearest) value = std::abs(value);
      for (double& value : distances) value = std::abs(value);
      const double* w = weighted ? weights.data() : nullptr;
      const double scale = limb_scale(100, 50), limb = 0x1p50;

      std::int64_t potential = 0;
      double largest = 0;
      FixedSum sum;
      for (std::size_t r = 0; r < n; ++r) {
        const double value = (weighted ? weights[r] : 1) * std::min(nearest[r], distances[r]);
        potential += to_integer(value * scale);
        largest = std::max(largest, value);
        FixedSum limbs;
        to_limbs(value, scale, limb, &limbs.high, &limbs.low);
        sum += limbs;
      }
      EXPECT_EQ(leaves().potential(nearest.data(), distances.data(), w, count, scale), potential);
      auto folded = nearest;
      EXPECT_EQ(leaves().fold_nearest(distances.data(), w, count, folded.data()), largest);
      for (std::size_t r = 0; r < n; ++r) {
        EXPECT_EQ(folded[r], std::min(nearest[r], distances[r]));
        if (weighted) folded[r] *= weights[r];
      }
      FixedSum added{3, 4};
      leaves().add_limbs(folded.data(), count, scale, limb, &added.high, &added.low);
      EXPECT_EQ(added.high, 3 + sum.high);
      EXPECT_EQ(added.low, 4 + sum.low);
    }
  }
}

TEST(Leaves, RowsAreAddedAsTheScalarRuleSaysAndCanBeTakenAway) {
  for (const std::int64_t cols : kColumns) {
    const auto x = make_rows<float>(1, cols);
    const auto n = static_cast<std::size_t>(cols);
    const double limb = 0x1p50, weight = 0.3;
    std::vector<double> shift(n, 0.123), scale(n, limb_scale(100, 50));
    std::vector<std::int64_t> high(n, 5), low(n, 6);
    leaves().add_row_f32(x.values.data(), cols, weight, shift.data(), scale.data(), limb, 1,
                         high.data(), low.data());
    for (std::size_t j = 0; j < n; ++j) {
      std::int64_t h, l;
      to_limbs(weight * (static_cast<double>(x.values[j]) - shift[j]), scale[j], limb, &h, &l);
      ASSERT_EQ(high[j], 5 + h);
      ASSERT_EQ(low[j], 6 + l);
    }
    leaves().add_row_f32(x.values.data(), cols, weight, shift.data(), scale.data(), limb, -1,
                         high.data(), low.data());
    EXPECT_EQ(high, std::vector<std::int64_t>(n, 5));
    EXPECT_EQ(low, std::vector<std::int64_t>(n, 6));
  }
}

}  // namespace
}  // namespace coterie::cpu
