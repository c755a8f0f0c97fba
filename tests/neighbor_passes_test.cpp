// The machine under DBSCAN against brute force over all pairs, by definition.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "core/contract/neighbors.hpp"
#include "core/device.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::make_rows;
using testing_support::Shape;

struct Found {
  std::vector<std::uint8_t> core;
  std::vector<std::int32_t> roots;

  bool operator==(const Found&) const = default;
};

/// The keys of all pairs, row by row.
template <class T>
std::vector<double> keys_of(MatrixView<const T> x, const PairMetric& metric) {
  std::vector<double> keys;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.rows; ++j) {
      keys.push_back(key(metric, x.row(i), x.row(j), x.cols));
    }
  }
  return keys;
}

Found brute_force(const std::vector<double>& keys, std::size_t n, double limit,
                  const std::vector<double>& weights, double least) {
  std::vector<std::vector<std::int32_t>> near(n);
  Found found{std::vector<std::uint8_t>(n), std::vector<std::int32_t>(n, -1)};
  for (std::size_t i = 0; i < n; ++i) {
    long double sum = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (keys[i * n + j] > limit) continue;
      near[i].push_back(static_cast<std::int32_t>(j));
      sum += weights.empty() ? 1 : weights[j];
    }
    found.core[i] = static_cast<double>(sum) >= least;
  }
  for (std::size_t seed = 0; seed < n; ++seed) {
    if (found.core[seed] == 0 || found.roots[seed] >= 0) continue;
    std::vector<std::size_t> stack{seed};
    found.roots[seed] = static_cast<std::int32_t>(seed);
    while (!stack.empty()) {
      const std::size_t i = stack.back();
      stack.pop_back();
      for (const std::int32_t j : near[i]) {
        const auto at = static_cast<std::size_t>(j);
        if (found.core[at] == 0 || found.roots[at] >= 0) continue;
        found.roots[at] = static_cast<std::int32_t>(seed);
        stack.push_back(at);
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (found.core[i] != 0) continue;
    for (const std::int32_t j : near[i]) {
      const auto at = static_cast<std::size_t>(j);
      if (found.core[at] == 0) continue;
      if (found.roots[i] < 0 || found.roots[at] < found.roots[i]) found.roots[i] = found.roots[at];
    }
  }
  return found;
}

class NeighborPassesTest : public testing_support::DeviceTest {
 protected:
  template <class T>
  Found find(MatrixView<const T> x, const PairMetric& metric, double limit,
             const std::vector<double>& weights, double least, int threads = 2) {
    Context ctx = GetParam();
    ctx.threads = threads;
    Found found{std::vector<std::uint8_t>(static_cast<std::size_t>(x.rows), 2),
                std::vector<std::int32_t>(static_cast<std::size_t>(x.rows), -2)};
    const auto passes =
        choose(x.memory, ctx, &DeviceFunctions<T>::neighbors, "neighbours")(x, metric, ctx);
    passes->find_core(limit, weights, least, found.core, ctx);
    passes->connect(limit, found.core, found.roots, ctx);
    return found;
  }

  template <class T>
  void expect_right(const Matrix<T>& x, const PairMetric& metric, std::vector<double> limits,
                    double least, const std::vector<double>& weights = {}) {
    const std::vector<double> keys = keys_of(x.view(), metric);
    for (const double limit : limits) {
      if (limit <= 0) continue;
      const Found expected =
          brute_force(keys, static_cast<std::size_t>(x.rows), limit, weights, least);
      EXPECT_TRUE(find(x.view(), metric, limit, weights, least) == expected)
          << x.rows << " x " << x.cols << ", key " << limit << ", least " << least;
    }
  }
};

/// Keys that some pairs exactly have, and the next lower ones.
template <class T>
std::vector<double> ties(const Matrix<T>& x, const PairMetric& metric = {}) {
  std::vector<double> keys;
  for (const std::int64_t other : {x.rows / 2, x.rows - 1}) {
    const double exact = key(metric, x.view().row(0), x.view().row(other), x.cols);
    keys.push_back(exact);
    keys.push_back(std::nextafter(exact, 0));
    keys.push_back(exact / 50);
  }
  return keys;
}

TEST_P(NeighborPassesTest, AgreesWithBruteForceAtAwkwardSizes) {
  for (const std::int64_t rows : {1, 2, 31, 32, 33, 64, 1025}) {
    for (const std::int64_t cols : {1, 2, 3, 4, 8, 17, 300}) {
      if ((rows > 64 && cols != 2) || (cols == 300 && rows != 33)) continue;
      for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::Duplicates}) {
        const auto x = make_rows<float>(rows, cols, shape);
        expect_right(x, {}, ties(x), 4);
      }
    }
  }
}

TEST_P(NeighborPassesTest, TakesFloat64AndOffsets) {
  for (const std::int64_t rows : {33, 500}) {
    for (const Shape shape : {Shape::OffsetBlobs, Shape::TwoFarGroups, Shape::Blobs}) {
      const auto wide = make_rows<double>(rows, 3, shape);
      auto narrow = make_rows<float>(rows, 3, shape);
      for (float& value : narrow.values) value += 1e6f;
      expect_right(wide, {}, ties(wide), 5);
      expect_right(narrow, {}, ties(narrow), 5);
      auto beside = wide;
      beside.values[4] = -1e12;  // float32 rounds such a row by more than the others lie apart
      expect_right(beside, {}, ties(wide), 5);
    }
  }
}

TEST_P(NeighborPassesTest, DecidesTiesOnAGridCanonically) {
  constexpr std::int64_t kSide = 40;
  Matrix<float> grid(kSide * kSide, 2);
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    grid.view()(i, 0) = 0.1f * static_cast<float>(i % kSide);
    grid.view()(i, 1) = 0.1f * static_cast<float>(i / kSide);
  }
  const double step = 0.1f;  // which some steps exceed, as their ends are rounded
  for (const double least : {3, 4, 5}) expect_right(grid, {}, {step * step}, least);
}

TEST_P(NeighborPassesTest, KnowsEveryMetric) {
  const PairMetric metrics[] = {{NeighborMetric::Manhattan, 2},   {NeighborMetric::Chebyshev, 2},
                                {NeighborMetric::Minkowski, 3},   {NeighborMetric::Minkowski, 1.5},
                                {NeighborMetric::Minkowski, 0.5}, {NeighborMetric::Cosine, 2}};
  for (const PairMetric& metric : metrics) {
    for (const std::int64_t cols : {2, 3, 20}) {
      for (const Shape shape : {Shape::Blobs, Shape::Integers}) {
        auto x = make_rows<float>(70, cols, shape);
        auto wide = make_rows<double>(70, cols, shape);
        for (float& value : x.values) value += 0.5f;  // no row of zeros
        for (double& value : wide.values) value += 0.5;
        expect_right(x, metric, ties(x, metric), 4);
        expect_right(wide, metric, ties(wide, metric), 4);
      }
    }
  }
}

TEST_P(NeighborPassesTest, MeasuresAnglesOnTheSphere) {
  auto x = make_rows<double>(500, 2, Shape::Blobs);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x.view()(i, 0) /= 4;
    x.view()(i, 1) += i % 3 == 0 ? 6.283185307179586 : 0;  // once more around
  }
  const PairMetric haversine{NeighborMetric::Haversine, 2};
  expect_right(x, haversine, ties(x, haversine), 4);
}

TEST_P(NeighborPassesTest, AddsWeightsExactlyOfEitherSign) {
  const auto x = make_rows<float>(400, 2, Shape::Integers);
  std::vector<double> weights(400, 0.1);
  for (const double least : {1.0, 1.6, 3.2}) expect_right(x, {}, {0.5, 1, 2}, least, weights);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = i % 3 == 0 ? -1.5 : 0.1 * static_cast<double>(i % 11);
  }
  for (const double least : {-1.0, 0.5, 1.0, 20.0}) {
    expect_right(x, {}, {0.5, 1, 2, 100}, least, weights);
  }
}

TEST_P(NeighborPassesTest, TellsNothingApartInOnePoint) {
  Matrix<float> x(5000, 2);
  std::fill(x.values.begin(), x.values.end(), 3.25f);
  x.values.back() = 4;
  const Found found = find<float>(x.view(), {}, 0.25, {}, 4999);
  for (std::size_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(found.core[i], i < 4999);
    ASSERT_EQ(found.roots[i], i < 4999 ? 0 : -1);
  }
}

TEST_P(NeighborPassesTest, FindsDenseRowsUnderAnyRadius) {
  const auto x = make_rows<float>(1500, 2, Shape::Blobs);
  for (const double least : {2.0, 400.0, 1499.0}) {
    expect_right(x, {}, {0.01, 0.3, 1, 10, 1e3, 1e30}, least);
  }
}

TEST_P(NeighborPassesTest, MayBeAskedAgain) {
  const auto x = make_rows<float>(500, 3);
  Context ctx = GetParam();
  const auto passes = choose(Memory::Host, ctx, &DeviceFunctions<float>::neighbors, "neighbours")(
      x.view(), {}, ctx);
  for (const double limit : {0.05, 1.0, 0.05}) {
    Found found{std::vector<std::uint8_t>(500), std::vector<std::int32_t>(500)};
    passes->find_core(limit, {}, 5, found.core, ctx);
    passes->connect(limit, found.core, found.roots, ctx);
    EXPECT_TRUE(found == find<float>(x.view(), {}, limit, {}, 5));
  }
}

TEST_P(NeighborPassesTest, TellsHowFarItIsAndStopsWhenAsked) {
  const auto x = make_rows<float>(3000, 2);
  Context ctx = GetParam();
  std::int64_t told = 0;
  ctx.progress = [&told](const Progress& progress) {
    ++told;
    EXPECT_LE(progress.step, progress.steps);
  };
  Found found{std::vector<std::uint8_t>(3000), std::vector<std::int32_t>(3000)};
  const auto passes = choose(Memory::Host, ctx, &DeviceFunctions<float>::neighbors, "neighbours")(
      x.view(), {}, ctx);
  passes->find_core(0.1, {}, 5, found.core, ctx);
  const std::int64_t of_core = told;
  EXPECT_GT(of_core, 0);
  ctx.interrupted = [] { return true; };
  EXPECT_THROW(passes->find_core(0.1, {}, 5, found.core, ctx), Interrupted);
  EXPECT_THROW(passes->connect(0.1, found.core, found.roots, ctx), Interrupted);
  EXPECT_THROW(passes->find_core(0.1, {}, 5, found.core, ctx), Interrupted);
  ctx.interrupted = nullptr;
  passes->find_core(0.1, {}, 5, found.core, ctx);
  passes->connect(0.1, found.core, found.roots, ctx);
  EXPECT_TRUE(found == find<float>(x.view(), {}, 0.1, {}, 5));
}

TEST_P(NeighborPassesTest, DoesNotDependOnThreads) {
  const auto x = make_rows<float>(3000, 3, Shape::Blobs);
  const Found one = find<float>(x.view(), {}, 0.02, {}, 6, 1);
  EXPECT_TRUE(find<float>(x.view(), {}, 0.02, {}, 6, 2) == one);
  EXPECT_TRUE(find<float>(x.view(), {}, 0.02, {}, 6, 7) == one);
}

TEST_P(NeighborPassesTest, KeepsWhatFloat32CannotHold) {
  Matrix<double> x(300, 2);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x.view()(i, 0) = 1e-9 * static_cast<double>(i % 17);
    x.view()(i, 1) = 1e-200 * static_cast<double>(i % 5);
  }
  expect_right(x, {}, {1e-18, 4.1e-18, 1e-300}, 30);
  x.view()(0, 0) = 1e150;  // beside which all others are one point
  expect_right(x, {}, {1e-18, 4.1e-18, 1e-300}, 30);
}

INSTANTIATE_TEST_SUITE_P(Devices, NeighborPassesTest, ::testing::Values(Device::Cpu, Device::Cuda),
                         testing_support::device_name);

}  // namespace
}  // namespace coterie
