#include "coterie/neighbors.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/contract/neighbor_metric.hpp"
#include "rows.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::normal_rows;
using testing_support::Rows;

constexpr NeighborParams kMetrics[] = {
    {NeighborMetric::Euclidean},      {NeighborMetric::Manhattan},     {NeighborMetric::Chebyshev},
    {NeighborMetric::Minkowski, 3},   {NeighborMetric::Cosine},        {NeighborMetric::Haversine},
    {NeighborMetric::Minkowski, 1.5}, {NeighborMetric::Minkowski, 0.5}};

std::string name_of(const NeighborParams& params) {
  return "metric " + std::to_string(static_cast<int>(params.metric)) + ", p " +
         std::to_string(params.p);
}

Context on_threads(int threads) {
  Context ctx = Device::Cpu;
  ctx.threads = threads;
  return ctx;
}

template <class T>
Rows<T> integer_rows(std::int64_t rows, std::int64_t cols, int values, std::uint64_t seed) {
  Rows<T> x(rows, cols, 1);
  std::mt19937_64 bits(seed);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      x(i, j) = static_cast<T>(bits() % static_cast<std::uint64_t>(values)) - T(1);
    }
  }
  return x;
}

struct Neighbor {
  double key;
  std::int64_t row;

  bool operator<(const Neighbor& other) const {
    return key < other.key || (key == other.key && row < other.row);
  }
};

/// All rows by definition, nearest first; `itself` is left out.
template <class T>
std::vector<Neighbor> all_neighbors(const Rows<T>& x, const T* query, const PairMetric& metric,
                                    std::int64_t itself) {
  std::vector<Neighbor> all;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    if (i != itself) all.push_back({key(metric, query, x.view().row(i), x.cols), i});
  }
  std::sort(all.begin(), all.end());
  return all;
}

template <class T>
void expect_nearest(const NearestRows& found, const Rows<T>& x, const Rows<T>& queries,
                    const PairMetric& metric, std::int64_t k, bool others,
                    const std::string& what) {
  ASSERT_EQ(found.rows.rows, queries.rows);
  ASSERT_EQ(found.rows.cols, k);
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    const auto all = all_neighbors(x, queries.view().row(i), metric, others ? i : -1);
    for (std::int64_t j = 0; j < k; ++j) {
      const Neighbor& expected = all[static_cast<std::size_t>(j)];
      ASSERT_EQ(found.rows.view()(i, j), expected.row) << what << ", query " << i << ", " << j;
      ASSERT_EQ(found.distances.view()(i, j), distance_of(metric, expected.key)) << what;
    }
  }
}

template <class T>
void expect_within(const RowsWithin& found, const Rows<T>& x, const Rows<T>& queries,
                   const PairMetric& metric, double radius, bool others, const std::string& what) {
  ASSERT_EQ(static_cast<std::int64_t>(found.starts.size()), queries.rows + 1);
  ASSERT_EQ(found.starts.front(), 0);
  ASSERT_EQ(found.starts.back(), static_cast<std::int64_t>(found.rows.size()));
  ASSERT_EQ(found.distances.size(), found.rows.size());
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    auto at = static_cast<std::size_t>(found.starts[static_cast<std::size_t>(i)]);
    for (std::int64_t j = 0; j < x.rows; ++j) {
      const double of_pair = key(metric, queries.view().row(i), x.view().row(j), x.cols);
      if (of_pair > key_of(metric, radius) || (others && i == j)) continue;
      ASSERT_LT(at, found.rows.size()) << what;
      ASSERT_EQ(found.rows[at], j) << what << ", query " << i;
      ASSERT_EQ(found.distances[at++], distance_of(metric, of_pair)) << what;
    }
    ASSERT_EQ(static_cast<std::int64_t>(at), found.starts[static_cast<std::size_t>(i) + 1])
        << what << ", query " << i;
  }
}

/// Everything that can be asked of x against the definition.
template <class T>
void expect_by_definition(const Rows<T>& x, const Rows<T>& queries, const NeighborParams& params,
                          std::initializer_list<std::int64_t> ks, const std::string& where) {
  const PairMetric metric{params.metric, params.p};
  const NearestNeighbors<T> tree(x.view(), params, on_threads(2));
  const std::string what =
      where + ", " + name_of(params) + ", " + std::to_string(x.rows) + "x" + std::to_string(x.cols);
  for (const std::int64_t k : ks) {
    const std::string of_k = what + ", k " + std::to_string(k);
    if (k <= x.rows) {
      expect_nearest(tree.nearest(queries.view(), k), x, queries, metric, k, false, of_k);
      expect_nearest(tree.nearest(x.view(), k), x, x, metric, k, false, of_k + ", of itself");
    }
    if (k < x.rows)
      expect_nearest(tree.nearest_others(k), x, x, metric, k, true, of_k + ", others");
  }
  // At an exact distance, just below it, and where nothing and everything is.
  const double distance =
      distance_of(metric, key(metric, queries.view().row(0), x.view().row(x.rows / 2), x.cols));
  for (const double radius : {0.0, distance, std::nextafter(distance, 0.0), 0.3 * distance, 1e9}) {
    if (radius > 1e6 && x.rows > 100) continue;
    const std::string of_radius = what + ", radius " + std::to_string(radius);
    expect_within(tree.within(queries.view(), radius), x, queries, metric, radius, false,
                  of_radius);
    expect_within(tree.others_within(radius), x, x, metric, radius, true, of_radius + ", others");
  }
}

template <class T>
class Neighbors : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Neighbors, Types);

TYPED_TEST(Neighbors, OfFourPointsOnALine) {
  Rows<TypeParam> x(4, 1);
  x.values = {0, 3, 1, 7};
  const NearestNeighbors<TypeParam> tree(x.view());
  const auto nearest = tree.nearest_others(2);
  EXPECT_THAT(nearest.rows.values, ::testing::ElementsAre(2, 1, 2, 0, 0, 1, 1, 2));
  EXPECT_THAT(nearest.distances.values, ::testing::ElementsAre(1, 3, 2, 3, 1, 2, 4, 6));
  const auto within = tree.within(x.view(), 2);
  EXPECT_THAT(within.starts, ::testing::ElementsAre(0, 2, 4, 7, 8));
  EXPECT_THAT(within.rows, ::testing::ElementsAre(0, 2, 1, 2, 0, 1, 2, 3));
  EXPECT_THAT(within.distances, ::testing::ElementsAre(0, 1, 0, 2, 1, 2, 0, 0));
}

TYPED_TEST(Neighbors, FollowTheDefinitionForEachMetric) {
  for (const NeighborParams& params : kMetrics) {
    const bool sphere = params.metric == NeighborMetric::Haversine;
    for (const std::int64_t rows : {1, 33, 100}) {
      for (const std::int64_t cols : {2, 17}) {
        if (sphere && cols != 2) continue;
        const auto x = normal_rows<TypeParam>(rows, cols, 1, 0, 2);
        const auto queries = normal_rows<TypeParam>(37, cols, 2, 0, 1);
        expect_by_definition(x, queries, params, {1, 5, 33, rows}, "normal");
      }
    }
  }
}

TYPED_TEST(Neighbors, FollowTheDefinitionAtManySizes) {
  for (const std::int64_t cols : {1, 3, 9, 33, 300}) {
    const auto x = normal_rows<TypeParam>(cols == 3 ? 1025 : 161, cols, 3);
    expect_by_definition(x, normal_rows<TypeParam>(33, cols, 4), {}, {1, 60}, "normal");
  }
}

TYPED_TEST(Neighbors, BreakTiesByTheLowerRow) {
  for (const NeighborParams& params : kMetrics) {
    for (const std::int64_t cols : {2, 5}) {
      if (params.metric == NeighborMetric::Haversine && cols != 2) continue;
      const auto x = integer_rows<TypeParam>(150, cols, 3, 5);  // with rows of zeros
      const auto queries = integer_rows<TypeParam>(40, cols, 4, 6);
      expect_by_definition(x, queries, params, {1, 40, 149, 150}, "integers");
    }
  }
}

TYPED_TEST(Neighbors, FarFromTheOriginAreStillExact) {
  for (const double offset : {1e6, -1e9}) {
    for (const NeighborParams& params : {kMetrics[0], kMetrics[1], kMetrics[2], kMetrics[3]}) {
      const auto x = normal_rows<TypeParam>(300, 3, 7, offset);
      const auto queries = normal_rows<TypeParam>(33, 3, 8, offset);
      expect_by_definition(x, queries, params, {4}, "offset " + std::to_string(offset));
    }
  }
}

TYPED_TEST(Neighbors, OfFarQueriesAndAllScales) {
  for (const double scale : {1e-30, 1e-4, 1e18}) {
    auto x = normal_rows<TypeParam>(200, 3, 9);
    for (auto& value : x.values) value = static_cast<TypeParam>(value * scale);
    auto queries = normal_rows<TypeParam>(40, 3, 10);
    for (std::int64_t i = 0; i < queries.rows; ++i) {
      const double reach = scale * std::pow(10.0, static_cast<double>(i % 18));
      for (std::int64_t j = 0; j < 3; ++j) {
        queries(i, j) = static_cast<TypeParam>(queries(i, j) * reach);
      }
    }
    expect_by_definition(x, queries, {}, {3}, "scale " + std::to_string(scale));
  }
}

TYPED_TEST(Neighbors, BesideOneFarRowAreStillExact) {
  auto x = normal_rows<TypeParam>(700, 3, 23);
  for (std::int64_t j = 0; j < 3; ++j) x(500, j) = TypeParam(1e15);
  expect_by_definition(x, normal_rows<TypeParam>(40, 3, 24), {}, {1, 9}, "beside a far row");
}

TYPED_TEST(Neighbors, OfOnePointManyTimesTakeNoTimeForAllPairs) {
  constexpr std::int64_t kMany = 100000, kApart = 40;
  Rows<TypeParam> x(kMany, 3);
  std::fill(x.values.begin(), x.values.end(), TypeParam(0.1));
  for (std::int64_t i = 0; i < kApart; ++i) x(i, 1) += static_cast<TypeParam>(i + 1);
  const NearestNeighbors<TypeParam> tree(x.view());
  const auto found = tree.nearest_others(5);
  for (std::int64_t i = 0; i < kApart; ++i) ASSERT_GT(found.distances.view()(i, 0), 0.5);
  for (std::int64_t i = kApart; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) {
      const std::int64_t first = kApart + j;  // the first five, but for itself
      ASSERT_EQ(found.rows.view()(i, j), first + (i <= first ? 1 : 0)) << i;
      ASSERT_EQ(found.distances.view()(i, j), 0);
    }
  }
}

/// Equally far from all its copies, a row must not ask each of them.
TYPED_TEST(Neighbors, NextToOnePointManyTimesTakeTheFirstOfIt) {
  Rows<TypeParam> x(30000, 3);
  std::fill(x.values.begin(), x.values.end(), TypeParam(0.1));
  const auto around = normal_rows<TypeParam>(64, 3, 20);
  for (std::int64_t i = 0; i < 64; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) x(400 * i + 5, j) = around(i, j);
  }
  const NearestNeighbors<TypeParam> tree(x.view());
  const auto found = tree.nearest_others(9);
  for (std::int64_t i = 0; i < 64; ++i) {
    const std::int64_t row = 400 * i + 5;
    const auto all = all_neighbors(x, x.view().row(row), {}, row);
    for (std::int64_t j = 0; j < 9; ++j) {
      ASSERT_EQ(found.rows.view()(row, j), all[static_cast<std::size_t>(j)].row) << i;
    }
  }
}

TYPED_TEST(Neighbors, AreTheSameForAnyNumberOfThreads) {
  for (const NeighborParams& params : kMetrics) {
    const auto x = normal_rows<TypeParam>(3000, 2, 11);
    const auto queries = normal_rows<TypeParam>(1000, 2, 12);
    const NearestNeighbors<TypeParam> tree(x.view(), params, on_threads(1));
    const auto nearest = tree.nearest(queries.view(), 7, on_threads(1));
    const auto within = tree.within(queries.view(), 0.2, on_threads(1));
    for (const int threads : {2, 7}) {
      const NearestNeighbors<TypeParam> other(x.view(), params, on_threads(threads));
      const auto more = other.nearest(queries.view(), 7, on_threads(threads));
      EXPECT_EQ(nearest.rows.values, more.rows.values);
      EXPECT_EQ(nearest.distances.values, more.distances.values);
      const auto more_within = other.within(queries.view(), 0.2, on_threads(threads));
      EXPECT_EQ(within.starts, more_within.starts);
      EXPECT_EQ(within.rows, more_within.rows);
      EXPECT_EQ(within.distances, more_within.distances);
    }
  }
}

TYPED_TEST(Neighbors, CanBeInterrupted) {
  const auto x = normal_rows<TypeParam>(3000, 2, 13);
  const NearestNeighbors<TypeParam> tree(x.view());
  Context ctx = Device::Cpu;
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(tree.nearest_others(3, ctx), Interrupted);
  EXPECT_THROW(tree.within(x.view(), 1, ctx), Interrupted);
  EXPECT_EQ(tree.nearest_others(3).rows.rows, 3000);  // and go on afterwards
  Context told = Device::Cpu;
  std::int64_t last = 0, steps = -1;
  told.progress = [&](const Progress& progress) {
    last = progress.step;
    steps = progress.steps;
  };
  tree.nearest_others(3, told);
  EXPECT_EQ(last, steps);
  last = 0;
  tree.others_within(0.1, told);
  EXPECT_EQ(last, steps);
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

TYPED_TEST(Neighbors, NameWhatIsWrong) {
  using Tree = NearestNeighbors<TypeParam>;
  auto x = normal_rows<TypeParam>(5, 3, 14);
  const auto narrow = normal_rows<TypeParam>(5, 2, 15);
  const Tree tree(x.view());
  EXPECT_EQ(message([&] { tree.nearest(x.view(), 0); }), "k must be in [1, 5], got 0");
  EXPECT_EQ(message([&] { tree.nearest(x.view(), 6); }), "k must be in [1, 5], got 6");
  EXPECT_EQ(message([&] { tree.nearest_others(5); }), "k must be in [1, 4], got 5");
  EXPECT_EQ(message([&] { tree.nearest(narrow.view(), 1); }),
            "queries must have x's 3 columns, got 2");
  EXPECT_EQ(message([&] { tree.within(x.view(), -1); }), "radius must be at least 0, got -1");
  EXPECT_EQ(message([&] { tree.others_within(std::nan("")); }),
            "radius must be at least 0, got nan");
  EXPECT_EQ(message([&] {
              Tree(x.view(), {NeighborMetric::Minkowski, 0});
            }),
            "p must be finite and above 0, got 0");
  EXPECT_EQ(message([&] { Tree(x.view(), {NeighborMetric::Haversine}); }),
            "x must have 2 columns for haversine, latitude and longitude, got 3");
  auto queries = x;
  queries(2, 1) = std::numeric_limits<TypeParam>::infinity();
  EXPECT_EQ(message([&] { tree.nearest(queries.view(), 1); }),
            "queries must be finite, got infinity in row 2, column 1");
}

TYPED_TEST(Neighbors, OfRowsOfZerosUnderCosineAreAtDistanceOne) {
  Rows<TypeParam> x(4, 2);
  x.values = {0, 0, 1, 0, 0, 0, -1, 0};
  const NearestNeighbors<TypeParam> tree(x.view(), {NeighborMetric::Cosine});
  const auto found = tree.nearest_others(3);
  EXPECT_THAT(found.rows.values, ::testing::ElementsAre(1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 2, 1));
  EXPECT_THAT(found.distances.values, ::testing::ElementsAre(1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2));
  EXPECT_THAT(tree.others_within(0.5).rows, ::testing::IsEmpty());
  EXPECT_THAT(tree.others_within(1).rows, ::testing::ElementsAre(1, 2, 3, 0, 2, 0, 1, 3, 0, 2));
  Rows<TypeParam> zeros(3, 2);
  std::fill(zeros.values.begin(), zeros.values.end(), TypeParam(0));
  const NearestNeighbors<TypeParam> none(zeros.view(), {NeighborMetric::Cosine});
  EXPECT_THAT(none.nearest_others(2).rows.values, ::testing::ElementsAre(1, 2, 0, 2, 0, 1));
  EXPECT_THAT(none.nearest(x.view(), 1).rows.values, ::testing::ElementsAre(0, 0, 0, 0));
}

TYPED_TEST(Neighbors, OfHaversineAreTheGreatCircles) {
  constexpr double kTurn = 3.14159265358979323846;
  Rows<TypeParam> x(3, 2);  // the pole, a place on the equator, and its antipode
  x.values = {TypeParam(kTurn / 2), 0, 0, 0, 0, TypeParam(kTurn)};
  const NearestNeighbors<TypeParam> tree(x.view(), {NeighborMetric::Haversine});
  const auto found = tree.nearest_others(2);
  EXPECT_NEAR(found.distances.view()(0, 0), kTurn / 2, 1e-6);
  EXPECT_NEAR(found.distances.view()(1, 1), kTurn, 1e-6);
  EXPECT_EQ(tree.within(x.view(), 4).rows.size(), 9u);
}

class NeighborsOn : public testing_support::DeviceTest {};

TEST_P(NeighborsOn, AreThoseOfTheCpu) {
  for (const NeighborParams& params : kMetrics) {
    const auto x = integer_rows<float>(150, 2, 4, 21);
    const auto queries = normal_rows<float>(40, 2, 22);
    const NearestNeighbors<float> tree(x.view(), params, GetParam());
    const NearestNeighbors<float> on_cpu(x.view(), params, Device::Cpu);
    const auto nearest = tree.nearest(queries.view(), 9, GetParam());
    EXPECT_EQ(nearest.rows.values, on_cpu.nearest(queries.view(), 9).rows.values)
        << name_of(params);
    EXPECT_EQ(nearest.distances.values, on_cpu.nearest(queries.view(), 9).distances.values);
    EXPECT_EQ(tree.nearest_others(4, GetParam()).rows.values, on_cpu.nearest_others(4).rows.values);
    const auto within = tree.others_within(0.5, GetParam());
    EXPECT_EQ(within.starts, on_cpu.others_within(0.5).starts) << name_of(params);
    EXPECT_EQ(within.rows, on_cpu.others_within(0.5).rows);
    EXPECT_EQ(within.distances, on_cpu.others_within(0.5).distances);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, NeighborsOn, ::testing::Values(Device::Cpu, Device::Cuda),
                         testing_support::device_name);

}  // namespace
}  // namespace coterie
