#include "core/kmeans_seeding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/frame.hpp"
#include "coterie/kmeans.hpp"
#include "cpu/kmeans.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using ::testing::ElementsAre;

TEST(RandomRows, AreDistinctAndFewerAreAPrefix) {
  const auto ten = random_rows(100, {}, 10, 0, 42);
  const auto four = random_rows(100, {}, 4, 0, 42);
  EXPECT_EQ(std::set<std::int64_t>(ten.begin(), ten.end()).size(), 10u);
  EXPECT_TRUE(std::equal(four.begin(), four.end(), ten.begin()));
  EXPECT_NE(ten, random_rows(100, {}, 10, 1, 42));
}

TEST(RandomRows, FollowTheWeights) {
  // A row of weight 3 among three of weight 1 comes first half the time.
  const std::vector<double> weights{1, 3, 1, 1, 0};
  int first = 0;
  constexpr int kDraws = 4000;
  for (int seed = 0; seed < kDraws; ++seed) {
    const auto row = random_rows(5, weights, 1, 0, static_cast<std::uint64_t>(seed))[0];
    EXPECT_NE(row, 4) << "a row of weight 0 was drawn";
    first += row == 1;
  }
  EXPECT_NEAR(first, kDraws / 2, 4 * std::sqrt(kDraws / 4.0));  // four standard deviations
}

TEST(PlusPlus, DrawsInProportionToTheSquaredDistance) {
  // From row 0, row 1 at distance 1 and row 2 at distance 3: one in ten against nine in ten.
  const std::vector<double> x{0, 1, 3};
  int starts = 0, near = 0;
  for (int seed = 0; seed < 6000; ++seed) {
    const auto rows = kmeans_plusplus<double>(
        {x.data(), 3, 1, 1},
        {.clusters = 2, .trials = 1, .seed = static_cast<std::uint64_t>(seed)});
    if (rows[0] != 0) continue;
    ++starts;
    near += rows[1] == 1;
  }
  EXPECT_NEAR(starts, 2000, 4 * std::sqrt(6000 * 2 / 9.0));
  EXPECT_NEAR(near, starts * 0.1, 4 * std::sqrt(starts * 0.09));
}

TEST(PlusPlus, WeightsCountLikeRepeatedRows) {
  const std::vector<double> x{0, 1, 3}, weights{1, 9, 1};
  int starts = 0, near = 0;
  for (int seed = 0; seed < 12000; ++seed) {
    const auto rows = kmeans_plusplus<double>(
        {x.data(), 3, 1, 1},
        {.clusters = 2, .trials = 1, .seed = static_cast<std::uint64_t>(seed), .weights = weights});
    if (rows[0] != 0) continue;
    ++starts;
    near += rows[1] == 1;  // 9 * 1 against 1 * 9
  }
  EXPECT_NEAR(starts, 12000 / 11.0, 4 * std::sqrt(12000 * 10 / 121.0));
  EXPECT_NEAR(near, starts / 2.0, 4 * std::sqrt(starts / 4.0));
}

TEST(PlusPlus, GreedyTakesTheCandidateThatLeavesTheLeastPotential) {
  // From the group at 0, the outlier at 30 is drawn now and then, but a row of the group at 10
  // among the candidates leaves far less.
  std::vector<double> x(101, 0.0);
  std::fill(x.begin() + 50, x.begin() + 100, 10.0);
  x[100] = 30;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto rows =
        kmeans_plusplus<double>({x.data(), 101, 1, 1}, {.clusters = 2, .trials = 10, .seed = seed});
    if (rows[0] < 50) {
      EXPECT_TRUE(rows[1] >= 50 && rows[1] < 100) << "row " << rows[1];
    }
  }
}

TEST(PlusPlus, AFarOutlierDoesNotDrownTheRest) {
  // Once the outlier is taken the potentials are rescaled; without that they all round to 0.
  auto x = testing_support::make_rows<float>(1000, 2);
  x.values[0] = 1e15f;
  const auto rows = kmeans_plusplus<float>(x.view(), {.clusters = 6, .seed = 1});
  EXPECT_EQ(std::set<std::int64_t>(rows.begin(), rows.end()).size(), 6u);
  EXPECT_THAT(rows, ::testing::Contains(0));
  // Rows 0 1 2 3... are what is left when potentials vanish; the draw must not fall back to them.
  EXPECT_GT(*std::max_element(rows.begin(), rows.end()), 10);
}

TEST(PlusPlus, SeedsAreDistinctRowsThoughTheirValuesAreNot) {
  const std::vector<double> x(7, 2.5);
  auto rows = kmeans_plusplus<double>({x.data(), 7, 1, 1}, {.clusters = 7, .seed = 3});
  std::sort(rows.begin(), rows.end());
  EXPECT_THAT(rows, ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(PlusPlus, SameRowsForAnyThreadsAndBlocks) {
  const auto x = testing_support::make_rows<float>(5000, 3);
  const auto rows_with = [&x](int threads, std::int64_t block_rows) {
    Context ctx;
    ctx.threads = threads;
    const auto passes = cpu::kmeans_passes<float>(x.view(), {}, ctx);
    const KMeansSource<float> source{
        .passes = *passes, .rows = x.rows, .cols = x.cols, .block_rows = block_rows};
    return plus_plus_rows(source, frame_of(source), 20, 5, 0, 3, ctx);
  };
  const auto reference = rows_with(1, 0);
  EXPECT_EQ(rows_with(2, 0), reference);
  EXPECT_EQ(rows_with(7, 0), reference);
  EXPECT_EQ(rows_with(2, 333), reference);
}

TEST(PlusPlus, TrialsFollowTheNumberOfClusters) {
  EXPECT_EQ(seeding_trials(1, {}), 2);
  EXPECT_EQ(seeding_trials(3, {}), 3);
  EXPECT_EQ(seeding_trials(8, {}), 4);
  EXPECT_EQ(seeding_trials(8, {.trials = 7}), 7);
}

}  // namespace
}  // namespace coterie
