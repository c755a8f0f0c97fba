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

TEST(Leaves, NearestInFloat32IsUnsureExactlyOfCloseRivals) {
  constexpr float kRelative = 1e-3f;
  for (const std::int64_t cols : kColumns) {
    for (const std::int64_t count : kPointCounts) {
      const auto x = make_rows<float>(kTileRows, cols);
      const auto points = make_rows<float>(count, cols, Shape::Blobs, 2);
      AlignedBuffer<float> tile;
      leaves().tile_f32(TileRows<float>(x.view(), {0, kTileRows}).at, cols, 1.0f,
                        tile.resize(cols * kTileRows));
      alignas(64) std::int32_t nearest[kTileRows];
      alignas(64) float best[kTileRows], second[kTileRows];
      const std::uint64_t unsure = leaves().nearest_f32(tile.data(), cols, points.values.data(),
                                                        count, kRelative, nearest, best, second);
      for (std::int64_t r = 0; r < kTileRows; ++r) {
        std::vector<double> distances;
        for (std::int64_t p = 0; p < count; ++p) {
          distances.push_back(squared_distance(x.view().row(r), points.view().row(p), cols));
        }
        const double found = distances[static_cast<std::size_t>(nearest[r])];
        std::sort(distances.begin(), distances.end());
        ASSERT_NEAR(found, distances[0], 1e-4 * (1 + distances[0]));
        ASSERT_NEAR(best[r], distances[0], 1e-4 * (1 + distances[0]));
        if (count > 1) {
          ASSERT_NEAR(second[r], distances[1], 1e-4 * (1 + distances[1]));
        }
        const double apart = count == 1 ? 1 : (distances[1] - distances[0]) / distances[1];
        const bool is_unsure = (unsure >> r & 1) != 0;
        if (std::abs(apart - kRelative) > 0.1 * kRelative) {
          ASSERT_EQ(is_unsure, apart < kRelative) << apart;
        }
      }
    }
  }
}

TEST(Leaves, NearestReportsRowsOutOfRange) {
  auto x = make_rows<double>(kTileRows, 2);
  x.values[2 * 7] = NAN;
  x.values[2 * 63 + 1] = INFINITY;
  auto narrow = make_rows<float>(kTileRows, 2);
  narrow.values[2 * 7] = NAN;
  narrow.values[2 * 63 + 1] = 1e30f;  // its square overflows
  for (const std::int64_t count : kPointCounts) {
    alignas(64) std::int32_t nearest[kTileRows];
    alignas(64) float best[kTileRows], second[kTileRows];
    AlignedBuffer<double> tile;
    fill_tile(std::as_const(x).view(), {0, kTileRows}, tile.resize(2 * kTileRows));
    const auto points = make_rows<double>(count, 2, Shape::Blobs, 2);
    EXPECT_EQ(leaves().nearest_f64(tile.data(), 2, points.values.data(), count, nearest),
              std::uint64_t{1} << 63 | 1 << 7);
    AlignedBuffer<float> narrow_tile;
    leaves().tile_f32(TileRows<float>(std::as_const(narrow).view(), {0, kTileRows}).at, 2, 1.0f,
                      narrow_tile.resize(2 * kTileRows));
    const auto narrow_points = make_rows<float>(count, 2, Shape::Blobs, 2);
    const std::uint64_t unsure = leaves().nearest_f32(
        narrow_tile.data(), 2, narrow_points.values.data(), count, 0, nearest, best, second);
    EXPECT_EQ(unsure & (std::uint64_t{1} << 63 | 1 << 7), std::uint64_t{1} << 63 | 1 << 7);
  }
}

TEST(Leaves, DifferingLabelsAreFound) {
  std::int32_t a[kTileRows], b[kTileRows];
  for (std::int32_t r = 0; r < kTileRows; ++r) a[r] = b[r] = r;
  EXPECT_EQ(leaves().differing(a, b), 0);
  for (const int r : {0, 5, 31, 32, 63}) {
    b[r] = -1;
    EXPECT_EQ(leaves().differing(a, b), std::uint64_t{1} << r);
    b[r] = r;
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

TEST(Leaves, LimbsFollowTheScalarRule) {
  for (const std::int64_t count : {1, 7, 8, 63, 64}) {
    const auto values = make_rows<double>(count, 1).values;
    const double scale = limb_scale(100, 50), limb = 0x1p50;
    FixedSum sum;
    for (const double value : values) {
      FixedSum limbs;
      to_limbs(value, scale, limb, &limbs.high, &limbs.low);
      sum += limbs;
    }
    FixedSum added{3, 4};
    leaves().add_limbs(values.data(), count, scale, limb, &added.high, &added.low);
    EXPECT_EQ(added.high, 3 + sum.high);
    EXPECT_EQ(added.low, 4 + sum.low);
  }
}

TEST(Leaves, RowsBecomeLimbsAsTheScalarRuleSays) {
  for (const std::int64_t cols : kColumns) {
    for (const bool weighted : {false, true}) {
      auto x = make_rows<float>(kTileRows, cols);
      const auto weights = make_rows<double>(kTileRows, 1, Shape::Blobs, 3).values;
      std::fill_n(x.view().row(3), cols, 0.5f);  // a row that one limb holds
      const auto n = static_cast<std::size_t>(cols);
      const double limb = 0x1p50;
      const std::vector<double> shift(n, 0.125), scale(n, limb_scale(100, 30));
      std::vector<std::int64_t> high(n * kTileRows, 7), low(n * kTileRows, 7);
      const std::uint64_t wanted = 0x8000000100010029;  // rows 0, 3, 5, 16, 32 and 63
      const std::uint64_t with_low =
          leaves().row_limbs_f32(TileRows<float>(std::as_const(x).view(), {0, kTileRows}).at,
                                 wanted, cols, weighted ? weights.data() : nullptr, shift.data(),
                                 scale.data(), limb, high.data(), low.data());
      std::uint64_t expected_with_low = 0;
      for (std::size_t i = 0; i < high.size(); ++i) {
        const std::size_t r = i / n;
        if ((wanted >> r & 1) == 0) {
          ASSERT_EQ(high[i], 7);
          continue;
        }
        std::int64_t h, l;
        to_limbs((weighted ? weights[r] : 1) * (static_cast<double>(x.values[i]) - shift[i % n]),
                 scale[i % n], limb, &h, &l);
        ASSERT_EQ(high[i], h);
        ASSERT_EQ(low[i], (with_low >> r & 1) != 0 ? l : 7);
        expected_with_low |= std::uint64_t{l != 0} << r;
      }
      EXPECT_EQ(with_low, expected_with_low);
      EXPECT_TRUE(weighted || (with_low >> 3 & 1) == 0);
    }
  }
}

TEST(Leaves, MovedRowsLeaveOneSumForAnother) {
  for (const std::int64_t cols : kColumns) {
    const auto n = static_cast<std::size_t>(cols);
    std::vector<std::int64_t> limbs(n * kTileRows), sums(3 * n, 1000);
    for (std::size_t i = 0; i < limbs.size(); ++i) limbs[i] = static_cast<std::int64_t>(i);
    std::int32_t from[kTileRows], to[kTileRows];
    std::fill_n(from, kTileRows, 2);
    std::fill_n(to, kTileRows, 0);
    from[0] = -1;
    to[63] = 1;
    leaves().move_rows(std::uint64_t{1} << 63 | 1, from, to, limbs.data(), cols, sums.data());
    for (std::size_t j = 0; j < n; ++j) {
      EXPECT_EQ(sums[j], 1000 + limbs[j]);
      EXPECT_EQ(sums[n + j], 1000 + limbs[63 * n + j]);
      EXPECT_EQ(sums[2 * n + j], 1000 - limbs[63 * n + j]);
    }
  }
}

TEST(Leaves, SpreadAddsAColumnsValuesAndSquares) {
  const auto values = make_rows<double>(kTileRows, 1, Shape::OffsetBlobs).values;
  const ColumnScale scale{.shift = 1.5, .scale = 0x1p20, .square_scale = 0x1p10};
  const double limb = 0x1p50;
  std::int64_t sums[4] = {1, 2, 3, 4};
  leaves().add_spread(values.data(), 60, scale, limb, sums);
  FixedSum sum{1, 2}, square{3, 4};
  for (std::size_t r = 0; r < 60; ++r) {
    const double value = values[r] - scale.shift;
    FixedSum limbs;
    to_limbs(value, scale.scale, limb, &limbs.high, &limbs.low);
    sum += limbs;
    to_limbs(value * value, scale.square_scale, limb, &limbs.high, &limbs.low);
    square += limbs;
  }
  EXPECT_EQ(sums[0], sum.high);
  EXPECT_EQ(sums[1], sum.low);
  EXPECT_EQ(sums[2], square.high);
  EXPECT_EQ(sums[3], square.low);
}

TEST(Leaves, BoundsAreLoosenedByWhatCentroidsMoved) {
  const std::vector<std::int32_t> labels{0, 1, 0, 1};
  const float moves[] = {1, 0.25f}, others_moves[] = {0.25f, 1};
  std::vector<float> upper{2, 2, 3, 2.9f}, lower{3.5f, 3.5f, 3.5f, 4.5f};
  std::int32_t unsettled[4];
  // Upper 3, 2.25, 4 and 3.15 against lower 3.25, 2.5, 3.25 and 3.5: only row 2 is open.
  EXPECT_EQ(leaves().loosen_bounds(labels.data(), 4, moves, others_moves, upper.data(),
                                   lower.data(), unsettled),
            1);
  EXPECT_EQ(unsettled[0], 2);
  EXPECT_GT(upper[0], 3);
  EXPECT_NEAR(upper[0], 3, 1e-5);
  EXPECT_LT(lower[1], 2.5);
  EXPECT_NEAR(lower[1], 2.5, 1e-5);
}

TEST(Leaves, TightBoundsEncloseEveryDistanceThatTheErrorAllows) {
  constexpr float kRelative = 1e-4f;
  alignas(64) float best[kTileRows], second[kTileRows];
  float upper[kTileRows], lower[kTileRows];
  for (int r = 0; r < kTileRows; ++r) {
    best[r] = std::ldexp(1.3f, r - 40);
    second[r] = r == 0 ? 0 : 2 * best[r];
  }
  leaves().tighten_bounds(best, second, kRelative, upper, lower);
  for (int r = 0; r < kTileRows; ++r) {
    EXPECT_GE(upper[r], std::sqrt(best[r] * (1.0 + kRelative)));
    EXPECT_LE(upper[r], std::sqrt(best[r] * (1.0 + kRelative)) * 1.00001);
    EXPECT_LE(lower[r], std::sqrt(second[r] * (1.0 - kRelative)));
    EXPECT_GE(lower[r], std::sqrt(second[r] * (1.0 - kRelative)) * 0.99999);
  }
}

}  // namespace
}  // namespace coterie::cpu
