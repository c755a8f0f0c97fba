#include "coterie/distances.hpp"

#include <gmock/gmock.h>

#include <array>
#include <limits>
#include <string>

#include "core/contract/distance.hpp"
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
  const auto one = distances(x, y, Metric::Euclidean, 1);
  EXPECT_EQ(one.values, distances(x, y, Metric::Euclidean, 2).values);
  EXPECT_EQ(one.values, distances(x, y, Metric::Euclidean, 7).values);
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
