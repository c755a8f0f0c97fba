#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "core/grouping.hpp"
#include "core/stratified_sample.hpp"
#include "coterie/measures.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using ::testing::HasSubstr;
using testing_support::normal_rows;
using testing_support::Rows;

constexpr std::array<std::int64_t, 6> kRows{3, 31, 32, 33, 65, 1025};
constexpr std::array<std::int64_t, 3> kCols{1, 2, 33};

template <class T>
class Silhouette : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Silhouette, Types);

template <class T>
std::vector<double> silhouette(const Rows<T>& x, const std::vector<std::int32_t>& labels,
                               Metric metric = Metric::Euclidean, int threads = 0) {
  Context ctx = Device::Cpu;
  ctx.threads = threads;
  return silhouette_samples<T>(x.view(), labels, metric, ctx);
}

/// Labels from a wide range of values, every one of `clusters` in use.
std::vector<std::int32_t> some_labels(std::int64_t rows, std::int64_t clusters) {
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t cluster = i < clusters ? i : i * i % 97 % clusters;
    labels.push_back(static_cast<std::int32_t>(cluster * 1'000'003 - 2'000'000));
  }
  return labels;
}

/// The definition, in long double.
template <class T>
std::vector<double> by_definition(const Rows<T>& x, const std::vector<std::int32_t>& labels,
                                  Metric metric) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    std::map<std::int32_t, std::pair<long double, long double>> sums;  // of distances, of rows
    for (std::int64_t j = 0; j < x.rows; ++j) {
      if (j == i) continue;
      const long double square = testing_support::wide_squared_distance(x, i, x, j);
      auto& [distance, rows] = sums[labels[static_cast<std::size_t>(j)]];
      distance += metric == Metric::Euclidean ? std::sqrt(square) : square;
      rows += 1;
    }
    const std::int32_t own = labels[static_cast<std::size_t>(i)];
    long double a = 0, b = std::numeric_limits<long double>::infinity();
    for (const auto& [label, sum] : sums) {
      (label == own ? a : b) =
          label == own ? sum.first / sum.second : std::min(b, sum.first / sum.second);
    }
    const bool none = !sums.contains(own) || std::max(a, b) == 0;
    values.push_back(none ? 0 : static_cast<double>((b - a) / std::max(a, b)));
  }
  return values;
}

TYPED_TEST(Silhouette, OfTwoPairsOnALine) {
  Rows<TypeParam> x(4, 1);
  x.values = {0, 1, 10, 11};
  const auto plain = silhouette(x, {5, 5, -3, -3});
  EXPECT_DOUBLE_EQ(plain[0], (10.5 - 1) / 10.5);
  EXPECT_DOUBLE_EQ(plain[1], (9.5 - 1) / 9.5);
  EXPECT_DOUBLE_EQ(plain[2], plain[1]);
  const auto squared = silhouette(x, {5, 5, -3, -3}, Metric::SquaredEuclidean);
  EXPECT_DOUBLE_EQ(squared[0], (110.5 - 1) / 110.5);  // (10^2 + 11^2) / 2
  EXPECT_DOUBLE_EQ(squared[1], (90.5 - 1) / 90.5);    // (9^2 + 10^2) / 2
}

TYPED_TEST(Silhouette, FollowsItsDefinition) {
  for (const std::int64_t rows : kRows) {
    for (const std::int64_t cols : kCols) {
      for (const double offset : {0.0, 1e5}) {
        const auto x = normal_rows<TypeParam>(rows, cols, 1, offset, 2);
        const auto labels = some_labels(rows, std::min<std::int64_t>(rows - 1, 7));
        for (const Metric metric : {Metric::Euclidean, Metric::SquaredEuclidean}) {
          const auto expected = by_definition(x, labels, metric);
          EXPECT_THAT(silhouette(x, labels, metric),
                      ::testing::Pointwise(::testing::DoubleNear(1e-8), expected))
              << rows << "x" << cols << "+" << offset;
        }
      }
    }
  }
}

TYPED_TEST(Silhouette, HandlesAsManyClustersAsRowsAllow) {
  const auto x = normal_rows<TypeParam>(150, 2, 2);
  const auto labels = some_labels(150, 149);
  for (const Metric metric : {Metric::Euclidean, Metric::SquaredEuclidean}) {
    const auto values = silhouette(x, labels, metric);
    EXPECT_THAT(values, ::testing::Pointwise(::testing::DoubleNear(1e-12),
                                             by_definition(x, labels, metric)));
    EXPECT_EQ(std::count(values.begin(), values.end(), 0.0), 148);  // all but the one pair
  }
}

TYPED_TEST(Silhouette, IsZeroWhereAllRowsAreEqual) {
  Rows<TypeParam> x(6, 2);
  std::fill(x.values.begin(), x.values.end(), TypeParam{7.3});
  EXPECT_THAT(silhouette(x, {0, 0, 0, 1, 1, 1}), ::testing::Each(0.0));
  EXPECT_THAT(silhouette(x, {0, 0, 0, 1, 1, 1}, Metric::SquaredEuclidean), ::testing::Each(0.0));
}

TYPED_TEST(Silhouette, IsTheSameBitsForAnyNumberOfThreads) {
  const auto x = normal_rows<TypeParam>(9000, 2, 3);
  const auto labels = some_labels(x.rows, 3);
  for (const Metric metric : {Metric::Euclidean, Metric::SquaredEuclidean}) {
    const auto one = silhouette(x, labels, metric, 1);
    EXPECT_EQ(one, silhouette(x, labels, metric, 2));
    EXPECT_EQ(one, silhouette(x, labels, metric, 7));
  }
}

/// Two overlapping groups and a small third one.
Rows<double> uneven_groups(std::vector<std::int32_t>* labels) {
  auto x = normal_rows<double>(600, 2, 4);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    labels->push_back(i < 380 ? 0 : i < 590 ? 1 : 2);
    x(i, 0) += 2.5 * labels->back();
  }
  return x;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(SilhouetteSampled, OfAllRowsIsTheMean) {
  std::vector<std::int32_t> labels;
  const auto x = uneven_groups(&labels);
  for (const Metric metric : {Metric::Euclidean, Metric::SquaredEuclidean}) {
    const auto all = silhouette_sampled<double>(x.view(), labels, 1000, 0, metric);
    EXPECT_NEAR(all.value, mean(silhouette(x, labels, metric)), 1e-14);
    EXPECT_EQ(all.standard_error, 0);
  }
}

TEST(SilhouetteSampled, HasTheErrorThatItClaims) {
  std::vector<std::int32_t> labels;
  const auto x = uneven_groups(&labels);
  const double truth = mean(silhouette(x, labels));
  constexpr int kSeeds = 300;
  double bias = 0, ratio = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto sampled = silhouette_sampled<double>(x.view(), labels, 60, seed);
    const double error = (sampled.value - truth) / sampled.standard_error;
    bias += error / kSeeds;
    ratio += error * error / kSeeds;
  }
  EXPECT_NEAR(bias, 0, 0.2);   // standard deviation of the mean: 1 / sqrt(300) = 0.06
  EXPECT_NEAR(ratio, 1, 0.3);  // of the mean square: sqrt(2 / 300) = 0.08
}

TEST(SilhouetteSampled, DependsOnTheSeedAlone) {
  std::vector<std::int32_t> labels;
  const auto x = uneven_groups(&labels);
  Context one = Device::Cpu, seven = Device::Cpu;
  one.threads = 1;
  seven.threads = 7;
  const auto a = silhouette_sampled<double>(x.view(), labels, 90, 5, Metric::Euclidean, one);
  const auto b = silhouette_sampled<double>(x.view(), labels, 90, 5, Metric::Euclidean, seven);
  const auto other = silhouette_sampled<double>(x.view(), labels, 90, 6, Metric::Euclidean, one);
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.standard_error, b.standard_error);
  EXPECT_NE(a.value, other.value);
}

TEST(SilhouetteSampled, AllocatesInProportionAndTwoToEachCluster) {
  std::vector<std::int32_t> labels(1000, 4);
  std::fill_n(labels.begin(), 297, -9);
  labels[0] = 8;                                     // a cluster of one row
  std::fill_n(labels.begin() + 990, 10, 9);          // and one of ten
  const Grouping groups = group_rows(labels, 1000);  // in the order of labels: -9, 4, 8, 9
  EXPECT_THAT(allocate_sample(groups, 100), ::testing::ElementsAre(29, 68, 1, 2));
  EXPECT_THAT(allocate_sample(groups, 7), ::testing::ElementsAre(2, 2, 1, 2));
  EXPECT_THAT(allocate_sample(groups, 5), ::testing::ElementsAre(1, 2, 1, 1));
  EXPECT_THAT(allocate_sample(groups, 4), ::testing::ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(allocate_sample(groups, 1000), ::testing::ElementsAre(296, 693, 1, 10));

  const auto sizes = allocate_sample(groups, 100);
  const auto drawn = draw_sample(groups, sizes, 3);
  std::size_t at = 0;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    for (std::int64_t i = 0; i < sizes[c]; ++i, ++at) {
      EXPECT_EQ(groups.cluster[static_cast<std::size_t>(drawn[at])], static_cast<int>(c));
      if (i == 0) continue;
      EXPECT_LT(drawn[at - 1], drawn[at]);  // so none is drawn twice
    }
  }
}

TEST(SilhouetteSampled, HasAnErrorEvenWithOneRowOfEachCluster) {
  std::vector<std::int32_t> labels;
  const auto x = uneven_groups(&labels);
  const auto sampled = silhouette_sampled<double>(x.view(), labels, 3);
  EXPECT_GT(sampled.standard_error, 0);
  EXPECT_LT(sampled.standard_error, 1);
}

template <class Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(SilhouetteInput, NamesWhatIsWrong) {
  auto x = normal_rows<double>(4, 2, 5);
  EXPECT_EQ(message([&] {
              silhouette(x, {3, 3, 3, 3});
            }),
            "Number of labels is 1. Valid values are 2 to n_samples - 1 (inclusive): labels must "
            "have 2 to 3 distinct values for 4 rows");
  EXPECT_THAT(message([&] { silhouette(x, {0, 1, 2, 3}); }), HasSubstr("Number of labels is 4."));
  EXPECT_EQ(message([&] {
              silhouette(x, {0, 1, 1});
            }),
            "labels must have one value for each of x's 4 rows, got 3");
  EXPECT_EQ(message([&] {
              silhouette_sampled<double>(x.view(), std::vector<std::int32_t>{0, 1, 2, 2}, 2);
            }),
            "sample_size must be at least 1 for each of the 3 clusters, got 2");
  EXPECT_THAT(message([&] { silhouette(x, {0, 1, 2, 2}, Metric::Cosine); }), HasSubstr("metric"));
  x(1, 0) = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(message([&] {
              silhouette(x, {0, 1, 2, 2});
            }),
            "x must be finite, got -infinity in row 1, column 0");
}

TEST(SilhouetteInput, IsLeftWhenTheCallerSaysSo) {
  const auto x = normal_rows<double>(4, 2, 5);
  Context ctx;
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(silhouette_samples<double>(x.view(), std::vector<std::int32_t>{0, 0, 1, 1}, {}, ctx),
               Interrupted);
}

}  // namespace
}  // namespace coterie
