#include "coterie/kmeans.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>
#include <tuple>

#include "coterie/threads.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::expect_same;
using testing_support::make_rows;
using testing_support::Shape;

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

class KMeans : public testing_support::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, KMeans, ::testing::Values(Device::Cpu, Device::Cuda),
                         testing_support::device_name);

TEST_P(KMeans, SplitsTwoPairsOfPoints) {
  const std::array x{0.f, 0.f, .5f, 0.f, 9.f, 9.f, 9.f, 9.5f};  // four points in the plane
  const auto fit = kmeans<float>({x.data(), 4, 2, 2}, {.clusters = 2}, GetParam());
  EXPECT_EQ(fit.labels[0], fit.labels[1]);
  EXPECT_EQ(fit.labels[2], fit.labels[3]);
  EXPECT_NE(fit.labels[0], fit.labels[2]);
  EXPECT_DOUBLE_EQ(fit.inertia, 0.25);  // two pairs, half a unit apart: 4 * 0.25^2
  std::set<std::pair<float, float>> centroids;
  for (int c = 0; c < 2; ++c) {
    centroids.insert({fit.centroids.view()(c, 0), fit.centroids.view()(c, 1)});
  }
  EXPECT_THAT(centroids, ElementsAre(std::pair(.25f, 0.f), std::pair(9.f, 9.25f)));
}

TEST_P(KMeans, LabelsAreTheDefinitionOnEveryRow) {
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups,
                            Shape::Duplicates}) {
    for (const std::int64_t rows : {31, 32, 33, 65, 1025}) {
      for (const std::int64_t cols : {1, 2, 33}) {
        const auto x = make_rows<float>(rows, cols, shape);
        const KMeansParams params{.clusters = 6, .max_iterations = 3, .seed = 7};
        const auto fit = kmeans<float>(x.view(), params, GetParam());
        for (std::int64_t i = 0; i < rows; ++i) {
          ASSERT_EQ(fit.labels[static_cast<std::size_t>(i)],
                    testing_support::nearest_centroid<float>(x.view().row(i),
                                                             std::as_const(fit.centroids).view()))
              << "row " << i << " of " << rows << " x " << cols << ", shape "
              << static_cast<int>(shape);
        }
      }
    }
  }
}

TEST_P(KMeans, EqualsTheCpuToTheLastBit) {
  const auto x = make_rows<float>(1025, 5);
  const KMeansParams params{.clusters = 7, .restarts = 2, .seed = 3};
  expect_same(kmeans<float>(x.view(), params, GetParam()),
              kmeans<float>(x.view(), params, Device::Cpu));
}

TEST_P(KMeans, AsManyClustersAsRowsGivesEachRowItsOwn) {
  const auto x = make_rows<double>(33, 3);
  const auto fit = kmeans<double>(x.view(), {.clusters = 33}, GetParam());
  EXPECT_EQ(std::set<std::int32_t>(fit.labels.begin(), fit.labels.end()).size(), 33u);
  EXPECT_EQ(fit.inertia, 0);
}

TEST_P(KMeans, OneRowAndOneClusterWork) {
  const std::array x{3.f, 4.f};
  const auto fit = kmeans<float>({x.data(), 1, 2, 2}, {.clusters = 1}, GetParam());
  EXPECT_THAT(fit.labels, ElementsAre(0));
  EXPECT_THAT(fit.centroids.values, ElementsAre(3.f, 4.f));
}

TEST(KMeansCpu, SameBitsForAnyNumberOfThreads) {
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::OffsetBlobs}) {
    const auto x = make_rows<float>(5000, 6, shape);
    const KMeansParams params{.clusters = 9, .restarts = 2, .seed = 5};
    Context one, two, seven;
    one.threads = 1;
    two.threads = 2;
    seven.threads = 7;
    const auto reference = kmeans<float>(x.view(), params, one);
    expect_same(reference, kmeans<float>(x.view(), params, two));
    expect_same(reference, kmeans<float>(x.view(), params, seven));
  }
}

TEST(KMeansCpu, TheNumberOfThreadsMayChangeDuringAFit) {
  const auto x = make_rows<float>(50'000, 3);
  const KMeansParams params{.clusters = 9, .tolerance = 0};
  const auto reference = kmeans<float>(x.view(), params);
  Context ctx;
  ctx.progress = [steps = 0](const Progress&) mutable { set_num_threads(++steps % 2 ? 24 : 1); };
  set_num_threads(1);
  const auto fit = kmeans<float>(x.view(), params, ctx);
  set_num_threads(0);
  expect_same(fit, reference);
}

TEST(KMeansCpu, ProgressNeverPassesItsUpperBound) {
  const auto x = make_rows<float>(2000, 4);
  std::int64_t calls = 0;
  Context ctx;
  ctx.progress = [&calls](const Progress& progress) {
    EXPECT_LE(progress.step, progress.steps) << progress.stage;
    ++calls;
  };
  // Stopped by the limit, so a further pass only labels.
  kmeans<float>(x.view(), {.clusters = 20, .max_iterations = 3, .tolerance = 0}, ctx);
  EXPECT_EQ(calls, 20 + 3 + 1);
}

TEST(KMeansCpu, AnOffsetOf1e5DoesNotChangeTheGroups) {
  // Multiples of 1/64 stay exact at 1e5, so the same groups must come out, shifted.
  auto x = make_rows<float>(2000, 4);
  for (float& value : x.values) value = std::round(value * 64) / 64;
  auto shifted = x;
  for (float& value : shifted.values) value += 1e5f;
  const KMeansParams params{.clusters = 4, .seed = 2};
  const auto fit = kmeans<float>(x.view(), params);
  const auto far = kmeans<float>(shifted.view(), params);
  EXPECT_EQ(fit.labels, far.labels);
  for (std::size_t i = 0; i < fit.centroids.values.size(); ++i) {
    EXPECT_NEAR(far.centroids.values[i] - 1e5f, fit.centroids.values[i], 0.01);
  }
}

TEST(KMeansCpu, SweepEqualsEachSingleFit) {
  const auto x = make_rows<float>(1500, 5);
  std::vector<KMeansModel<float>> models;
  for (std::int64_t k = 1; k <= 12; ++k) models.push_back({.clusters = k});
  for (const Seeding seeding : {Seeding::PlusPlus, Seeding::RandomRows, Seeding::Parallel}) {
    KMeansParams params{.seeding = seeding, .restarts = 3, .seed = 11};
    const auto sweep = kmeans_sweep<float>(x.view(), models, params);
    for (std::size_t m = 0; m < models.size(); ++m) {
      params.clusters = models[m].clusters;
      expect_same(sweep[m], kmeans<float>(x.view(), params));
    }
  }
}

TEST(KMeansCpu, WeightsAreRepeatedRows) {
  const auto x = make_rows<double>(60, 2);
  std::vector<double> weights;
  Matrix<double> repeated(0, 2);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const int times = static_cast<int>(i % 4);
    weights.push_back(times);
    for (int t = 0; t < times; ++t) {
      repeated.values.insert(repeated.values.end(), x.view().row(i), x.view().row(i) + 2);
      ++repeated.rows;
    }
  }
  const KMeansModel<double> model{.clusters = 3, .starts = {{x.values.data(), 3, 2, 2}}};
  KMeansParams params{.tolerance = 0};
  const auto plain = kmeans_sweep<double>(std::as_const(repeated).view(), {&model, 1}, params);
  params.weights = weights;
  const auto weighted = kmeans_sweep<double>(x.view(), {&model, 1}, params);
  for (std::size_t i = 0; i < plain[0].centroids.values.size(); ++i) {
    EXPECT_NEAR(plain[0].centroids.values[i], weighted[0].centroids.values[i], 1e-12);
  }
  EXPECT_NEAR(plain[0].inertia, weighted[0].inertia, 1e-9);
}

TEST(KMeansCpu, AnEmptyClusterMovesToTheFarthestRow) {
  const std::array x{0.0, 1.0, 2.0, 10.0};
  const std::array start{1.0, 1000.0};  // nobody is near the second
  const KMeansModel<double> model{.clusters = 2, .starts = {{start.data(), 2, 1, 1}}};
  const auto fit = kmeans_sweep<double>({x.data(), 4, 1, 1}, {&model, 1}, {});
  EXPECT_THAT(fit[0].centroids.values, ElementsAre(1.0, 10.0));
  EXPECT_THAT(fit[0].labels, ElementsAre(0, 0, 0, 1));
}

TEST(KMeansCpu, AnEmptyClusterPassesOverRowsWithoutWeight) {
  const std::array x{0.0, 1.0, 2.0, 10.0, 50.0};
  const std::vector<double> weights{1, 1, 1, 1, 0};  // the farthest row counts for nothing
  const std::array start{1.0, 1000.0};
  const KMeansModel<double> model{.clusters = 2, .starts = {{start.data(), 2, 1, 1}}};
  const auto fit = kmeans_sweep<double>({x.data(), 5, 1, 1}, {&model, 1}, {.weights = weights});
  EXPECT_THAT(fit[0].centroids.values, ElementsAre(1.0, 10.0));
  EXPECT_THAT(fit[0].labels, ElementsAre(0, 0, 0, 1, 1));
}

TEST(KMeansCpu, ToleranceIsRelativeToTheMeanColumnVariance) {
  // The columns' variances are 16.25 and 0, so 8.125 on average; the first step moves both
  // centroids by a half, 0.5 in all, which is 0.06154 of it.
  const std::array x{0.0, 7.0, 1.0, 7.0, 8.0, 7.0, 9.0, 7.0};
  const std::array start{0.0, 7.0, 9.0, 7.0};
  const KMeansModel<double> model{.clusters = 2, .starts = {{start.data(), 2, 2, 2}}};
  const auto iterations = [&](double tolerance) {
    return kmeans_sweep<double>({x.data(), 4, 2, 2}, {&model, 1}, {.tolerance = tolerance})[0]
        .iterations;
  };
  EXPECT_EQ(iterations(0.0616), 1);
  EXPECT_EQ(iterations(0.0615), 2);
}

TEST(KMeansCpu, EqualInertiasGoToTheEarlierStartThoughItEndsLater) {
  const std::array x{0.0, 1.0, 8.0, 9.0};
  const std::array slow{0.0, 1.0}, quick{8.5, 0.5};  // the same two pairs, numbered otherwise
  const KMeansModel<double> model{.clusters = 2,
                                  .starts = {{slow.data(), 2, 1, 1}, {quick.data(), 2, 1, 1}}};
  const auto fit = kmeans_sweep<double>({x.data(), 4, 1, 1}, {&model, 1}, {});
  EXPECT_THAT(fit[0].centroids.values, ElementsAre(0.5, 8.5));
  EXPECT_EQ(fit[0].iterations, 3);
}

TEST(KMeansCpu, AClusterKeepsItsLastRowOfPositiveWeight) {
  // Row 2 is the farthest, but only it gives cluster 1 weight; row 1 is the next.
  const std::array x{0.0, 4.0, 20.0, 11.0};
  const std::vector<double> weights{1, 1, 1, 0};
  const std::array start{0.0, 12.0, 1000.0};
  const KMeansModel<double> model{.clusters = 3, .starts = {{start.data(), 3, 1, 1}}};
  const auto fit = kmeans_sweep<double>({x.data(), 4, 1, 1}, {&model, 1}, {.weights = weights});
  EXPECT_THAT(fit[0].centroids.values, ElementsAre(0.0, 20.0, 4.0));
}

TEST(KMeansCpu, FewerDistinctRowsThanClustersStillEnds) {
  const auto x = make_rows<float>(50, 3, Shape::Duplicates);  // seven distinct rows
  const auto fit = kmeans<float>(x.view(), {.clusters = 10});
  EXPECT_EQ(std::set<std::int32_t>(fit.labels.begin(), fit.labels.end()).size(), 7u);
  EXPECT_EQ(fit.inertia, 0);
  EXPECT_EQ(fit.rechecked, 0) << "of equal centroids only the first may compete";
}

TEST(KMeansCpu, RowsMayBeFartherApartThanTheirColumns) {
  auto wide = make_rows<float>(200, 8);
  Matrix<float> narrow(200, 3);
  for (std::int64_t i = 0; i < 200; ++i) {
    std::copy_n(wide.view().row(i), 3, narrow.view().row(i));
    std::fill_n(wide.view().row(i) + 3, 5, std::numeric_limits<float>::quiet_NaN());
  }
  expect_same(kmeans<float>({wide.values.data(), 200, 3, 8}, {.clusters = 4}),
              kmeans<float>(narrow.view(), {.clusters = 4}));
}

TEST(KMeansCpu, ExtremeMagnitudesStayExact) {
  for (const float scale : {1e-30f, 1e-18f, 1e18f, 1e25f}) {
    auto x = make_rows<float>(300, 3);
    for (float& value : x.values) value *= scale;
    const auto fit = kmeans<float>(x.view(), {.clusters = 4});
    for (std::int64_t i = 0; i < x.rows; ++i) {
      ASSERT_EQ(fit.labels[static_cast<std::size_t>(i)],
                testing_support::nearest_centroid<float>(x.view().row(i),
                                                         std::as_const(fit.centroids).view()))
          << "scale " << scale;
    }
    EXPECT_LT(fit.rechecked, 300) << "the filter's scale is lost at " << scale;
  }
}

TEST(KMeansCpu, AssignGivesLabelsAndInertiaOfTheFit) {
  const auto x = make_rows<float>(777, 4);
  const auto fit = kmeans<float>(x.view(), {.clusters = 5});
  const auto again = assign<float>(x.view(), std::as_const(fit.centroids).view());
  EXPECT_EQ(again.labels, fit.labels);
  EXPECT_EQ(again.inertia, fit.inertia);
}

TEST(KMeansCpu, RowsOnBisectorsAreDecidedCanonically) {
  // Midpoints of two centroids: float32 alone cannot tell which one is nearer.
  for (const std::int64_t cols : {3, 16, 33}) {
    const auto centroids = make_rows<float>(12, cols, Shape::Blobs, 3);
    Matrix<float> x(66, cols);
    std::int64_t row = 0;
    for (std::int64_t a = 0; a < 12; ++a) {
      for (std::int64_t b = 0; b < a; ++b, ++row) {
        for (std::int64_t j = 0; j < cols; ++j) {
          x.view()(row, j) = (centroids.view()(a, j) + centroids.view()(b, j)) / 2;
        }
      }
    }
    const auto assignment = assign<float>(std::as_const(x).view(), centroids.view());
    for (std::int64_t i = 0; i < x.rows; ++i) {
      ASSERT_EQ(assignment.labels[static_cast<std::size_t>(i)],
                testing_support::nearest_centroid<float>(x.view().row(i), centroids.view()))
          << "row " << i << ", " << cols << " columns";
    }
  }
}

TEST(KMeansCpu, PlusPlusPicksDistinctRowsAndIsAPrefix) {
  const auto x = make_rows<float>(500, 3);
  const auto ten = kmeans_plusplus<float>(x.view(), {.clusters = 10, .trials = 3, .seed = 4});
  const auto six = kmeans_plusplus<float>(x.view(), {.clusters = 6, .trials = 3, .seed = 4});
  EXPECT_EQ(std::set<std::int64_t>(ten.begin(), ten.end()).size(), 10u);
  EXPECT_TRUE(std::equal(six.begin(), six.end(), ten.begin()));
}

TEST(KMeansCpu, AnInterruptionAbandonsTheFit) {
  const auto x = make_rows<float>(5000, 4);
  Context ctx;
  int polls = 0;
  ctx.interrupted = [&polls] { return ++polls > 3; };
  EXPECT_THROW(kmeans<float>(x.view(), {.clusters = 8, .tolerance = 0}, ctx), Interrupted);
}

// Sanitizers reserve more addresses than the limit allows.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/// 20,000 fits at once of 50,000 rows, in a process that may have 2 GB: their labels need 4 GB.
[[noreturn]] void run_out_of_memory() {
  const auto x = make_rows<float>(50'000, 1);
  const rlimit limit{.rlim_cur = std::size_t{2} << 30, .rlim_max = std::size_t{2} << 30};
  setrlimit(RLIMIT_AS, &limit);
  const MatrixView<const float> start{x.values.data(), 1, 1, 1};
  const KMeansModel<float> model{.clusters = 1, .starts = {20'000, start}};
  try {
    kmeans_sweep<float>(x.view(), {&model, 1}, {});
  } catch (const OutOfMemory& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(0);
  }
  std::_Exit(1);
}

TEST(KMeansCpuDeathTest, WhenMemoryRunsOutTheMessageSaysHowMuchIsNeeded) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(run_out_of_memory(), ::testing::ExitedWithCode(0),
              "20000 fits at once.*needs at least 4000400000 bytes.*fewer restarts");
}
#endif

TEST(KMeansCpu, BadInputNamesArgumentLimitAndValue) {
  auto x = make_rows<float>(10, 2);
  const auto fit = [&x](const KMeansParams& params) {
    return error_of([&] { kmeans<float>(x.view(), params); });
  };
  EXPECT_THAT(fit({.clusters = 11}), HasSubstr("clusters must be in [1, 10], got 11"));
  EXPECT_THAT(fit({.clusters = 0}), HasSubstr("clusters must be in [1, 10], got 0"));
  EXPECT_THAT(fit({.restarts = 0}), HasSubstr("restarts must be at least 1, got 0"));
  EXPECT_THAT(fit({.max_iterations = 0}), HasSubstr("max_iterations must be at least 1, got 0"));
  EXPECT_THAT(fit({.tolerance = -1}), HasSubstr("tolerance must be finite and at least 0, got -1"));
  const std::vector<double> negative{1, 1, 1, -2, 1, 1, 1, 1, 1, 1}, zeros(10, 0.0), three(3, 1.0);
  EXPECT_THAT(fit({.weights = negative}), HasSubstr("got -2 at row 3"));
  EXPECT_THAT(fit({.weights = zeros}), HasSubstr("only zeros"));
  EXPECT_THAT(fit({.weights = three}), HasSubstr("each of 10 rows, got 3"));
  x.values[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(fit({.clusters = 2}), HasSubstr("row 3, column 1"));
}

TEST(KMeansCpu, WhatFloat64CannotHoldIsAnErrorNotAWrongResult) {
  const auto fit = [](std::vector<double> x, std::vector<double> weights) {
    return error_of([&] {
      kmeans<double>({x.data(), static_cast<std::int64_t>(x.size()), 1, 1},
                     {.clusters = 1, .weights = weights});
    });
  };
  EXPECT_THAT(fit({-1e200, 1e200}, {}), HasSubstr("overflow"));
  EXPECT_THAT(fit(std::vector<double>(500, 1e153), {}), HasSubstr("no error"));
  std::vector<double> sum_overflows(500, 1e153);
  sum_overflows[0] = -1e153;  // each squared distance is finite, their sum may not be
  EXPECT_THAT(fit(sum_overflows, {}), HasSubstr("overflow"));
  EXPECT_THAT(fit({0, 0.1}, {1.7e308, 1.7e308}), HasSubstr("overflow"));
  EXPECT_THAT(fit({0, 1}, {1e-320, 1e-320}), HasSubstr("at least 1e-280, got at most 9.99"));
  EXPECT_THAT(error_of([] {
                const std::array x{0.0, 1e10}, centroids{1e200, 0.0};
                assign<double>({x.data(), 2, 1, 1}, {centroids.data(), 2, 1, 1});
              }),
              HasSubstr("centroids lie too far from x"));
}

TEST(KMeansValues, ConstantColumnsOfAnyMagnitudeKeepTheirValue) {
  for (const double value : {2.8678362591193127e-08, 5.213307786402108e-08, 1e-200, 0.1, 3e200}) {
    SCOPED_TRACE(value);
    const std::vector<double> x(282, value);
    const auto fit = kmeans<double>({x.data(), 282, 1, 1}, {.clusters = 2});
    EXPECT_THAT(fit.centroids.values, testing::Each(value));
    EXPECT_THAT(fit.labels, testing::Each(0));
    EXPECT_EQ(fit.inertia, 0);
  }
}

}  // namespace
}  // namespace coterie
