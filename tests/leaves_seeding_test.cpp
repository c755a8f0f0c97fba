// Each instruction set's loops of k-means++ against the scalar rules. COTERIE_SIMD picks the set;
// ctest runs this program once for each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/contract/distance.hpp"
#include "core/contract/fixed_point.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/tiles.hpp"
#include "testing.hpp"

namespace coterie::cpu {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> magnitudes(std::int64_t count, std::uint64_t seed) {
  auto values = make_rows<double>(count, 1, Shape::Blobs, seed).values;
  for (double& value : values) value = std::abs(value);
  return values;
}

TEST(SeedingLeaves, PotentialsFollowTheScalarRule) {
  for (const std::int64_t count : {1, 7, 8, 63, 64, 1000}) {
    for (const bool weighted : {false, true}) {
      auto nearest = magnitudes(count, 1);
      nearest.back() = kInfinity;  // no seed yet: counts as 1
      const auto weights = magnitudes(count, 3);
      const double scale = limb_scale(300, 40);
      std::int64_t potential = 0;
      double largest = 0;
      for (std::size_t r = 0; r < nearest.size(); ++r) {
        const double value =
            (weighted ? weights[r] : 1) * (nearest[r] == kInfinity ? 1 : nearest[r]);
        potential += to_integer(value * scale);
        largest = std::max(largest, value);
      }
      double found = -1;
      const double* w = weighted ? weights.data() : nullptr;
      EXPECT_EQ(leaves().potential(nearest.data(), w, count, scale, &found), potential);
      EXPECT_EQ(found, largest);
    }
  }
}

TEST(SeedingLeaves, WidenedTileHoldsTheSameValues) {
  AlignedBuffer<float> tile;
  AlignedBuffer<double> wide;
  const auto values = make_rows<float>(3, kTileRows).values;
  std::copy(values.begin(), values.end(), tile.resize(3 * kTileRows));
  leaves().widen_tile(tile.data(), 3, wide.resize(3 * kTileRows));
  EXPECT_TRUE(std::equal(values.begin(), values.end(), wide.data()));
}

TEST(SeedingLeaves, FilterKeepsEveryRowThatMayBeCloser) {
  for (const std::int64_t cols : {1, 7, 33}) {
    for (const std::int64_t count : {1, 2, 5, 8, 13}) {
      for (const bool weighted : {false, true}) {
        const auto x = make_rows<float>(kTileRows, cols);
        const auto points = make_rows<float>(count, cols, Shape::Blobs, 2);
        AlignedBuffer<float> tile;
        leaves().tile_f32(TileRows<float>(x.view(), {0, kTileRows}).at, cols, 1.0f,
                          tile.resize(cols * kTileRows));
        std::vector<double> closest(kTileRows, kInfinity), nearest;
        for (std::int64_t r = 0; r < kTileRows; ++r) {
          double& least = closest[static_cast<std::size_t>(r)];
          for (std::int64_t p = 0; p < count; ++p) {
            least = std::min(least, squared_distance(x.view().row(r), points.view().row(p), cols));
          }
          // Clearly nearer, clearly farther, and too close to call.
          constexpr double kShares[] = {0.99, 1.01, 1.0};
          nearest.push_back(least * kShares[r % 3]);
        }
        nearest[5] = kInfinity;
        const auto weights = magnitudes(kTileRows, 3);
        const double slack = 1 + static_cast<double>(cols + 6) * 0x1p-23;
        double largest = -1;
        const std::uint64_t maybe = leaves().maybe_closer_f32(
            tile.data(), cols, points.values.data(), count, nearest.data(),
            weighted ? weights.data() : nullptr, slack, &largest);
        double expected = 0;
        for (std::size_t r = 0; r < kTileRows; ++r) {
          const bool decided = r % 3 == 0 && r != 5;
          ASSERT_EQ(maybe >> r & 1, decided ? 0u : 1u) << "row " << r << ", " << cols << " columns";
          if (decided) expected = std::max(expected, (weighted ? weights[r] : 1) * nearest[r]);
        }
        EXPECT_EQ(largest, expected);
      }
    }
  }
}

TEST(SeedingLeaves, ClosestPointIsSureOrLeftOpen) {
  for (const std::int64_t cols : {1, 7, 33}) {
    for (const std::int64_t count : {1, 2, 5, 8, 13}) {
      const auto x = make_rows<float>(kTileRows, cols);
      auto points = make_rows<float>(count, cols, Shape::Blobs, 2);
      AlignedBuffer<float> tile;
      leaves().tile_f32(TileRows<float>(x.view(), {0, kTileRows}).at, cols, 1.0f,
                        tile.resize(cols * kTileRows));
      std::vector<std::int32_t> closest(kTileRows);
      std::vector<double> least(kTileRows, kInfinity), nearest;
      for (std::int64_t r = 0; r < kTileRows; ++r) {
        const auto at = static_cast<std::size_t>(r);
        for (std::int64_t p = 0; p < count; ++p) {
          const double distance = squared_distance(x.view().row(r), points.view().row(p), cols);
          if (distance < least[at]) closest[at] = static_cast<std::int32_t>(p);
          least[at] = std::min(least[at], distance);
        }
        // What is nearest otherwise is clearly nearer, clearly farther, too close to call, nothing.
        const double others[] = {0.99 * least[at], 1.01 * least[at], least[at] * (1 + 0x1p-30),
                                 kInfinity};
        nearest.push_back(others[r % 4]);
      }
      alignas(64) std::int32_t found[kTileRows];
      const std::uint64_t unsure = leaves().closest_f32(
          tile.data(), cols, points.values.data(), count, certificate(cols), nearest.data(), found);
      int sure = 0;
      for (std::size_t r = 0; r < kTileRows; ++r) {
        if (r % 4 == 2) {
          ASSERT_EQ(unsure >> r & 1, 1u) << "row " << r << ", " << cols << " columns";
        } else if ((unsure >> r & 1) == 0) {
          ASSERT_EQ(found[r], r % 4 == 0 ? -1 : closest[r]) << "row " << r;
          ++sure;
        }
      }
      EXPECT_GT(sure, 40) << "of 48 rows that are not close to call by design";
    }
  }
}

TEST(SeedingLeaves, SavingsFollowTheScalarRule) {
  constexpr std::int64_t kCount = 4;
  constexpr double kScale = 0x1p30;
  for (const std::int64_t seeds : {0, 1}) {
    AlignedBuffer<double> distances, nearest, weights;
    const auto fill = [](AlignedBuffer<double>& buffer, const std::vector<double>& values) {
      std::copy(values.begin(), values.end(),
                buffer.resize(static_cast<std::int64_t>(values.size())));
    };
    fill(distances, magnitudes(kCount * kTileRows, 1));
    fill(nearest, magnitudes(kTileRows, 2));
    fill(weights, magnitudes(kTileRows, 3));
    nearest.data()[7] = kInfinity;
    std::vector<std::int64_t> savings(kCount, 5), expected = savings;
    std::vector<double> largest(kCount, 0.5), expected_largest = largest;
    std::vector<double> folded(nearest.data(), nearest.data() + kTileRows);
    for (std::size_t r = 0; r < kTileRows; ++r) {
      if (seeds == 1) folded[r] = std::min(folded[r], distances.data()[r]);
      const double now = folded[r] == kInfinity ? 1 : folded[r];
      for (std::int64_t c = 0; c < kCount - seeds; ++c) {
        const auto at = static_cast<std::size_t>(c);
        const double to =
            weights.data()[r] *
            std::min(folded[r],
                     distances.data()[(seeds + c) * kTileRows + static_cast<std::int64_t>(r)]);
        expected[at] += to_integer(weights.data()[r] * now * kScale) - to_integer(to * kScale);
        expected_largest[at] = std::max(expected_largest[at], to);
      }
    }
    leaves().fold_seeds(distances.data(), kCount, seeds, nearest.data(), weights.data(), kScale,
                        savings.data(), largest.data());
    EXPECT_EQ(savings, expected);
    EXPECT_EQ(largest, expected_largest);
    EXPECT_TRUE(std::equal(folded.begin(), folded.end(), nearest.data()));
  }
}

}  // namespace
}  // namespace coterie::cpu
