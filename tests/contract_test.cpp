// The scalar rules that every device shares.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/contract/distance.hpp"
#include "core/contract/fixed_point.hpp"
#include "core/contract/random.hpp"

namespace coterie {
namespace {

TEST(FixedPoint, RoundsToTheNearestEvenInteger) {
  EXPECT_EQ(to_integer(2.5), 2);
  EXPECT_EQ(to_integer(3.5), 4);
  EXPECT_EQ(to_integer(-2.5), -2);
  EXPECT_EQ(to_integer(-0.49), 0);
  EXPECT_EQ(to_integer(0x1p50), std::int64_t{1} << 50);
  EXPECT_EQ(to_integer(-0x1p50), -(std::int64_t{1} << 50));
}

TEST(FixedPoint, TwoLimbsKeepWhatOneWouldRoundOff) {
  const int bits = 50;
  const double scale = limb_scale(1e6, bits), limb = std::ldexp(1.0, bits);
  FixedSum sum;
  const auto add = [&](double value, int sign) {
    FixedSum limbs;
    to_limbs(value, scale, limb, &limbs.high, &limbs.low);
    sum += {sign * limbs.high, sign * limbs.low};
  };
  add(1e6, 1);
  add(0x1.23456789abcdep-20, 1);
  add(1e6, -1);
  EXPECT_EQ(from_limbs(sum, bits, scale), 0x1.23456789abcdep-20);
}

TEST(FixedPoint, SumsAreRoundedOnceAsACompilerRoundsThem) {
  const auto bits_of = [](std::uint64_t row) {
    return random_bits({.purpose = Purpose::Sample, .row = row});
  };
  for (int bits = 0; bits <= 126; ++bits) {
    for (std::uint64_t draw = 0; draw < 50; ++draw) {
      const auto random = static_cast<unsigned __int128>(bits_of(2 * draw)) << 64;
      auto value = static_cast<__int128>((random | bits_of(2 * draw + 1)) >> (127 - bits));
      if (draw % 5 == 1)
        value &= ~((__int128{1} << (bits / 2)) - 1);  // ties, where few bits are left
      if (draw % 5 == 2) value |= (__int128{1} << (bits / 2)) - 1;
      for (const __int128 each : {value, -value, value / 2 + 1}) {
        EXPECT_EQ(scaled_down(each, 0), static_cast<double>(each)) << bits << ", " << draw;
        EXPECT_EQ(scaled_down(each, 50), std::ldexp(static_cast<double>(each), -50));
      }
    }
  }
  constexpr __int128 kTie =
      (__int128{1} << 100) + (__int128{1} << 47);  // half of the last bit kept
  EXPECT_EQ(scaled_down(kTie, 0), 0x1p100);
  EXPECT_EQ(scaled_down(kTie + 1, 0), 0x1.0000000000001p100);
  EXPECT_EQ(scaled_down(kTie - 1, 0), 0x1p100);
}

TEST(FixedPoint, LimbsOfManyRowsCannotOverflow) {
  for (const std::int64_t rows : {1LL, 4096LL, 4097LL, 1000000LL, 1LL << 31, 1LL << 40}) {
    const int bits = limb_bits(rows);
    EXPECT_LE(bits, 50);
    EXPECT_LE(std::ldexp(static_cast<double>(rows), bits), 0x1p62) << rows;
  }
}

TEST(FixedPoint, ScalesOfExtremeBoundsStayFinite) {
  for (const double bound : {0.0, 5e-324, 1e-300, 1.0, 1e300, std::numeric_limits<double>::max()}) {
    const double scale = limb_scale(bound, 50);
    EXPECT_TRUE(std::isfinite(scale) && scale > 0) << bound;
    EXPECT_LE(bound * scale, 0x1p50) << bound;
    EXPECT_EQ(inverse_of(scale), 1 / scale) << bound;
  }
}

TEST(Random, IsPhilox4x32With10Rounds) {
  // Known answers of Random123's kat_vectors for counter and key 0, and for for all bits set.
  EXPECT_EQ(random_bits({.seed = 0, .purpose = Purpose{0}}), 0xe169c58d6627e8d5u);
  EXPECT_EQ(random_bits({.seed = ~std::uint64_t{0},
                         .purpose = Purpose{0xffff},
                         .restart = 0xffffffffu,
                         .round = 0xffffff,
                         .trial = 0xff,
                         .row = 0xffffffffffff}),
            0x41c83b0e408f276du);
}

TEST(Random, EveryPartOfTheKeyChangesTheBits) {
  const DrawKey base{.seed = 1};
  const auto bits = random_bits(base);
  for (const DrawKey& other :
       {DrawKey{.seed = 2}, DrawKey{.seed = 1, .purpose = Purpose::Reference},
        DrawKey{.seed = 1, .restart = 1}, DrawKey{.seed = 1, .round = 1},
        DrawKey{.seed = 1, .trial = 1}, DrawKey{.seed = 1, .row = 1},
        DrawKey{.seed = 1, .row = std::uint64_t{1} << 40}}) {
    EXPECT_NE(random_bits(other), bits);
  }
}

TEST(Random, UnitDrawsAreUniform) {
  double sum = 0, least = 1, most = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random_unit({.row = static_cast<std::uint64_t>(i)});
    sum += u;
    least = std::min(least, u);
    most = std::max(most, u);
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 4 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_GE(least, 0);
  EXPECT_LT(most, 1);
}

TEST(Distance, AddsInAscendingColumnsWithEveryStepRounded) {
  const double a[] = {1e8, 1, 1}, b[] = {0, 0, 0};
  EXPECT_EQ(squared_distance(a, b, 3), 1e16);  // 1e16 + 1 rounds back to 1e16, twice
  const double c[] = {1, 1, 1e8};
  EXPECT_EQ(squared_distance(c, b, 3), 1e16 + 2);
}

}  // namespace
}  // namespace coterie
