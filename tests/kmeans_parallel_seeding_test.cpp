// k-means||: its passes against what their contract says, and the starts that come of it.
#include "core/kmeans_parallel_seeding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/contract/distance.hpp"
#include "core/frame.hpp"
#include "cpu/kmeans.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::DeviceTest;
using testing_support::expect_same;
using testing_support::make_rows;
using testing_support::Shape;

constexpr double kNoSeed = std::numeric_limits<double>::infinity();

/// Everything that the contract defines, row by row.
template <class T>
struct Plain {
  MatrixView<const T> x;
  std::vector<double> weights;
  std::vector<double> nearest = std::vector<double>(weights.size(), kNoSeed);
  std::vector<std::int64_t> id = std::vector<std::int64_t>(weights.size(), -1);

  double add(MatrixView<const T> seeds, std::int64_t first) {
    double largest = 0;
    for (std::size_t i = 0; i < nearest.size(); ++i) {
      for (std::int64_t s = 0; s < seeds.rows; ++s) {
        const double distance =
            squared_distance(x.row(static_cast<std::int64_t>(i)), seeds.row(s), x.cols);
        if (!(distance < nearest[i])) continue;
        nearest[i] = distance;
        id[i] = first + s;
      }
      largest = std::max(largest, weights[i] * nearest[i]);
    }
    return largest;
  }
  std::int64_t potential(std::size_t i, double scale) const {
    return to_integer(weights[i] * nearest[i] * scale);
  }
};

template <class T>
void compare(Shape shape, std::int64_t cols, const std::vector<RowBlock>& blocks,
             double magnitude) {
  SCOPED_TRACE(testing::Message() << static_cast<int>(shape) << ", " << cols << " columns");
  constexpr std::int64_t kRows = 2100;
  auto x = make_rows<T>(kRows, cols, shape);
  for (T& value : x.values) value = static_cast<T>(value * magnitude);
  std::vector<double> weights;
  for (std::int64_t i = 0; i < kRows; ++i) weights.push_back(0.25 * static_cast<double>(i % 5));
  Plain<T> plain{std::as_const(x).view(), weights};
  Context ctx;
  ctx.threads = 3;
  const auto passes = cpu::kmeans_passes<T>(x.view(), weights, ctx);
  const Frame frame = make_frame(passes->range({0, kRows}), kRows, 1);
  const auto fast = passes->parallel_seeding();
  std::vector<std::int64_t> drawn{3};
  std::int64_t seeds = 0;
  for (std::uint32_t round = 1; round < 5 && !drawn.empty(); ++round) {
    Matrix<T> points(static_cast<std::int64_t>(drawn.size()), cols);
    for (std::size_t s = 0; s < drawn.size(); ++s) {
      std::copy_n(x.view().row(drawn[s]), cols, points.view().row(static_cast<std::int64_t>(s)));
    }
    double largest = 0;
    for (const RowBlock block : blocks) {
      largest = std::max(largest, fast->add(block, points.view(), seeds));
    }
    ASSERT_EQ(largest, plain.add(std::as_const(points).view(), seeds));
    seeds += points.rows;
    Oversampling sampling{.key = {.seed = 4, .purpose = Purpose::Oversampling, .round = round},
                          .factor = 19};
    sampling.scale = limb_scale(largest, frame.bits);
    for (const RowBlock block : blocks) sampling.total += fast->total(block, sampling.scale);
    std::int64_t total = 0;
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < weights.size(); ++i) total += plain.potential(i, sampling.scale);
    ASSERT_EQ(sampling.total, total);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      if (sampling.draws(row, plain.potential(i, sampling.scale))) expected.push_back(row);
    }
    drawn.clear();
    for (const RowBlock block : blocks) fast->draw(block, sampling, drawn);
    ASSERT_EQ(drawn, expected);
  }
  std::vector<FixedSum> sums(static_cast<std::size_t>(seeds));
  for (const RowBlock block : blocks) fast->weigh(block, frame, sums);
  std::vector<double> expected(sums.size(), 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    expected[static_cast<std::size_t>(plain.id[i])] += weights[i];  // quarters: exact
  }
  for (std::size_t s = 0; s < sums.size(); ++s) {
    ASSERT_EQ(from_limbs(sums[s], frame.bits, frame.weight_scale), expected[s]);
  }
}

template <class T>
void compare_shapes() {
  const std::vector<RowBlock> whole{{0, 2100}}, parts{{0, 1}, {1, 1500}, {1501, 599}};
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups,
                            Shape::Duplicates}) {
    compare<T>(shape, 1, whole, 1);
    compare<T>(shape, 5, parts, 1);
    compare<T>(shape, 33, whole, 1);
  }
  for (const double magnitude : {1e-20, 1e-12, 1e17, 1e19}) {
    compare<T>(Shape::Blobs, 4, whole, magnitude);
  }
}

TEST(ParallelSeedingPasses, Float32FollowsTheContract) { compare_shapes<float>(); }
TEST(ParallelSeedingPasses, Float64FollowsTheContract) { compare_shapes<double>(); }

TEST(Oversampling, DrawsInProportionToThePotential) {
  const Oversampling round{
      .key = {.seed = 1, .purpose = Purpose::Oversampling}, .total = 1'000'000'007, .factor = 10};
  constexpr int kRows = 20000;
  for (const double chance : {0.0, 0.01, 0.3, 1.0, 5.0}) {
    const auto potential =
        static_cast<std::int64_t>(std::ceil(chance * static_cast<double>(round.total) / 10));
    int drawn = 0;
    for (int row = 0; row < kRows; ++row) drawn += round.draws(row, potential) ? 1 : 0;
    const double p = std::min(chance, 1.0);
    EXPECT_NEAR(drawn, kRows * p, 4 * std::sqrt(kRows * p * (1 - p)));
  }
}

TEST(ParallelStarts, SameBitsForAnyThreadsAndBlocks) {
  const auto x = make_rows<float>(5000, 3);
  const auto starts_with = [&x](int threads, std::int64_t block_rows) {
    Context ctx;
    ctx.threads = threads;
    const auto passes = cpu::kmeans_passes<float>(x.view(), {}, ctx);
    const KMeansSource<float> source{
        .passes = *passes, .rows = x.rows, .cols = x.cols, .block_rows = block_rows};
    return parallel_starts(source, frame_of(source), 20, 1, {.seed = 3}, ctx).values;
  };
  const auto reference = starts_with(1, 0);
  EXPECT_EQ(starts_with(2, 0), reference);
  EXPECT_EQ(starts_with(7, 0), reference);
  EXPECT_EQ(starts_with(2, 333), reference);
}

TEST(ParallelStarts, AreAsGoodAsThoseOfPlusPlus) {
  // Twenty groups that every good seeding finds; seeds that miss one leave at least twice as much.
  Matrix<float> x = make_rows<float>(20000, 8);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < 8; ++j) {
      const auto bit = static_cast<float>((i % 20) * 7919 >> j & 3);
      x.view()(i, j) = x.view()(i, j) * 0.1f + 20 * bit;
    }
  }
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    KMeansParams params{.clusters = 20, .max_iterations = 1, .seed = seed};
    const double plus_plus = kmeans<float>(x.view(), params).inertia;
    params.seeding = Seeding::Parallel;
    EXPECT_LT(kmeans<float>(x.view(), params).inertia, 1.01 * plus_plus) << "seed " << seed;
  }
}

TEST(ParallelStarts, DrawnRowsCountAsOftenAsTheRowsThatAreNearest) {
  // Nearly all that is drawn lies at 100 and beyond, nearly all rows lie between 0 and 1.
  Matrix<double> x = make_rows<double>(2000, 1);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x.values[static_cast<std::size_t>(i)] =
        i < 20 ? 100.0 + static_cast<double>(i) : 5e-4 * static_cast<double>(i);
  }
  const Context ctx;
  const auto passes = cpu::kmeans_passes<double>(x.view(), {}, ctx);
  const KMeansSource<double> source{.passes = *passes, .rows = x.rows, .cols = 1};
  const auto start = parallel_starts(source, frame_of(source), 1, 0, {.seed = 1}, ctx);
  EXPECT_LT(start.values[0], 5);  // the mean of all rows is 1.6
}

TEST(ParallelStarts, RestartsAndSeedsDrawAnew) {
  const auto x = make_rows<double>(3000, 2);
  const Context ctx;
  const auto passes = cpu::kmeans_passes<double>(x.view(), {}, ctx);
  const KMeansSource<double> source{.passes = *passes, .rows = x.rows, .cols = x.cols};
  const Frame frame = frame_of(source);
  std::set<std::vector<double>> starts;
  for (std::uint32_t restart = 0; restart < 3; ++restart) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      starts.insert(parallel_starts(source, frame, 5, restart, {.seed = seed}, ctx).values);
    }
  }
  EXPECT_EQ(starts.size(), 9u);
}

TEST(ParallelStarts, RowsWithoutWeightCountForNothing) {
  auto x = make_rows<double>(500, 2);
  std::vector<double> weights(500, 1.0);
  for (std::int64_t i = 0; i < 500; i += 10) {
    x.view()(i, 0) += 1e6;
    weights[static_cast<std::size_t>(i)] = 0;
  }
  const auto fit =
      kmeans<double>(x.view(), {.clusters = 4, .seeding = Seeding::Parallel, .weights = weights});
  for (std::int64_t c = 0; c < 4; ++c) EXPECT_LT(fit.centroids.view()(c, 0), 100);
}

TEST(ParallelStarts, LargeValuesThatPlusPlusTakesAreTaken) {
  auto x = make_rows<double>(20000, 2);
  for (double& value : x.values) value *= 4e150;
  for (const Seeding seeding : {Seeding::PlusPlus, Seeding::Parallel}) {
    EXPECT_NO_THROW(kmeans<double>(x.view(), {.clusters = 8, .seeding = seeding})) << int(seeding);
  }
}

class ParallelFit : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ParallelFit, ::testing::Values(Device::Cpu, Device::Cuda),
                         testing_support::device_name);

TEST_P(ParallelFit, EqualsTheCpuToTheLastBit) {
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::Duplicates}) {
    const auto x = make_rows<float>(700, 5, shape);
    std::vector<double> weights;
    for (std::int64_t i = 0; i < x.rows; ++i) weights.push_back(static_cast<double>(i % 4) * 0.37);
    const KMeansParams params{
        .clusters = 9, .seeding = Seeding::Parallel, .restarts = 2, .seed = 5, .weights = weights};
    expect_same(kmeans<float>(x.view(), params, GetParam()),
                kmeans<float>(x.view(), params, Device::Cpu));
  }
}

TEST_P(ParallelFit, OneClusterIsTheMean) {
  const std::vector<double> x{0, 1, 5};
  const auto fit = kmeans<double>({x.data(), 3, 1, 1},
                                  {.clusters = 1, .seeding = Seeding::Parallel}, GetParam());
  EXPECT_DOUBLE_EQ(fit.centroids.values[0], 2);
}

TEST_P(ParallelFit, AsManyClustersAsRowsGivesEachRowItsOwn) {
  const auto x = make_rows<float>(150, 3);
  const auto fit =
      kmeans<float>(x.view(), {.clusters = 150, .seeding = Seeding::Parallel}, GetParam());
  EXPECT_EQ(std::set<std::int32_t>(fit.labels.begin(), fit.labels.end()).size(), 150u);
  EXPECT_EQ(fit.inertia, 0);
}

TEST_P(ParallelFit, MoreClustersThanDistinctRowsWork) {
  const auto x = make_rows<float>(60, 2, Shape::Duplicates);  // seven distinct rows
  const auto fit =
      kmeans<float>(x.view(), {.clusters = 12, .seeding = Seeding::Parallel}, GetParam());
  EXPECT_EQ(fit.inertia, 0);
  EXPECT_EQ(fit.centroids.rows, 12);
}

}  // namespace
}  // namespace coterie
