#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <numeric>

#include "core/grouping.hpp"
#include "coterie/measures.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::normal_rows;
using testing_support::Rows;
using Labels = std::vector<std::int32_t>;

template <class T>
class ClusterMeasures : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ClusterMeasures, Types);

using Point = std::vector<long double>;

long double distance(const Point& a, const Point& b) {
  long double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return std::sqrt(sum);
}

Point mean(const std::vector<Point>& points) {
  Point sum(points[0].size(), 0);
  for (const Point& p : points) {
    for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += p[j];
  }
  for (long double& s : sum) s /= static_cast<long double>(points.size());
  return sum;
}

struct Measures {
  double davies_bouldin, calinski_harabasz;
};

/// Both definitions, in long double.
template <class T>
Measures by_definition(const Rows<T>& x, const Labels& labels) {
  std::map<std::int32_t, std::vector<Point>> clusters;
  std::vector<Point> all;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const T* row = x.view().row(i);
    all.emplace_back(row, row + x.cols);
    clusters[labels[static_cast<std::size_t>(i)]].push_back(all.back());
  }
  std::vector<Point> means;
  std::vector<long double> spread;
  long double between = 0, within = 0, worst = 0;
  for (const auto& [label, points] : clusters) {
    means.push_back(mean(points));
    long double sum = 0;
    for (const Point& p : points) {
      const long double d = distance(p, means.back());
      sum += d;
      within += d * d;
    }
    spread.push_back(sum / static_cast<long double>(points.size()));
    const long double d = distance(means.back(), mean(all));
    between += static_cast<long double>(points.size()) * d * d;
  }
  const auto k = static_cast<long double>(means.size());
  for (std::size_t a = 0; a < means.size(); ++a) {
    long double most = 0;
    for (std::size_t b = 0; b < means.size(); ++b) {
      if (a != b) most = std::max(most, (spread[a] + spread[b]) / distance(means[a], means[b]));
    }
    worst += most / k;
  }
  const auto n = static_cast<long double>(x.rows);
  return {static_cast<double>(worst), static_cast<double>(between * (n - k) / (within * (k - 1)))};
}

TYPED_TEST(ClusterMeasures, OfTwoPairsOnALine) {
  Rows<TypeParam> x(4, 1);
  x.values = {0, 2, 10, 12};
  const Labels labels{7, 7, -1, -1};
  EXPECT_DOUBLE_EQ(davies_bouldin<TypeParam>(x.view(), labels), 0.2);  // (1 + 1) / 10
  // between 4 * 5^2, within 4 * 1^2; (100 / 1) / (4 / 2)
  EXPECT_DOUBLE_EQ(calinski_harabasz<TypeParam>(x.view(), labels), 50);
}

TYPED_TEST(ClusterMeasures, FollowTheirDefinitions) {
  for (const std::int64_t rows : {3, 31, 32, 33, 65, 1025, 9000}) {
    for (const std::int64_t cols : {1, 2, 33}) {
      for (const double offset : {0.0, 1e5, 1e6}) {
        const auto x = normal_rows<TypeParam>(rows, cols, 1, offset, 1);
        Labels labels;
        for (std::int64_t i = 0; i < rows; ++i) {
          labels.push_back(static_cast<std::int32_t>(i < 2 ? i : i * i % 11 % 4) - 2);
        }
        const auto expected = by_definition(x, labels);
        EXPECT_NEAR(davies_bouldin<TypeParam>(x.view(), labels), expected.davies_bouldin,
                    1e-7 * expected.davies_bouldin)
            << rows << "x" << cols << "+" << offset;
        EXPECT_NEAR(calinski_harabasz<TypeParam>(x.view(), labels), expected.calinski_harabasz,
                    1e-7 * expected.calinski_harabasz)
            << rows << "x" << cols << "+" << offset;
      }
    }
  }
}

TYPED_TEST(ClusterMeasures, FollowThemWithAnOutlierAConstantColumnAndDuplicates) {
  auto x = normal_rows<TypeParam>(333, 4, 3, 0, 2);
  Labels labels;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    labels.push_back(static_cast<std::int32_t>(i % 5));
    x(i, 1) = 7;
    for (std::int64_t j = 0; i >= 300 && j < x.cols; ++j) x(i, j) = x(i - 300, j);
  }
  x(17, 2) = 1e6;  // all other values are a millionth of the column's range
  const auto expected = by_definition(x, labels);
  EXPECT_NEAR(davies_bouldin<TypeParam>(x.view(), labels), expected.davies_bouldin,
              1e-9 * expected.davies_bouldin);
  EXPECT_NEAR(calinski_harabasz<TypeParam>(x.view(), labels), expected.calinski_harabasz,
              1e-9 * expected.calinski_harabasz);
}

TYPED_TEST(ClusterMeasures, TakeScikitLearnsValuesWhereTheyAreUndefined) {
  Rows<TypeParam> same(10, 2);
  std::fill(same.values.begin(), same.values.end(), TypeParam{0.1});
  const Labels halves{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  EXPECT_EQ(davies_bouldin<TypeParam>(same.view(), halves), 0);
  EXPECT_EQ(calinski_harabasz<TypeParam>(same.view(), halves), 1);

  Rows<TypeParam> crossed(20, 2);  // both clusters have their mean at the origin
  for (std::int64_t i = 0; i < 20; ++i) crossed(i, 0) = crossed(i, 1) = i % 2 == 0 ? -1 : 1;
  Labels tens(10, 0);
  tens.resize(20, 1);
  EXPECT_EQ(davies_bouldin<TypeParam>(crossed.view(), tens), 0);
  EXPECT_EQ(calinski_harabasz<TypeParam>(crossed.view(), tens), 0);

  Rows<TypeParam> points(4, 1);  // each cluster is one place
  points.values = {0, 0, 3, 3};
  EXPECT_EQ(davies_bouldin<TypeParam>(points.view(), Labels{0, 0, 1, 1}), 0);
  EXPECT_EQ(calinski_harabasz<TypeParam>(points.view(), Labels{0, 0, 1, 1}), 1);

  points.values = {0, 1e-9f, 5e-9f, 6e-9f};  // all within its absolute tolerance of 1e-8
  EXPECT_EQ(davies_bouldin<TypeParam>(points.view(), Labels{0, 0, 1, 1}), 0);
}

TYPED_TEST(ClusterMeasures, AreTheSameBitsForAnyNumberOfThreads) {
  const auto x = normal_rows<TypeParam>(20000, 3, 2);
  Labels labels;
  for (std::int32_t i = 0; i < 20000; ++i) labels.push_back(i * 7 % 3);
  const auto measure = [&](int threads) {
    Context ctx = Device::Cpu;
    ctx.threads = threads;
    return std::pair(davies_bouldin<TypeParam>(x.view(), labels, ctx),
                     calinski_harabasz<TypeParam>(x.view(), labels, ctx));
  };
  EXPECT_EQ(measure(1), measure(2));
  EXPECT_EQ(measure(1), measure(7));
}

TEST(ClusterNumbers, FollowTheLabelsValuesHoweverFarApart) {
  constexpr std::int32_t kLow = std::numeric_limits<std::int32_t>::min();
  constexpr std::int32_t kHigh = std::numeric_limits<std::int32_t>::max();
  for (const auto& [low, middle, high] :
       {std::array{-1, 0, 7}, std::array{kLow, -5, kHigh}, std::array{kHigh - 2, kHigh - 1, kHigh},
        std::array{0, 1 << 12, (1 << 12) + 4}}) {
    const Clusters found = number_clusters(Labels{high, low, high, middle, high}, 5);
    EXPECT_THAT(found.cluster, ::testing::ElementsAre(2, 0, 2, 1, 2)) << low << ".." << high;
    EXPECT_THAT(found.first, ::testing::ElementsAre(0, 1, 2, 5));
  }
}

TYPED_TEST(ClusterMeasures, RefuseBadInput) {
  auto x = normal_rows<TypeParam>(4, 2, 5);
  EXPECT_THROW(davies_bouldin<TypeParam>(x.view(), Labels{1, 1, 1, 1}), std::invalid_argument);
  EXPECT_THROW(calinski_harabasz<TypeParam>(x.view(), Labels{1, 2, 3, 4}), std::invalid_argument);
  x(3, 1) = std::numeric_limits<TypeParam>::quiet_NaN();
  try {
    davies_bouldin<TypeParam>(x.view(), Labels{1, 1, 2, 2});
    FAIL() << "nothing thrown";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "x must be finite, got NaN in row 3, column 1");
  }
  EXPECT_THROW(calinski_harabasz<TypeParam>(x.view(), Labels{1, 1, 2, 2}), std::invalid_argument);
}

}  // namespace
}  // namespace coterie
