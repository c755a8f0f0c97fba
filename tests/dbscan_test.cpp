// DBSCAN by its definition: what the passes find, the numbers of the clusters, and given distances.
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
#include "testing.hpp"

namespace coterie {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::make_rows;
using testing_support::Shape;

using Near = std::vector<std::vector<std::int64_t>>;  // whom each row has within eps

/// Core rows, and clusters that grow from them in ascending order along their neighbours.
DbscanResult by_definition(const Near& near, double least,
                           const std::vector<double>& weights = {}) {
  DbscanResult result{std::vector<std::int32_t>(near.size(), -1), {}};
  std::vector<bool> core(near.size());
  for (std::size_t i = 0; i < near.size(); ++i) {
    long double sum = 0;
    for (const std::int64_t j : near[i]) {
      sum += weights.empty() ? 1 : weights[static_cast<std::size_t>(j)];
    }
    core[i] = static_cast<double>(sum) >= least;
    if (core[i]) result.core_rows.push_back(static_cast<std::int64_t>(i));
  }
  for (const std::int64_t seed : result.core_rows) {
    if (result.labels[static_cast<std::size_t>(seed)] >= 0) continue;
    const auto label = static_cast<std::int32_t>(result.clusters++);
    std::vector<std::int64_t> reached{seed};
    while (!reached.empty()) {
      const auto i = static_cast<std::size_t>(reached.back());
      reached.pop_back();
      if (result.labels[i] >= 0) continue;
      result.labels[i] = label;
      if (core[i]) reached.insert(reached.end(), near[i].begin(), near[i].end());
    }
  }
  return result;
}

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

void expect_equal(const DbscanResult& found, const DbscanResult& expected) {
  EXPECT_EQ(found.labels, expected.labels);
  EXPECT_EQ(found.core_rows, expected.core_rows);
  EXPECT_EQ(found.clusters, expected.clusters);
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

/// Uniform in [0, 1), and not symmetric; the diagonal is 0 in every second matrix.
Matrix<float> some_distances(std::int64_t rows, std::uint64_t seed) {
  Matrix<float> distances(rows, rows);
  for (std::int64_t i = 0; i < rows * rows; ++i) {
    const double u = random_unit(
        {.seed = seed, .purpose = Purpose::Sample, .row = static_cast<std::uint64_t>(i)});
    const bool zero = seed % 2 == 0 && i % (rows + 1) == 0;
    distances.values[static_cast<std::size_t>(i)] = zero ? 0 : static_cast<float>(u);
  }
  return distances;
}

struct Graph {
  std::vector<std::int64_t> starts{0}, columns;
  std::vector<double> distances;

  operator DistanceGraph() const { return {starts, columns, distances}; }
};

TEST(DbscanOfDistances, ReadsThemAlongTheRows) {
  for (const std::int64_t rows : {1, 2, 33, 65, 130}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const Matrix<float> distances = some_distances(rows, seed);
      const double eps = 2.0 / static_cast<double>(rows);
      Near near(static_cast<std::size_t>(rows)), in_graph = near;
      Graph graph;
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < rows; ++j) {
          const double distance = distances.view()(i, j);
          const bool entry = i != j && distance < 2 * eps;  // no row has one for itself
          if (distance <= eps) near[static_cast<std::size_t>(i)].push_back(j);
          if (i == j || (entry && distance <= eps)) {
            in_graph[static_cast<std::size_t>(i)].push_back(j);
          }
          if (!entry) continue;
          graph.columns.push_back(j);
          graph.distances.push_back(distance);
        }
        graph.starts.push_back(static_cast<std::int64_t>(graph.columns.size()));
      }
      std::vector<double> weights(static_cast<std::size_t>(rows), 1);
      weights.back() = seed % 3 == 0 ? -1 : 2;
      for (const std::int64_t least : {1, 2, 3}) {
        const DbscanParams params{.eps = eps, .min_samples = least};
        const auto limit = static_cast<double>(least);
        expect_equal(dbscan_precomputed<float>(distances.view(), weights, params),
                     by_definition(near, limit, weights));
        expect_equal(dbscan_precomputed(graph, weights, params),
                     by_definition(in_graph, limit, weights));
      }
    }
  }
}

TEST(DbscanOfDistances, GrowsClustersInAscendingOrder) {
  // Row 0 does not reach row 1, which reaches row 0, but comes second.
  const std::array distances{0., 9., 9., 1., 0., 9., 9., 1., 0.};
  const DbscanResult found =
      dbscan_precomputed<double>({distances.data(), 3, 3, 3}, {}, {.eps = 1, .min_samples = 1});
  EXPECT_THAT(found.labels, ElementsAre(0, 1, 2));
}

TEST(DbscanOfDistances, TakeARowForItsNeighbourUnlessToldOtherwise) {
  Graph graph{.starts = {0, 0, 1}, .columns = {1}, .distances = {5}};
  const DbscanResult found = dbscan_precomputed(graph, {}, {.eps = 1, .min_samples = 1});
  EXPECT_THAT(found.labels, ElementsAre(0, -1));
  EXPECT_THAT(found.core_rows, ElementsAre(0));
}

TEST(DbscanOfDistances, ReportsProgressAndCanBeInterrupted) {
  const Matrix<float> distances = some_distances(100, 0);
  std::int64_t last = 0;
  Context ctx;
  ctx.progress = [&](const Progress& progress) { last = progress.steps - progress.step; };
  dbscan_precomputed<float>(distances.view(), {}, {.eps = 0.5}, ctx);
  EXPECT_EQ(last, 0);
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(dbscan_precomputed<float>(distances.view(), {}, {.eps = 0.5}, ctx), Interrupted);
}

TEST(DbscanOfDistances, NamesWhatIsWrong) {
  const auto of_matrix = [](MatrixView<const double> distances) {
    return message([&] { dbscan_precomputed<double>(distances); });
  };
  const std::array<double, 6> values{0, 1, 2, -3, 0, 1};
  EXPECT_EQ(of_matrix({values.data(), 2, 3, 3}), "distances must be a square matrix, got 2 x 3");
  EXPECT_EQ(of_matrix({values.data(), 2, 2, 3}),
            "distances must be at least 0, got -3 in row 1, column 0");
  const auto of_graph = [](const Graph& graph) {
    return message([&] { dbscan_precomputed(graph); });
  };
  EXPECT_THAT(of_graph({{0}, {}, {}}), HasSubstr("starts must have at least 2 values, got 1"));
  EXPECT_THAT(of_graph({{0, 2, 1}, {0}, {1}}), HasSubstr("starts must ascend from 0 to"));
  EXPECT_THAT(of_graph({{0, 1}, {1}, {1}}), HasSubstr("columns must be in [0, 0], got 1"));
  EXPECT_THAT(of_graph({{0, 1}, {0}, {}}), HasSubstr("one value for each of 1 columns, got 0"));
  EXPECT_THAT(of_graph({{0, 1}, {0}, {-1}}), HasSubstr("finite and at least 0, got -1"));
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
