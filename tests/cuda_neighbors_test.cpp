// The passes over neighbours on the GPU against what their definitions say, bit for bit. On the
// CUDA-on-CPU layer in every order of threads; on a GPU the order changes nothing.
#include <cmath>
#include <memory>
#include <numbers>

#include "core/device.hpp"
#include "cuda_test.hpp"
#include "neighbors_by_definition.hpp"
#include "rows.hpp"

namespace coterie {
namespace {

using testing_support::core_by_definition;
using testing_support::CudaTest;
using testing_support::ListedRows;
using testing_support::make_rows;
using testing_support::nearest_by_definition;
using testing_support::normal_rows;
using testing_support::roots_by_definition;
using testing_support::Rows;
using testing_support::RowsInReach;
using testing_support::Shape;
using testing_support::within_by_definition;

class CudaNeighbors : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaNeighbors);

constexpr PairMetric kEuclidean = {};

template <class T>
std::unique_ptr<NeighborPasses<T>> passes_of(MatrixView<const T> x, const PairMetric& metric) {
  return device_table(Device::Cuda).functions<T>().neighbors(x, metric, Device::Cuda);
}

/// What DBSCAN asks for.
template <class T>
void expect_components(MatrixView<const T> x, const PairMetric& metric, double radius, double least,
                       std::span<const double> weights = {}) {
  const double key = key_of(metric, radius);
  const auto size = static_cast<std::size_t>(x.rows);
  std::vector<std::uint8_t> core(size, 7);
  std::vector<std::int32_t> roots(size, -7);
  const auto passes = passes_of(x, metric);
  passes->find_core(key, weights, least, core, Device::Cuda);
  const auto expected = core_by_definition(x, metric, key, weights, least);
  ASSERT_EQ(core, expected) << x.rows << " x " << x.cols << ", radius " << radius;
  passes->connect(key, core, roots, Device::Cuda);
  ASSERT_EQ(roots, roots_by_definition<T>(x, metric, key, expected))
      << x.rows << " x " << x.cols << ", radius " << radius;
}

/// What neighbour queries ask for.
template <class T>
void expect_queries(MatrixView<const T> x, MatrixView<const T> queries, const PairMetric& metric,
                    double radius, std::int64_t k) {
  const auto passes = passes_of(x, metric);
  const auto size = static_cast<std::size_t>(queries.rows * k);
  ListedRows found{std::vector<std::int64_t>(size), std::vector<double>(size)};
  passes->nearest(queries, k, found.rows, found.keys, Device::Cuda);
  ASSERT_EQ(found, nearest_by_definition(x, queries, metric, k, false)) << x.rows << ", " << k;

  const RowsInReach expected = within_by_definition(x, queries, metric, key_of(metric, radius));
  std::vector<std::int64_t> counts(static_cast<std::size_t>(queries.rows));
  passes->count_within(queries, key_of(metric, radius), counts, Device::Cuda);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    ASSERT_EQ(counts[i], expected.starts[i + 1] - expected.starts[i]);
  }
  ListedRows listed{std::vector<std::int64_t>(expected.listed.rows.size()),
                    std::vector<double>(expected.listed.rows.size())};
  const auto starts = std::span(expected.starts).first(counts.size());
  passes->list_within(queries, key_of(metric, radius), starts, listed.rows, listed.keys,
                      Device::Cuda);
  ASSERT_EQ(listed, expected.listed) << x.rows << " x " << x.cols << ", radius " << radius;
}

template <class T>
void expect_others(MatrixView<const T> x, const PairMetric& metric, std::int64_t k) {
  const auto size = static_cast<std::size_t>(x.rows * k);
  ListedRows found{std::vector<std::int64_t>(size), std::vector<double>(size)};
  passes_of(x, metric)->nearest_others(k, found.rows, found.keys, Device::Cuda);
  ASSERT_EQ(found, nearest_by_definition(x, x, metric, k, true)) << x.rows << ", " << k;
}

template <class T>
void components_at_all_sizes() {
  const auto run = [](std::int64_t rows, std::int64_t cols) {
    const auto x = normal_rows<T>(rows, cols, 1, 0, cols % 2);
    const double radius = cols == 1 ? 0.01 : cols < 4 ? 0.2 * cols : 1.1 * std::sqrt(cols);
    expect_components<T>(x.view(), kEuclidean, radius, 4);
  };
  for (const std::int64_t rows : {1, 31, 32, 33}) run(rows, 2);
  for (const std::int64_t cols : {1, 2, 3, 5, 17, 40}) run(210, cols);
}

TEST_P(CudaNeighbors, ComponentsFollowTheDefinitionAtAllSizes) {
  components_at_all_sizes<float>();
  components_at_all_sizes<double>();
}

TEST_P(CudaNeighbors, ComponentsOfALargerTree) {
  const auto x = normal_rows<float>(1500, 2, 2);  // two levels of boxes
  expect_components<float>(x.view(), kEuclidean, 0.08, 5);
  expect_components<float>(x.view(), kEuclidean, 0.5, 200);
}

template <class T>
void ties_and_duplicates(std::int64_t cols) {
  for (const Shape shape :
       {Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups, Shape::Duplicates}) {
    const Matrix<T> x = make_rows<T>(170, cols, shape);
    for (const double radius : {1.0, std::sqrt(2.0), 2.5}) {
      expect_components<T>(x.view(), kEuclidean, radius, 6);
    }
    expect_queries<T>(x.view(), x.view(), kEuclidean, 1, 9);
    expect_others<T>(x.view(), kEuclidean, 9);
  }
}

TEST_P(CudaNeighbors, TiesDuplicatesAndOffsetsAreDecidedByTheKeys) {
  ties_and_duplicates<float>(2);
  ties_and_duplicates<double>(4);
}

TEST_P(CudaNeighbors, RadiusThatIsADistanceIncludesIt) {
  const auto x = normal_rows<double>(70, 3, 3, 1e6);
  for (const std::int64_t j : {1, 7, 33}) {
    const double key = squared_distance(x.view().row(0), x.view().row(j), 3);
    std::vector<std::int64_t> counts(70);
    passes_of<double>(x.view(), kEuclidean)->count_within(x.view(), key, counts, Device::Cuda);
    const RowsInReach expected = within_by_definition(x.view(), x.view(), kEuclidean, key);
    for (std::size_t i = 0; i < 70; ++i) {
      EXPECT_EQ(counts[i], expected.starts[i + 1] - expected.starts[i]);
    }
  }
}

/// Whatever rows are core.
void expect_roots(MatrixView<const float> x, double key, const std::vector<std::uint8_t>& core) {
  std::vector<std::int32_t> roots(core.size(), -7);
  passes_of<float>(x, kEuclidean)->connect(key, core, roots, Device::Cuda);
  EXPECT_EQ(roots, roots_by_definition<float>(x, kEuclidean, key, core));
}

TEST_P(CudaNeighbors, BorderRowsTakeTheSmallestOfSeveralRoots) {
  const auto x = normal_rows<float>(250, 2, 13);
  std::vector<std::uint8_t> core(250);
  for (std::size_t i = 0; i < core.size(); ++i) core[i] = i * i % 7 < 3;
  for (const double key : {1e-3, 0.02, 0.3}) expect_roots(x.view(), key, core);
  expect_roots(x.view(), 0.02, std::vector<std::uint8_t>(250, 0));
}

TEST_P(CudaNeighbors, BorderRowsKeepASmallerRootWhenAWholeBoxIsNear) {
  // Balls of core rows at 0, 1 and 3. Of the two rows between the first balls one reaches both.
  Rows<float> x(1024 + 512 + 100 + 2, 1);
  std::vector<std::uint8_t> core(static_cast<std::size_t>(x.rows), 1);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const float ball = i < 1024 ? 0 : i < 1536 ? 1 : 3;
    x(i, 0) = ball + 1e-6F * static_cast<float>(i % 97);
  }
  x(x.rows - 2, 0) = 0.45F;
  x(x.rows - 1, 0) = 0.7F;
  core[core.size() - 2] = core[core.size() - 1] = 0;
  expect_roots(x.view(), 0.36, core);
}

TEST_P(CudaNeighbors, OnePointManyTimesIsOneComponent) {
  Rows<float> x(1100, 2);
  std::ranges::fill(x.values, 0.1F);
  expect_components<float>(x.view(), kEuclidean, 1e-3, 1100);
  expect_components<float>(x.view(), kEuclidean, 1e-3, 1101);
  Rows<float> some(3, 2);
  some.values = {0.1F, 0.1F, 0, 0, 0.1F, 0.2F};
  expect_queries<float>(x.view(), some.view(), kEuclidean, 0.1, 40);
}

TEST_P(CudaNeighbors, WeightsAreSummedExactly) {
  const auto x = normal_rows<float>(200, 2, 4);
  std::vector<double> weights(200, 0.1);  // ten of them make 1
  expect_components<float>(x.view(), kEuclidean, 0.4, 1, weights);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = i % 3 == 0 ? -0.5 : 1.5;
  expect_components<float>(x.view(), kEuclidean, 0.4, 4, weights);
  expect_components<float>(x.view(), kEuclidean, 9, 4, weights);
  std::ranges::fill(weights, 0.0);
  expect_components<float>(x.view(), kEuclidean, 0.4, 1, weights);
}

TEST_P(CudaNeighbors, WeightsOfWholeBoxesCountAtOnce) {
  Rows<double> x(1100, 2);
  for (std::int64_t i = 0; i < x.rows; ++i) x(i, 0) = x(i, 1) = static_cast<double>(i % 5) * 1e-4;
  std::vector<double> weights(1100);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<double>(i % 7) - 2.5;
  const double sum = [&] {
    long double all = 0;
    for (const double weight : weights) all += weight;
    return static_cast<double>(all);
  }();
  expect_components<double>(x.view(), kEuclidean, 1, sum, weights);
  expect_components<double>(x.view(), kEuclidean, 1, sum + 0.25, weights);
}

template <class T>
void queries_at_all_sizes() {
  const auto run = [](std::int64_t rows, std::int64_t cols) {
    const auto x = normal_rows<T>(rows, cols, 5, 0, 1), queries = normal_rows<T>(37, cols, 6, 0.5);
    const double radius = cols < 4 ? 0.3 : std::sqrt(cols);
    expect_queries<T>(x.view(), queries.view(), kEuclidean, radius,
                      std::min<std::int64_t>(rows, 7));
    if (rows > 1) expect_others<T>(x.view(), kEuclidean, std::min<std::int64_t>(rows - 1, 3));
  };
  for (const std::int64_t rows : {1, 31, 32, 33}) run(rows, 2);
  for (const std::int64_t cols : {1, 3, 5, 17, 40}) run(130, cols);
  const auto x = normal_rows<T>(90, 4, 7);
  expect_queries<T>(x.view(), x.view(), kEuclidean, 100, 90);
}

TEST_P(CudaNeighbors, QueriesFollowTheDefinitionAtAllSizes) {
  queries_at_all_sizes<float>();
  queries_at_all_sizes<double>();
}

TEST_P(CudaNeighbors, QueriesFarFromTheRows) {
  const auto x = normal_rows<double>(100, 3, 8);
  Rows<double> queries(4, 3);
  queries.values = {1e9, 0, 0, 1e30, 1e30, 0, -1e4, 1, 2, 0, 0, 0};
  expect_queries<double>(x.view(), queries.view(), kEuclidean, 1e9, 5);
}

template <class T>
void all_metrics(std::int64_t cols) {
  const auto x = normal_rows<T>(130, cols, 10), queries = normal_rows<T>(35, cols, 11);
  for (const auto& [metric, radius] : std::initializer_list<std::pair<PairMetric, double>>{
           {{NeighborMetric::Manhattan}, 0.8 * static_cast<double>(cols)},
           {{NeighborMetric::Chebyshev}, 0.7},
           {{NeighborMetric::Minkowski, 3}, 0.9},
           {{NeighborMetric::Minkowski, 1.5}, 1.1},
           {{NeighborMetric::Minkowski, 0.5}, 3},
           {{NeighborMetric::Cosine}, 0.05},
           {{NeighborMetric::Cosine}, 2}}) {
    expect_components<T>(x.view(), metric, radius, 4);
    expect_queries<T>(x.view(), queries.view(), metric, radius, 5);
    expect_others<T>(x.view(), metric, 5);
  }
}

TEST_P(CudaNeighbors, AllMetricsFollowTheirKeys) {
  all_metrics<float>(2);
  all_metrics<double>(6);
}

TEST_P(CudaNeighbors, HaversineFollowsItsKeysRoundTheSphere) {
  auto places = normal_rows<double>(140, 2, 12);
  for (std::int64_t i = 0; i < places.rows; ++i) places(i, 1) *= 3;  // past the date line
  places(5, 0) = places(6, 0) = std::numbers::pi / 2;                // the pole, from two sides
  const PairMetric haversine{NeighborMetric::Haversine};
  for (const double radius : {0.05, 0.5, 3.0, 4.0}) {
    expect_components<double>(places.view(), haversine, radius, 4);
    expect_queries<double>(places.view(), places.view(), haversine, radius, 5);
  }
}

TEST_P(CudaNeighbors, CallerMayStopBetweenLaunches) {
  const auto x = normal_rows<float>(100, 2, 9);
  const auto passes = passes_of<float>(x.view(), kEuclidean);
  Context context = Device::Cuda;
  context.interrupted = [] { return true; };
  std::vector<std::uint8_t> core(100, 1);
  std::vector<std::int32_t> roots(100);
  EXPECT_THROW(passes->find_core(1, {}, 3, core, context), Interrupted);
  EXPECT_THROW(passes->connect(1, core, roots, context), Interrupted);
}

}  // namespace
}  // namespace coterie
