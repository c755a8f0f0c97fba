// The shared elementary functions and keys against the C library's long double.
#include "core/contract/elementary.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace coterie {
namespace {

constexpr int kDraws = 200000;

/// How far a value is from the exact one, in units of its last place.
double units_off(double value, long double exact) {
  const double size = std::abs(static_cast<double>(exact));
  const double unit = std::nextafter(size, std::numeric_limits<double>::infinity()) - size;
  return static_cast<double>(std::abs(exact - static_cast<long double>(value)) / unit);
}

template <class Draw, class Function, class Exact>
double worst_units(const Draw& draw, const Function& function, const Exact& exact) {
  double worst = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw();
    const double off = units_off(function(x), exact(static_cast<long double>(x)));
    EXPECT_FALSE(std::isnan(off)) << x;
    worst = std::max(worst, off);
  }
  return worst;
}

class Elementary : public ::testing::Test {
 protected:
  double unit() { return std::uniform_real_distribution<double>(0, 1)(bits_); }
  double symmetric(double largest) { return largest * (2 * unit() - 1); }
  double tiny() { return std::exp(-700 * unit()); }

 private:
  std::mt19937_64 bits_{1};
};

TEST_F(Elementary, SinesAndCosinesAreWithinAUnitInTheLastPlace) {
  const auto sines = [](long double x) { return std::sin(x); };
  const auto cosines = [](long double x) { return std::cos(x); };
  for (const double largest : {1.0, 7.0, 1000.0, kLargestSineArgument}) {
    const auto draw = [&] { return symmetric(largest); };
    EXPECT_LT(worst_units(draw, sine, sines), 1);
    EXPECT_LT(worst_units(draw, cosine, cosines), 1);
  }
  EXPECT_LT(worst_units([&] { return tiny(); }, sine, sines), 1);
  // Next to multiples of a quarter turn, where all leading digits cancel.
  const auto multiple = [&] {
    return static_cast<double>(std::floor(600000 * unit()) * 1.57079632679489661923L);
  };
  EXPECT_LT(worst_units(multiple, sine, sines), 1);
  EXPECT_LT(worst_units(multiple, cosine, cosines), 1);
}

TEST_F(Elementary, SinesAreOddAndCosinesEven) {
  for (int i = 0; i < kDraws; ++i) {
    const double x = symmetric(1000);
    ASSERT_EQ(sine(x), -sine(-x));
    ASSERT_EQ(cosine(x), cosine(-x));
  }
  EXPECT_EQ(sine(0), 0);
  EXPECT_EQ(cosine(0), 1);
}

TEST_F(Elementary, ArcSinesAreWithinThreeUnitsInTheLastPlace) {
  const auto arc_sines = [](long double x) { return std::asin(x); };
  EXPECT_LT(worst_units([&] { return unit(); }, arc_sine, arc_sines), 3);
  EXPECT_LT(worst_units([&] { return tiny(); }, arc_sine, arc_sines), 3);
  EXPECT_LT(worst_units([&] { return 1 - tiny(); }, arc_sine, arc_sines), 3);
  EXPECT_EQ(arc_sine(0), 0);
  EXPECT_EQ(arc_sine(1), 0x1.921fb54442d18p+0);
}

TEST_F(Elementary, PowersAreWithinAUnitInTheLastPlace) {
  for (const double p : {1e-10, 0.3, 0.5, 1.0, 1.5, 3.0, 1.0 / 3, 7.7, 20.0}) {
    const auto powers = [p](double x) { return power(x, p); };
    const auto exact = [p](long double x) { return std::pow(x, static_cast<long double>(p)); };
    EXPECT_LT(worst_units([&] { return 4 * unit(); }, powers, exact), 1) << p;
    EXPECT_LT(worst_units([&] { return 1 + symmetric(1e-3); }, powers, exact), 1) << p;
    const double largest = 700 / std::max(p, 1.0);  // within the range of normal numbers
    const auto wide = [&] { return std::exp(symmetric(largest)); };
    EXPECT_LT(worst_units(wide, powers, exact), 1) << p;
  }
}

TEST_F(Elementary, PowersKnowTheEndsOfTheRange) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(power(0, 3), 0);
  EXPECT_EQ(power(1, 1e300), 1);
  EXPECT_EQ(power(kInfinity, 0.5), kInfinity);
  EXPECT_EQ(power(1e200, 2), kInfinity);
  EXPECT_EQ(power(1.5, 1e300), kInfinity);
  EXPECT_EQ(power(1e-200, 2), 0);
  EXPECT_EQ(power(0.5, 1e300), 0);
  EXPECT_EQ(power(0x1p-1074, 1), 0x1p-1074);
  EXPECT_EQ(power(0x1p-1074, 0.5), 0x1p-537);
  EXPECT_EQ(power(2, 1023), 0x1p1023);
  EXPECT_EQ(power(0x1p-500, 2), 0x1p-1000);
}

}  // namespace
}  // namespace coterie
