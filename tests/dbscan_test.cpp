// DBSCAN by its definition: what the passes find, and the numbers of the clusters.
#include "coterie/dbscan.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/contract/neighbor_metric.hpp"
#include "dbscan_by_definition.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::by_definition;
using testing_support::expect_equal;
using testing_support::make_rows;
using testing_support::message;
using testing_support::Near;
using testing_support::Shape;

template <class T>
Near neighbors_of(const Matrix<T>& x, const NeighborParams& params, double eps) {
  const PairMetric metric{params.metric, params.p};
  Near near(static_cast<std::size_t>(x.rows));
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.rows; ++j) {
      const bool within =
          i == j || key(metric, x.view().row(i), x.view().row(j), x.cols) <= key_of(metric, eps);
      if (within) near[static_cast<std::size_t>(i)].push_back(j);
    }
  }
  return near;
}

Matrix<double> column(std::vector<double> values) {
  Matrix<double> x(static_cast<std::int64_t>(values.size()), 1);
  x.values = std::move(values);
  return x;
}

class Dbscan : public testing_support::DeviceTest {
 protected:
  template <class T>
  void expect_right(const Matrix<T>& x, const DbscanParams& params,
                    const std::vector<double>& weights = {}) {
    const Near near = neighbors_of(x, params.neighbors, params.eps);
    SCOPED_TRACE(std::to_string(x.rows) + " x " + std::to_string(x.cols) + ", eps " +
                 std::to_string(params.eps));
    expect_equal(dbscan<T>(x.view(), weights, params, GetParam()),
                 by_definition(near, static_cast<double>(params.min_samples), weights));
  }
};

TEST_P(Dbscan, NumbersClustersByTheirSmallestCoreRow) {
  const Matrix<double> x = column({90, 0, 91, 1, 50, 92, 2});
  const DbscanResult found = dbscan<double>(x.view(), {}, {.eps = 1, .min_samples = 3}, GetParam());
  EXPECT_THAT(found.labels, ElementsAre(0, 1, 0, 1, -1, 0, 1));
  EXPECT_THAT(found.core_rows, ElementsAre(2, 3));
  EXPECT_EQ(found.clusters, 2);
}

TEST_P(Dbscan, GivesARowBetweenTwoClustersTheSmallerNumber) {
  const Matrix<double> x = column({0, 92, 92.5, 93, 93.5, -2, -2.5, -3, -3.5, 2, 2.5, 3, 3.5});
  const DbscanResult found = dbscan<double>(x.view(), {}, {.eps = 2, .min_samples = 4}, GetParam());
  EXPECT_THAT(found.labels, ElementsAre(1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2));
  EXPECT_EQ(found.core_rows.front(), 1);
}

TEST_P(Dbscan, IsRightAtAwkwardSizes) {
  for (const std::int64_t rows : {1, 2, 31, 32, 33, 65, 1025}) {
    for (const std::int64_t cols : {1, 2, 3, 17}) {
      for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::Duplicates}) {
        if (rows > 65 && cols > 3) continue;
        const DbscanParams params{.eps = shape == Shape::Integers ? 1 : 0.4 * std::sqrt(cols),
                                  .min_samples = 4};
        expect_right(make_rows<float>(rows, cols, shape), params);
        if (rows < 1025) expect_right(make_rows<double>(rows, cols, shape), params);
      }
    }
  }
}

TEST_P(Dbscan, AddsWeightsExactlyAndTakesNegativeOnes) {
  const auto x = make_rows<float>(200, 2);
  std::vector<double> weights(200);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.25 * (i * 7 % 11) - 0.75;
  expect_right(x, {.eps = 0.7, .min_samples = 4}, weights);
  const Matrix<double> same = column(std::vector<double>(10));
  const std::vector<double> tenths(10, 0.1);
  EXPECT_THAT(dbscan<double>(same.view(), tenths, {.min_samples = 1}, GetParam()).labels, Each(0));
  EXPECT_THAT(dbscan<double>(same.view(), tenths, {.min_samples = 2}, GetParam()).labels, Each(-1));
}

TEST_P(Dbscan, OneHugeWeightTakesNothingFromTheOthers) {
  const Matrix<double> x = column({0, 0, 0, 0, 0, 100});
  const std::vector<double> weights{1, 1, 1, 1, 1, 1e35};
  const auto found = dbscan<double>(x.view(), weights, {.min_samples = 5}, GetParam());
  EXPECT_THAT(found.labels, ElementsAre(0, 0, 0, 0, 0, 1));
}

TEST_P(Dbscan, IsRightByEveryMetric) {
  Matrix<float> x = make_rows<float>(150, 2);
  for (float& value : x.values) value *= 0.1F;
  expect_right(x, {0.1, 4, {NeighborMetric::Manhattan}});
  expect_right(x, {0.07, 4, {NeighborMetric::Chebyshev}});
  expect_right(x, {0.08, 4, {NeighborMetric::Minkowski, 3.5}});
  expect_right(x, {0.12, 4, {NeighborMetric::Minkowski, 0.5}});
  expect_right(x, {0.001, 4, {NeighborMetric::Cosine}});
  expect_right(x, {0.08, 4, {NeighborMetric::Haversine}});
}

TEST_P(Dbscan, KeepsRowsOfZerosAtTheCosineDistanceOne) {
  Matrix<double> x = make_rows<double>(40, 3);
  for (const std::int64_t zero : {0, 13, 14, 39}) std::fill_n(x.view().row(zero), 3, 0.0);
  std::vector<double> weights(40, 1);
  weights[13] = 5;
  weights[20] = -4;
  for (const double eps : {0.01, 0.999, 1.0, 1.5, 3.0}) {
    for (const std::int64_t least : {1, 5, 37, 40, 41}) {
      expect_right(x, {eps, least, {NeighborMetric::Cosine}});
      expect_right(x, {eps, least, {NeighborMetric::Cosine}}, weights);
    }
  }
  const Matrix<double> nothing(3, 2);
  expect_right(nothing, {0.5, 1, {NeighborMetric::Cosine}});
  expect_right(nothing, {1, 3, {NeighborMetric::Cosine}});
}

TEST_P(Dbscan, IsTheSameForAnyNumberOfThreads) {
  const auto x = make_rows<float>(3000, 3);
  std::vector<DbscanResult> found;
  for (const int threads : {1, 2, 7}) {
    Context ctx = GetParam();
    ctx.threads = threads;
    found.push_back(dbscan<float>(x.view(), {}, {.eps = 0.2}, ctx));
  }
  expect_equal(found[1], found[0]);
  expect_equal(found[2], found[0]);
  EXPECT_GT(found[0].clusters, 3);
}

TEST_P(Dbscan, CanBeInterrupted) {
  const auto x = make_rows<float>(3000, 3);
  Context ctx = GetParam();
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(dbscan<float>(x.view(), {}, {.eps = 0.2}, ctx), Interrupted);
}

TEST_P(Dbscan, PredictsTheLabelOfTheNearestCoreRow) {
  const Matrix<double> core = column({92, 3, -3, 93});
  const std::vector<std::int32_t> labels{0, 2, 1, 0};
  const DbscanPredictor<double> predictor(core.view(), labels, {.eps = 3}, GetParam());
  const Matrix<double> queries = column({0, 0.5, -0.5, 96, std::nextafter(96, 97)});
  EXPECT_THAT(predictor.predict(queries.view()), ElementsAre(1, 2, 1, 0, -1));
}

INSTANTIATE_TEST_SUITE_P(Devices, Dbscan, ::testing::Values(Device::Cpu, Device::Cuda),
                         testing_support::device_name);

TEST(DbscanErrors, NameArgumentLimitAndValue) {
  const auto x = make_rows<double>(4, 2);
  const auto with = [&](const DbscanParams& params, const std::vector<double>& weights = {}) {
    return message([&] { dbscan<double>(x.view(), weights, params); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(with({.eps = 0}), "eps must be above 0, got 0");
  EXPECT_EQ(with({.eps = nan}), "eps must be above 0, got nan");
  EXPECT_EQ(with({.min_samples = 0}), "min_samples must be at least 1, got 0");
  EXPECT_EQ(with({}, {1, 2}), "weights must have one value for each of 4 rows, got 2");
  EXPECT_EQ(with({}, {1, nan, 0, 0}), "weights must be finite, got nan at row 1");
  EXPECT_EQ(with({.neighbors = {NeighborMetric::Minkowski, 0}}),
            "p must be finite and above 0, got 0");
  auto bad = x;
  bad.view()(2, 1) = nan;
  EXPECT_EQ(message([&] { dbscan<double>(std::as_const(bad).view()); }),
            "x must be finite, got NaN in row 2, column 1");
  const auto wide = make_rows<double>(4, 3);
  const DbscanParams haversine{.neighbors = {NeighborMetric::Haversine}};
  EXPECT_THAT(message([&] { dbscan<double>(wide.view(), {}, haversine); }),
              HasSubstr("must have 2 columns for haversine"));
  bad.view()(2, 1) = 2e6;
  EXPECT_THAT(message([&] { dbscan<double>(std::as_const(bad).view(), {}, haversine); }),
              HasSubstr("angles in radians"));
}

TEST(DbscanPredictorErrors, NameArgumentLimitAndValue) {
  const Matrix<double> core = column({1, 2});
  const std::array<std::int32_t, 2> labels{0, -1};
  const std::span<const std::int32_t> all(labels);
  const auto with = [&](std::span<const std::int32_t> given, const DbscanParams& params) {
    return message([&] { DbscanPredictor<double>(core.view(), given, params); });
  };
  EXPECT_EQ(with(all.first(1), {}), "labels must have one value for each of 2 core rows, got 1");
  EXPECT_EQ(with(all, {}), "labels of core rows must be at least 0, got -1 at row 1");
  EXPECT_EQ(with(all, {.eps = -1}), "eps must be above 0, got -1");
}

}  // namespace
}  // namespace coterie
