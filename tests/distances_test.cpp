#include "coterie/distances.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "core/contract/distance.hpp"
#include "core/contract/metric.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using ::testing::HasSubstr;
using testing_support::normal_rows;
using testing_support::Rows;

constexpr std::array<std::int64_t, 7> kRows{1, 2, 31, 32, 33, 65, 1025};
constexpr std::array<std::int64_t, 3> kCols{1, 2, 33};

template <class T>
class Distances : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Distances, Types);

template <class T>
Rows<T> distances(const Rows<T>& x, const Rows<T>& y, Metric metric, int threads = 0,
                  std::int64_t gap = 0) {
  Rows<T> out(x.rows, y.rows, gap);
  Context ctx = Device::Cpu;
  ctx.threads = threads;
  pairwise_distances<T>(x.view(), y.view(), metric, out.view(), ctx);
  return out;
}

template <class T>
std::string message(MatrixView<const T> x, MatrixView<const T> y, MatrixView<T> out) {
  try {
    pairwise_distances<T>(x, y, Metric::Euclidean, out);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing thrown";
}

TYPED_TEST(Distances, OfATriangleWithSidesThreeFourFive) {
  Rows<TypeParam> x(2, 2);
  x.values = {0, 0, 3, 4};
  EXPECT_THAT(distances(x, x, Metric::Euclidean).values, ::testing::ElementsAre(0, 5, 5, 0));
  EXPECT_THAT(distances(x, x, Metric::SquaredEuclidean).values,
              ::testing::ElementsAre(0, 25, 25, 0));
}

constexpr std::array kMetrics{Metric::Euclidean, Metric::SquaredEuclidean, Metric::Cosine,
                              Metric::Manhattan, Metric::Chebyshev};

/// The definition, in long double.
template <class T>
double by_definition(const Rows<T>& x, std::int64_t i, const Rows<T>& y, std::int64_t k,
                     Metric metric) {
  long double squared = 0, sum = 0, largest = 0, product = 0, own = 0, other = 0;
  for (std::int64_t j = 0; j < x.cols; ++j) {
    const long double a = x(i, j), b = y(k, j);
    squared += (a - b) * (a - b);
    sum += std::abs(a - b);
    largest = std::max(largest, std::abs(a - b));
    product += a * b;
    own += a * a;
    other += b * b;
  }
  switch (metric) {
    case Metric::Euclidean:
      return static_cast<double>(std::sqrt(squared));
    case Metric::SquaredEuclidean:
      return static_cast<double>(squared);
    case Metric::Manhattan:
      return static_cast<double>(sum);
    case Metric::Chebyshev:
      return static_cast<double>(largest);
    case Metric::Cosine:
      break;
  }
  return static_cast<double>(1 - product / std::sqrt(own * other));
}

TYPED_TEST(Distances, FollowTheirDefinitions) {
  constexpr double kUnit = std::numeric_limits<TypeParam>::epsilon() / 2;
  for (const std::int64_t rows : kRows) {
    for (const std::int64_t cols : kCols) {
      const auto x = normal_rows<TypeParam>(rows, cols, 1, 0, 1);
      const auto y = normal_rows<TypeParam>(67, cols, 2, 0, 3);
      for (const Metric metric : kMetrics) {
        const auto out = distances(x, y, metric, 0, 2);
        for (std::int64_t i = 0; i < rows; ++i) {
          for (std::int64_t j = 0; j < y.rows; ++j) {
            const double expected = by_definition(x, i, y, j, metric);
            ASSERT_NEAR(out(i, j), expected, kUnit * expected + 1e-15 * (expected + 10))
                << static_cast<int>(metric) << ": " << rows << "x" << cols;
          }
        }
      }
    }
  }
}

TYPED_TEST(Distances, AddAbsoluteDifferencesOrTakeTheLargest) {
  Rows<TypeParam> x(2, 3);
  x.values = {1, 5, -2, 3, -1, -2};
  EXPECT_THAT(distances(x, x, Metric::Manhattan).values, ::testing::ElementsAre(0, 8, 8, 0));
  EXPECT_THAT(distances(x, x, Metric::Chebyshev).values, ::testing::ElementsAre(0, 6, 6, 0));
}

TYPED_TEST(Distances, OfDirectionsFollowScikitLearnWhereThereIsNone) {
  Rows<TypeParam> x(4, 2);
  x.values = {0, 0, 0, 0, 2, 0, -3, 0};
  const auto of_itself = distances(x, x, Metric::Cosine);
  EXPECT_THAT(of_itself.values,
              ::testing::ElementsAre(0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 2, 1, 1, 2, 0));
  auto copy = x;
  EXPECT_THAT(distances(x, copy, Metric::Cosine).values,
              ::testing::ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 1, 1, 2, 0));
  Rows<TypeParam> later(2, 4);
  pairwise_distances<TypeParam>({&x(1, 0), 2, 2, 2}, x.view(), Metric::Cosine, later.view());
  EXPECT_THAT(later.values, ::testing::ElementsAre(1, 0, 1, 1, 1, 1, 0, 2));
}

TYPED_TEST(Distances, OfDirectionsDoNotDependOnLengths) {
  constexpr TypeParam kHuge = std::numeric_limits<TypeParam>::max() / 4;
  constexpr TypeParam kTiny = std::numeric_limits<TypeParam>::min();
  Rows<TypeParam> x(4, 2);
  x.values = {kHuge, kHuge, kTiny, kTiny, kHuge, 0, 0, kTiny};
  const auto out = distances(x, x, Metric::Cosine);
  EXPECT_NEAR(out(0, 1), 0, 1e-30);
  EXPECT_EQ(out(2, 3), 1);
  EXPECT_NEAR(out(0, 2), 1 - std::sqrt(0.5), 1e-7);
  Rows<TypeParam> near(2, 2);  // an angle of 1e-6, which 1 - cos would lose in float32
  near.values = {1, 0, 1, static_cast<TypeParam>(1e-6)};
  EXPECT_NEAR(distances(near, near, Metric::Cosine)(0, 1), 5e-13, 1e-19);
}

/// Squared distances within a few units in float64's last place of the middle between two float32
/// numbers: a sum of other roundings than the canonical one often ends on the other side.
TYPED_TEST(Distances, AreRoundedAsTheCanonicalOnesNextToAMiddle) {
  constexpr std::int64_t kCols = 40;
  auto x = normal_rows<TypeParam>(200, kCols, 12);
  auto y = normal_rows<TypeParam>(1, kCols, 13, 0.001);
  for (std::int64_t j = kCols - 2; j < kCols; ++j) y(0, j) = 0;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x(i, kCols - 2) = x(i, kCols - 1) = 0;
    const double sum = squared_distance(x.view().row(i), y.view().row(0), kCols);
    const auto above = std::nextafter(static_cast<float>(sum), 1e30f);
    const double middle = (above + static_cast<double>(std::nextafter(above, 1e30f))) / 2;
    for (std::int64_t j = kCols - 2; j < kCols; ++j) {
      const double reached = squared_distance(x.view().row(i), y.view().row(0), kCols);
      x(i, j) = static_cast<TypeParam>(std::sqrt(std::max(0.0, middle - reached)));
    }
  }
  for (const Metric metric : {Metric::SquaredEuclidean, Metric::Euclidean}) {
    const auto out = distances(x, y, metric);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const double squared = squared_distance(x.view().row(i), y.view().row(0), kCols);
      const double expected = metric == Metric::Euclidean ? std::sqrt(squared) : squared;
      ASSERT_EQ(out(i, 0), static_cast<TypeParam>(expected)) << i;
    }
  }
}

TYPED_TEST(Distances, OfIntegersAreExact) {
  Rows<TypeParam> x(100, 9);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      x(i, j) = static_cast<TypeParam>((i * 7919 + j * 104729) % 16384);
    }
  }
  const auto out = distances(x, x, Metric::SquaredEuclidean);  // above 2^24: ties of float32
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t k = 0; k < x.rows; ++k) {
      std::int64_t sum = 0;
      for (std::int64_t j = 0; j < x.cols; ++j) {
        const auto t = static_cast<std::int64_t>(x(i, j)) - static_cast<std::int64_t>(x(k, j));
        sum += t * t;
      }
      ASSERT_EQ(out(i, k), static_cast<TypeParam>(sum));
    }
  }
}

/// Written around the caches from 32 MiB on, where rows are aligned to 64 bytes.
TYPED_TEST(Distances, AreTheSameInALargeAlignedMatrix) {
  constexpr std::int64_t kMany = 2912 + 9;
  constexpr std::int64_t kStride = 2944;
  const auto x = normal_rows<TypeParam>(kMany, 3, 10);
  std::vector<TypeParam> memory(kMany * kStride + 16);
  auto* aligned = reinterpret_cast<TypeParam*>(
      (reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
  for (const Metric metric : {Metric::Euclidean, Metric::Manhattan}) {
    const auto plain = distances(x, x, metric, 0, 1);  // a stride that is not aligned
    pairwise_distances<TypeParam>(x.view(), x.view(), metric, {aligned, kMany, kMany, kStride});
    for (std::int64_t i = 0; i < kMany; ++i) {
      ASSERT_TRUE(
          std::equal(aligned + i * kStride, aligned + i * kStride + kMany, plain.view().row(i)))
          << i;
      ASSERT_EQ(aligned[i * kStride + kMany], 0) << "wrote past row " << i;
    }
  }
}

TYPED_TEST(Distances, OfAMatrixToItselfAreThoseToItsCopy) {
  for (const std::int64_t rows : kRows) {
    const auto x = normal_rows<TypeParam>(rows, 5, 11, 3);
    const auto copy = x;
    for (const Metric metric : kMetrics) {
      EXPECT_EQ(distances(x, x, metric).values, distances(x, copy, metric).values)
          << static_cast<int>(metric) << ", " << rows << " rows";
    }
  }
}

TYPED_TEST(Distances, AreTheCanonicalOnesRoundedOnce) {
  for (const std::int64_t rows : kRows) {
    for (const std::int64_t cols : kCols) {
      const auto x = normal_rows<TypeParam>(rows, cols, 1);
      const auto y = normal_rows<TypeParam>(67, cols, 2, 0, 3);
      const auto root = distances(x, y, Metric::Euclidean);
      const auto square = distances(x, y, Metric::SquaredEuclidean);
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < y.rows; ++j) {
          const double expected = squared_distance(x.view().row(i), y.view().row(j), cols);
          ASSERT_EQ(square(i, j), static_cast<TypeParam>(expected)) << rows << "x" << cols;
          ASSERT_EQ(root(i, j), static_cast<TypeParam>(std::sqrt(expected)));
          const auto wide = static_cast<double>(testing_support::wide_squared_distance(x, i, y, j));
          ASSERT_NEAR(expected, wide, 1e-14 * wide);
        }
      }
    }
  }
}

TYPED_TEST(Distances, OfEqualRowsAreExactlyZeroFarFromTheOrigin) {
  auto x = normal_rows<TypeParam>(65, 33, 3, 1e6);
  for (std::int64_t j = 0; j < x.cols; ++j) x(64, j) = x(7, j);
  const auto out = distances(x, x, Metric::Euclidean);
  for (std::int64_t i = 0; i < x.rows; ++i) EXPECT_EQ(out(i, i), 0);
  EXPECT_EQ(out(7, 64), 0);
  EXPECT_GT(out(7, 8), 1);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.rows; ++j) EXPECT_EQ(out(i, j), out(j, i));
  }
}

TYPED_TEST(Distances, AreTheSameBitsForAnyNumberOfThreads) {
  const auto x = normal_rows<TypeParam>(333, 5, 4);
  const auto y = normal_rows<TypeParam>(1100, 5, 5);
  for (const Metric metric : kMetrics) {
    const auto one = distances(x, y, metric, 1);
    EXPECT_EQ(one.values, distances(x, y, metric, 2).values);
    EXPECT_EQ(one.values, distances(x, y, metric, 7).values);
    EXPECT_EQ(distances(y, y, metric, 1).values, distances(y, y, metric, 7).values);
  }
}

TYPED_TEST(Distances, LeaveTheOutputsGapAlone) {
  const auto x = normal_rows<TypeParam>(70, 2, 6, 0, 1);
  const auto out = distances(x, x, Metric::Euclidean, 0, 5);
  for (std::int64_t i = 0; i < out.rows; ++i) {
    for (std::int64_t j = out.cols; j < out.stride; ++j) EXPECT_TRUE(std::isnan(out(i, j)));
  }
}

TYPED_TEST(Distances, NameWhatIsWrong) {
  const auto x = normal_rows<TypeParam>(4, 3, 7);
  auto y = normal_rows<TypeParam>(5, 3, 8);
  Rows<TypeParam> out(4, 5), narrow(4, 4);
  const auto two_columns = normal_rows<TypeParam>(5, 2, 8);
  EXPECT_EQ(message<TypeParam>(x.view(), two_columns.view(), out.view()),
            "y must have x's 3 columns, got 2");
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), narrow.view()), "out must be 4 x 5, got 4 x 4");
  EXPECT_THAT(message<TypeParam>({x.view().data, 0, 3, 3}, y.view(), out.view()),
              HasSubstr("x must have at least 1 row"));
  EXPECT_THAT(message<TypeParam>({x.view().data, 2, 3, 2}, y.view(), out.view()),
              HasSubstr("x's stride must be at least its 3 columns, got 2"));
  EXPECT_THAT(message<TypeParam>({nullptr, 2, 3, 3}, y.view(), out.view()), HasSubstr("null"));
  y(2, 1) = std::numeric_limits<TypeParam>::quiet_NaN();
  y(3, 0) = std::numeric_limits<TypeParam>::infinity();
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), out.view()),
            "y must be finite, got NaN in row 2, column 1");
  y(2, 1) = 0;
  EXPECT_EQ(message<TypeParam>(x.view(), y.view(), out.view()),
            "y must be finite, got infinity in row 3, column 0");
}

TEST(DistancesDevice, SaysWhyTheGpuCannot) {
  const auto x = normal_rows<double>(2, 2, 9);
  Rows<double> out(2, 2);
  EXPECT_THROW(
      pairwise_distances<double>(x.view(), x.view(), Metric::Euclidean, out.view(), Device::Cuda),
      DeviceUnavailable);
  pairwise_distances<double>(x.view(), x.view(), Metric::Euclidean, out.view(), Device::Auto);
  EXPECT_EQ(out(1, 1), 0);
}

}  // namespace
}  // namespace coterie
