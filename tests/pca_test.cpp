#include "coterie/pca.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <numeric>
#include <string>

#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::normal_rows;
using testing_support::Rows;

template <class T>
class PcaOf : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PcaOf, Types);

/// Means and covariance (divisor rows - 1) in long double.
struct Moments {
  std::vector<long double> mean, covariance;
};

template <class T>
Moments moments(const Rows<T>& x) {
  const auto d = static_cast<std::size_t>(x.cols);
  Moments m{std::vector<long double>(d), std::vector<long double>(d * d)};
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::size_t j = 0; j < d; ++j) m.mean[j] += x(i, static_cast<std::int64_t>(j));
  }
  for (long double& mean : m.mean) mean /= static_cast<long double>(x.rows);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::size_t a = 0; a < d; ++a) {
      const long double left = x(i, static_cast<std::int64_t>(a)) - m.mean[a];
      for (std::size_t b = 0; b < d; ++b) {
        m.covariance[a * d + b] += left * (x(i, static_cast<std::int64_t>(b)) - m.mean[b]) /
                                   static_cast<long double>(x.rows - 1);
      }
    }
  }
  return m;
}

/// What makes axes the principal ones: orthonormal, C v = variance * v, descending, oriented.
template <class T>
void check(const Rows<T>& x, double tolerance, std::int64_t components = 0) {
  const Pca found = pca<T>(x.view(), {.components = components});
  const Moments wide = moments(x);
  const auto d = static_cast<std::size_t>(x.cols);
  const auto axes = found.components.view();
  ASSERT_EQ(axes.rows, components == 0 ? std::min(x.rows, x.cols) : components);
  ASSERT_EQ(static_cast<std::int64_t>(found.explained_variance.size()), axes.rows);
  double trace = 0;
  for (std::size_t j = 0; j < d; ++j) {
    const double deviation = std::sqrt(static_cast<double>(wide.covariance[j * d + j]));
    EXPECT_NEAR(found.mean[j], static_cast<double>(wide.mean[j]),
                1e-14 * deviation + 1e-15 * std::abs(found.mean[j]));
    trace += static_cast<double>(wide.covariance[j * d + j]);
  }
  EXPECT_NEAR(found.total_variance, trace, tolerance * trace);
  const double largest = found.explained_variance[0];
  for (std::int64_t a = 0; a < axes.rows; ++a) {
    const double variance = found.explained_variance[static_cast<std::size_t>(a)];
    EXPECT_GE(variance, 0);
    if (a > 0) {
      EXPECT_LE(variance, found.explained_variance[static_cast<std::size_t>(a) - 1]);
    }
    double peak = 0;
    for (std::size_t i = 0; i < d; ++i) {
      long double product = 0;
      for (std::size_t j = 0; j < d; ++j) {
        product += wide.covariance[i * d + j] * axes(a, static_cast<std::int64_t>(j));
      }
      const double entry = axes(a, static_cast<std::int64_t>(i));
      ASSERT_NEAR(static_cast<double>(product), variance * entry, tolerance * largest);
      if (std::abs(entry) > std::abs(peak)) peak = entry;
    }
    EXPECT_GT(peak, 0);
    for (std::int64_t b = 0; b <= a; ++b) {
      const double dot = std::inner_product(axes.row(a), axes.row(a) + axes.cols, axes.row(b), 0.0);
      ASSERT_NEAR(dot, a == b ? 1 : 0, 1e-12);
    }
  }
}

TYPED_TEST(PcaOf, PointsOnADiagonal) {
  Rows<TypeParam> x(3, 2);
  x.values = {0, 1, 1, 0, 2, -1};
  const Pca found = pca<TypeParam>(x.view());
  EXPECT_THAT(found.mean, ::testing::ElementsAre(1, 0));
  EXPECT_NEAR(found.explained_variance[0], 2, 1e-15);
  EXPECT_NEAR(found.explained_variance[1], 0, 1e-15);
  EXPECT_DOUBLE_EQ(found.total_variance, 2);
  EXPECT_NEAR(std::abs(found.components.view()(0, 0)), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(found.components.view()(0, 0), -found.components.view()(0, 1), 1e-15);
}

TYPED_TEST(PcaOf, RandomRowsHasThePrincipalAxes) {
  for (const std::int64_t rows : {2, 31, 32, 33, 127, 128, 129, 1025, 5000}) {
    for (const std::int64_t cols : {1, 2, 7, 8, 9, 24, 33, 70}) {
      auto x = normal_rows<TypeParam>(rows, cols, 1, 0, 3);
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 1; j < cols; ++j) x(i, j) += x(i, j - 1) / 2;  // correlated
      }
      SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(cols));
      check(x, 1e-13);
    }
  }
}

TYPED_TEST(PcaOf, RowsFarFromTheOriginLosesNothing) {
  check(normal_rows<TypeParam>(3000, 9, 2, 1e5), 1e-12);
  check(normal_rows<TypeParam>(3000, 9, 3, 1e6), 1e-12);
}

TYPED_TEST(PcaOf, AnOutlierTakesNoDigits) {
  auto x = normal_rows<TypeParam>(2000, 4, 12);
  x(0, 2) = TypeParam(1e6);  // squares about it would be 2000 times the variance
  const Moments wide = moments(x);
  double trace = 0;
  for (std::size_t j = 0; j < 4; ++j) trace += static_cast<double>(wide.covariance[j * 5]);
  EXPECT_NEAR(pca<TypeParam>(x.view()).total_variance, trace, 2e-15 * trace);
}

TYPED_TEST(PcaOf, SortedRowsLoseNothing) {
  auto x = normal_rows<TypeParam>(4000, 3, 13);
  for (std::int64_t i = 0; i < x.rows; ++i) x(i, 1) = static_cast<TypeParam>(1000 + i);
  check(x, 1e-14);
}

TYPED_TEST(PcaOf, ManyColumns) {
  check(normal_rows<TypeParam>(500, 300, 4), 1e-12);
  check(normal_rows<TypeParam>(600, 513, 4), 1e-12, 3);
}

TYPED_TEST(PcaOf, LeadingAxesAreThoseOfAll) {
  const auto x = normal_rows<TypeParam>(400, 90, 10);
  const Pca all = pca<TypeParam>(x.view());
  for (const std::int64_t components : {1, 2, 31, 32, 33, 90}) {
    const Pca some = pca<TypeParam>(x.view(), {.components = components});
    ASSERT_EQ(some.components.rows, components);
    EXPECT_EQ(some.total_variance, all.total_variance);
    for (std::int64_t a = 0; a < components; ++a) {
      const auto at = static_cast<std::size_t>(a);
      ASSERT_EQ(some.explained_variance[at], all.explained_variance[at]);
      for (std::int64_t j = 0; j < x.cols; ++j) {
        ASSERT_NEAR(some.components.view()(a, j), all.components.view()(a, j), 1e-12);
      }
    }
  }
}

TYPED_TEST(PcaOf, EqualVariancesHaveOrthonormalAxes) {
  Rows<TypeParam> x(40,
                    20);  // each column 1 in one row and -1 in another: a multiple of the identity
  std::fill(x.values.begin(), x.values.end(), TypeParam(0));
  for (std::int64_t j = 0; j < 20; ++j) {
    x(2 * j, j) = 1;
    x(2 * j + 1, j) = -1;
  }
  check(x, 1e-14);
  check(x, 1e-14, 3);
}

TYPED_TEST(PcaOf, ScalesFarFromOneChangeNothing) {
  for (const double scale : {1e-18, 1e17}) {
    auto x = normal_rows<TypeParam>(200, 6, 11);
    for (auto& value : x.values) value = static_cast<TypeParam>(value * scale);
    check(x, 1e-13);
  }
}

TYPED_TEST(PcaOf, ConstantColumnsHasAxesWithoutVariance) {
  auto x = normal_rows<TypeParam>(100, 5, 5);
  for (std::int64_t i = 0; i < x.rows; ++i) x(i, 1) = x(i, 4) = TypeParam(0.1);
  check(x, 1e-13);
  const Pca found = pca<TypeParam>(x.view());
  EXPECT_NEAR(found.explained_variance[3], 0, 1e-15);
  EXPECT_NEAR(found.explained_variance[4], 0, 1e-15);
  EXPECT_NEAR(found.components.view()(0, 1), 0, 1e-15);

  std::fill(x.values.begin(), x.values.end(), TypeParam(0.1));
  EXPECT_THAT(pca<TypeParam>(x.view()).explained_variance, ::testing::Each(0.0));
}

TYPED_TEST(PcaOf, AnyNumberOfThreadsHasTheSameBits) {
  // Many rows are shared out by rows, many columns by columns.
  for (const auto& x :
       {normal_rows<TypeParam>(20000, 70, 6), normal_rows<TypeParam>(900, 150, 6)}) {
    const auto with_threads = [&](int threads) {
      Context ctx = Device::Cpu;
      ctx.threads = threads;
      const Pca found = pca<TypeParam>(x.view(), {}, ctx);
      Rows<TypeParam> out(x.rows, found.components.rows);
      pca_transform<TypeParam>(x.view(), found.mean, found.components.view(), out.view(), ctx);
      return std::tuple(found.mean, found.explained_variance, found.components.values,
                        found.total_variance, out.values);
    };
    const auto one = with_threads(1);
    EXPECT_EQ(one, with_threads(2));
    EXPECT_EQ(one, with_threads(7));
  }
}

TYPED_TEST(PcaOf, TransformProjectsTheCentredRows) {
  for (const std::int64_t axes_count : {1, 3, 9, 20}) {
    const auto x = normal_rows<TypeParam>(130, 33, 7, 100, 2);
    const auto axes = normal_rows<double>(axes_count, 33, 8, 0, 1);
    const std::vector<double> mean(33, 99.5);
    Rows<TypeParam> out(130, axes_count, 2);
    pca_transform<TypeParam>(x.view(), mean, axes.view(), out.view());
    for (std::int64_t i = 0; i < x.rows; ++i) {
      for (std::int64_t a = 0; a < axes_count; ++a) {
        double expected = 0;
        for (std::int64_t j = 0; j < x.cols; ++j) {
          expected += (static_cast<double>(x(i, j)) - 99.5) * axes(a, j);
        }
        ASSERT_EQ(out(i, a), static_cast<TypeParam>(expected));
      }
      EXPECT_TRUE(std::isnan(out(i, axes_count)));  // the gap is left alone
    }
  }
}

TYPED_TEST(PcaOf, InverseTransformAddsUpTheAxesAndTheMean) {
  for (const std::int64_t cols : {1, 3, 33}) {
    const auto x = normal_rows<TypeParam>(130, 9, 7, 3, 2);
    const auto axes = normal_rows<double>(9, cols, 8, 0, 1);
    const std::vector<double> mean(static_cast<std::size_t>(cols), 99.7);
    Rows<TypeParam> out(130, cols, 2);
    pca_inverse_transform<TypeParam>(x.view(), mean, axes.view(), out.view());
    for (std::int64_t i = 0; i < x.rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        double expected = 0;
        for (std::int64_t a = 0; a < x.cols; ++a) {
          expected += static_cast<double>(x(i, a)) * axes(a, j);
        }
        ASSERT_EQ(out(i, j), static_cast<TypeParam>(expected + 99.7));
      }
      EXPECT_TRUE(std::isnan(out(i, cols)));  // the gap is left alone
    }
  }
}

TYPED_TEST(PcaOf, InverseTransformOfAllAxesBringsTheRowsBack) {
  const auto x = normal_rows<TypeParam>(40, 5, 15, 1000);
  const Pca found = pca<TypeParam>(x.view());
  Rows<TypeParam> scores(40, 5), back(40, 5);
  pca_transform<TypeParam>(x.view(), found.mean, found.components.view(), scores.view());
  pca_inverse_transform<TypeParam>(std::as_const(scores).view(), found.mean,
                                   found.components.view(), back.view());
  const double unit = std::numeric_limits<TypeParam>::epsilon();
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) EXPECT_NEAR(back(i, j), x(i, j), 1000 * unit);
  }
}

TEST(PcaInput, NamesWhatIsWrong) {
  auto x = normal_rows<double>(4, 2, 9);
  Rows<double> out(4, 1);
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "nothing thrown";
  };
  EXPECT_EQ(message([&] {
              pca<double>({x.values.data(), 1, 2, 2});
            }),
            "x must have at least 2 rows, got 1");
  EXPECT_EQ(message([&] { pca<double>(x.view(), {.components = 3}); }),
            "components must be in [0, 2], got 3");
  const std::vector<double> mean(2), long_mean(3);
  const auto axes = normal_rows<double>(1, 2, 9);
  EXPECT_EQ(message([&] { pca_transform<double>(x.view(), long_mean, axes.view(), out.view()); }),
            "mean must have one value for each of 2 columns, got 3");
  EXPECT_EQ(message([&] {
              pca_transform<double>(x.view(), mean, normal_rows<double>(1, 3, 9).view(),
                                    out.view());
            }),
            "axes must have x's 2 columns, got 3");
  EXPECT_EQ(message([&] {
              pca_transform<double>(x.view(), mean, normal_rows<double>(2, 2, 9).view(),
                                    out.view());
            }),
            "out must be 4 x 2, got 4 x 1");
  EXPECT_EQ(
      message([&] { pca_inverse_transform<double>(x.view(), mean, axes.view(), out.view()); }),
      "x must have one column for each of 1 axes, got 2");
  x(2, 1) = 1e200;
  EXPECT_EQ(message([&] { pca<double>(x.view()); }),
            "x spans too wide a range: its variances overflow float64; scale it down");
  x(2, 1) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message([&] { pca<double>(x.view()); }),
            "x must be finite, got NaN in row 2, column 1");
  const auto one_axis = normal_rows<double>(1, 2, 9);
  EXPECT_EQ(message([&] { pca_transform<double>(x.view(), mean, one_axis.view(), out.view()); }),
            "x must be finite, got NaN in row 2, column 1");
  const auto two_axes = normal_rows<double>(2, 1, 9);
  EXPECT_EQ(
      message([&] { pca_inverse_transform<double>(x.view(), {0.5}, two_axes.view(), out.view()); }),
      "x must be finite, got NaN in row 2, column 1");
}

TEST(PcaInput, EveryValueIsLookedAt) {
  Rows<double> axes(1, 70), out(2000, 1);
  std::fill(axes.values.begin(), axes.values.end(), 0);  // even where nothing is asked of it
  for (const std::int64_t row : {0, 1, 999, 1999}) {
    for (const double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
      auto x = normal_rows<double>(2000, 70, 14);
      x(row, 69) = bad;
      EXPECT_THROW(pca<double>(x.view(), {.components = 1}), std::invalid_argument);
      EXPECT_THROW(
          pca_transform<double>(x.view(), std::vector<double>(70), axes.view(), out.view()),
          std::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace coterie
