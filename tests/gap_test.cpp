#include "coterie/gap.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::normal_rows;
using testing_support::Rows;
using Ks = std::vector<std::int64_t>;

template <class T>
class Gap : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Gap, Types);

template <class T>
Rows<T> three_groups() {
  auto x = normal_rows<T>(300, 2, 1);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x(i, 0) += static_cast<T>(i % 3 == 0 ? 20 : 0);
    x(i, 1) += static_cast<T>(i % 3 == 1 ? 20 : 0);
  }
  return x;
}

TYPED_TEST(Gap, IsWidestAtTheNumberOfGroups) {
  const auto x = three_groups<TypeParam>();
  const auto found = gap_statistic<TypeParam>(x.view(), Ks{1, 2, 3, 4, 5});
  EXPECT_EQ(std::max_element(found.gap.begin(), found.gap.end()) - found.gap.begin(), 2);
  EXPECT_GT(found.gap[2], 1);
  for (std::size_t k = 0; k < 5; ++k) {
    EXPECT_NEAR(found.gap[k], found.reference_log_dispersion[k] - found.log_dispersion[k], 1e-15);
    EXPECT_GT(found.standard_error[k], 0);
    EXPECT_LT(found.standard_error[k], 0.3);
  }
}

TYPED_TEST(Gap, MeasuresTheInertiaOfKMeans) {
  const auto x = three_groups<TypeParam>();
  const KMeansParams params{.restarts = 2, .seed = 7};
  const auto found =
      gap_statistic<TypeParam>(x.view(), Ks{4, 2}, {.references = 2, .kmeans = params});
  for (std::size_t i = 0; i < 2; ++i) {
    KMeansParams single = params;
    single.clusters = i == 0 ? 4 : 2;
    EXPECT_EQ(found.log_dispersion[i], std::log(kmeans<TypeParam>(x.view(), single).inertia));
  }
}

TYPED_TEST(Gap, DrawsReferencesUniformlyOverTheBox) {
  Rows<TypeParam> x(4000, 2);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x(i, 0) = static_cast<TypeParam>(i == 0 ? -3 : 5);
    x(i, 1) = 2;  // no width
  }
  const auto found = gap_statistic<TypeParam>(x.view(), Ks{1}, {.references = 20});
  // The variance of a uniform draw is width^2 / 12; 20 x 4000 draws give it to about 0.3 %.
  EXPECT_NEAR(found.reference_log_dispersion[0], std::log(4000 * 64.0 / 12), 0.02);
  EXPECT_GT(found.standard_error[0], 0);
}

/// Tibshirani's choice: the fewest clusters whose gap is within an error of the next one's.
std::int64_t chosen(const GapStatistic& found, const Ks& ks) {
  std::size_t k = 0;
  while (k + 1 < ks.size() && found.gap[k] < found.gap[k + 1] - found.standard_error[k + 1]) ++k;
  return ks[k];
}

TYPED_TEST(Gap, OfALongCloudOverItsPrincipalAxesSeesOneCluster) {
  auto x = normal_rows<TypeParam>(400, 2, 8);
  std::mt19937_64 bits(9);
  std::uniform_real_distribution<double> uniform(0, 30);
  for (std::int64_t i = 0; i < x.rows; ++i) {  // along the diagonal, far from the origin
    const double along = uniform(bits), across = 0.3 * x(i, 0);
    x(i, 0) = static_cast<TypeParam>(1000 + along - across);
    x(i, 1) = static_cast<TypeParam>(1000 + along + across);
  }
  const Ks ks{1, 2, 3, 4};
  const auto choice = [&](ReferenceBox box) {
    return chosen(gap_statistic<TypeParam>(x.view(), ks, {.box = box}), ks);
  };
  EXPECT_EQ(choice(ReferenceBox::PrincipalAxes), 1);  // references of the cloud's own shape
  EXPECT_GT(choice(ReferenceBox::Columns), 1);        // a square: k-means divides the cloud better
}

TYPED_TEST(Gap, OverPrincipalAxesHasTheirSides) {
  Rows<TypeParam> x(400, 2);
  for (std::int64_t i = 0; i < x.rows; ++i) {  // the corners of a 20 x 2 rectangle, turned by 45°
    const double along = i % 2 == 0 ? 10 : -10, across = i / 2 % 2 == 0 ? 1 : -1;
    x(i, 0) = static_cast<TypeParam>(7 + (along - across) / std::sqrt(2));
    x(i, 1) = static_cast<TypeParam>(-3 + (along + across) / std::sqrt(2));
  }
  const auto found = gap_statistic<TypeParam>(
      x.view(), Ks{1}, {.references = 40, .box = ReferenceBox::PrincipalAxes});
  // The variances of uniform draws are width^2 / 12.
  EXPECT_NEAR(found.reference_log_dispersion[0], std::log(400 * (400.0 + 4.0) / 12), 0.02);
}

TYPED_TEST(Gap, OverPrincipalAxesTakesFewerRowsThanColumns) {
  const auto x = normal_rows<TypeParam>(5, 9, 9, 50);
  const auto found = gap_statistic<TypeParam>(
      x.view(), Ks{1, 2}, {.references = 3, .box = ReferenceBox::PrincipalAxes});
  EXPECT_THAT(found.gap,
              ::testing::Each(::testing::Truly([](double v) { return std::isfinite(v); })));
  EXPECT_LT(std::abs(found.gap[0]), 2);
}

TYPED_TEST(Gap, StaysFiniteWithoutDispersion) {
  const auto x = normal_rows<TypeParam>(5, 2, 3);
  const auto all = gap_statistic<TypeParam>(x.view(), Ks{5}, {.references = 3});
  EXPECT_NEAR(all.gap[0], 0, 1e-9);  // no dispersion in the data, none in the references

  Rows<TypeParam> pairs(40, 1);  // two places, so two clusters leave no dispersion
  for (std::int64_t i = 0; i < 40; ++i) pairs(i, 0) = static_cast<TypeParam>(i % 2);
  const auto two = gap_statistic<TypeParam>(pairs.view(), Ks{1, 2}, {.references = 3});
  EXPECT_TRUE(std::isfinite(two.gap[1]));
  EXPECT_GT(two.gap[1], 50);

  Rows<TypeParam> same(10, 1);
  std::fill(same.values.begin(), same.values.end(), TypeParam(0.1));
  EXPECT_NEAR(gap_statistic<TypeParam>(same.view(), Ks{1}, {.references = 3}).gap[0], 0, 1e-9);
}

TYPED_TEST(Gap, IsTheSameBitsForAnyNumberOfThreads) {
  const auto x = normal_rows<TypeParam>(3000, 3, 4);
  const auto with_threads = [&](int threads) {
    Context ctx = Device::Cpu;
    ctx.threads = threads;
    const auto of = [&](ReferenceBox box) {
      const auto found =
          gap_statistic<TypeParam>(x.view(), Ks{1, 3}, {.references = 2, .box = box}, ctx);
      return std::tuple(found.gap, found.standard_error, found.log_dispersion,
                        found.reference_log_dispersion);
    };
    return std::pair(of(ReferenceBox::Columns), of(ReferenceBox::PrincipalAxes));
  };
  const auto one = with_threads(1);
  EXPECT_EQ(one, with_threads(2));
  EXPECT_EQ(one, with_threads(7));
}

TYPED_TEST(Gap, TellsOfEachReference) {
  const auto x = normal_rows<TypeParam>(30, 2, 5);
  Context ctx;
  std::vector<std::int64_t> steps;
  ctx.progress = [&](const Progress& progress) {
    EXPECT_EQ(progress.stage, "references");
    EXPECT_EQ(progress.steps, 3);
    steps.push_back(progress.step);
  };
  gap_statistic<TypeParam>(x.view(), Ks{1, 2}, {.references = 3}, ctx);
  EXPECT_THAT(steps, ::testing::ElementsAre(0, 1, 2, 3));
}

TEST(GapInput, NamesWhatIsWrong) {
  auto x = normal_rows<double>(10, 2, 6);
  const auto message = [&](const Ks& ks, int references) -> std::string {
    try {
      gap_statistic<double>(x.view(), ks, {.references = references});
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "nothing thrown";
  };
  EXPECT_EQ(message({}, 10), "clusters must name at least one number of clusters");
  EXPECT_EQ(message({2}, 0), "references must be at least 1, got 0");
  EXPECT_THAT(message({2, 11}, 2), ::testing::HasSubstr("clusters"));
  x(4, 1) = std::numeric_limits<double>::infinity();
  EXPECT_THAT(message({2}, 2), ::testing::HasSubstr("row 4, column 1"));
}

}  // namespace
}  // namespace coterie
