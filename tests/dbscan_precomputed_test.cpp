// DBSCAN from distances that are given, which need not be symmetric.
#include <gmock/gmock.h>

#include <array>
#include <string>
#include <vector>

#include "core/contract/random.hpp"
#include "dbscan_by_definition.hpp"

namespace coterie {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::by_definition;
using testing_support::expect_equal;
using testing_support::message;
using testing_support::Near;

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

}  // namespace
}  // namespace coterie
