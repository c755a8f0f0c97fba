// The loop of k-means over a scripted device: what it asks for, in which order, and when it stops.
#include "core/kmeans_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "cpu/kmeans.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using ::testing::ElementsAre;

/// Four rows on a line, 0 1 8 9, whose labels follow a script instead of the distances.
class ScriptedPasses final : public KMeansPasses<double> {
 public:
  using Script = std::vector<std::vector<std::int32_t>>;  // labels of each pass; the last repeats

  explicit ScriptedPasses(Script script) : script_(std::move(script)) {}

  ColumnRange range(RowBlock) override { return {.low = {0}, .high = {9}}; }
  void spread(RowBlock, const Frame&, SpreadSums&) override {}
  std::unique_ptr<SeedingPasses<double>> seeding() override { return nullptr; }
  std::unique_ptr<ParallelSeedingPasses<double>> parallel_seeding() override { return nullptr; }
  void copy_row(std::int64_t row, std::span<double> out) override { out[0] = rows_[row]; }
  void open(int) override { log.push_back("open"); }
  void close(int) override { log.push_back("close"); }

  void lloyd(RowBlock block, const Frame& frame, std::span<LloydTask<double>> tasks) override {
    LloydTask<double>& task = tasks[0];
    log.push_back(task.sums ? "lloyd" : "label");
    moves_left.push_back(task.ahead.most);
    if (next_ahead_ < ahead.size() && task.sums != nullptr) go_ahead(ahead[next_ahead_++], task);
    if (task.ahead.standing != Standing::Waits) return;
    const auto& labels = script_[std::min(pass_++, script_.size() - 1)];
    for (std::int64_t i = block.first; i < block.first + block.rows; ++i) {
      const std::int32_t old = labels_[i];
      if (labels[i] == old) continue;
      ++task.changed;
      labels_[i] = labels[i];
      if (task.sums == nullptr) continue;
      if (old >= 0) add(*task.sums, frame, i, old, -1);
      add(*task.sums, frame, i, labels[i], 1);
    }
  }
  std::vector<FarRow> farthest(RowBlock, int, MatrixView<const double>, std::int64_t) override {
    log.push_back("farthest");
    return far;
  }
  std::int32_t label(std::int64_t row, int) override { return labels_[row]; }
  std::vector<std::int32_t> take_labels(int) override {
    log.push_back("take");
    return {labels_, labels_ + 4};
  }
  std::int64_t predict(RowBlock, MatrixView<const double>, std::span<std::int32_t>) override {
    return -1;
  }

  /// What the device answers that goes ahead by itself, in the calls' order.
  struct Ahead {
    std::vector<double> centroids;
    std::int64_t moves;
    Standing standing;
  };

  std::vector<std::string> log;
  std::vector<FarRow> far;
  std::vector<Ahead> ahead;
  std::vector<std::int64_t> moves_left;  // as each call was told

 private:
  static void go_ahead(const Ahead& by, LloydTask<double>& task) {
    std::copy(by.centroids.begin(), by.centroids.end(), task.ahead.centroids.data);
    task.ahead.moves = by.moves;
    task.ahead.standing = by.standing;
  }
  void add(LloydSums& sums, const Frame& frame, std::int64_t row, std::int32_t to, int sign) {
    FixedSum limbs;
    const double limb = std::ldexp(1.0, frame.bits);
    to_limbs(rows_[row] - frame.shift[0], frame.scale[0], limb, &limbs.high, &limbs.low);
    sums.high[to] += sign * limbs.high;
    sums.low[to] += sign * limbs.low;
    to_limbs(1, frame.weight_scale, limb, &limbs.high, &limbs.low);
    sums.weight[to] += {sign * limbs.high, sign * limbs.low};
  }

  const double rows_[4] = {0, 1, 8, 9};
  std::int32_t labels_[4] = {-1, -1, -1, -1};
  Script script_;
  std::size_t pass_ = 0;
  std::size_t next_ahead_ = 0;
};

KMeansResult<double> fit(ScriptedPasses& passes, std::vector<double> start, KMeansParams params,
                         std::int64_t block_rows = 0, const Context& ctx = {}) {
  const KMeansSource<double> source{
      .passes = passes, .rows = 4, .cols = 1, .block_rows = block_rows};
  const auto clusters = static_cast<std::int64_t>(start.size());
  const KMeansModel<double> model{.clusters = clusters, .starts = {{start.data(), clusters, 1, 1}}};
  return run_kmeans<double>(source, frame_of(source), {&model, 1}, params, ctx)[0];
}

TEST(KMeansLoop, StopsWhenNoLabelChanges) {
  ScriptedPasses passes({{0, 0, 1, 1}});
  const auto result = fit(passes, {0, 9}, {.tolerance = 0});
  EXPECT_EQ(result.iterations, 2);
  EXPECT_THAT(result.centroids.values, ElementsAre(0.5, 8.5));
  EXPECT_THAT(passes.log, ElementsAre("open", "lloyd", "lloyd", "label", "take"));
}

TEST(KMeansLoop, AtTheLastIterationLabelsAreMadeToMatchTheMovedCentroids) {
  ScriptedPasses passes({{0, 0, 1, 1}, {0, 1, 1, 1}});
  const auto result = fit(passes, {0, 9}, {.max_iterations = 1, .tolerance = 0});
  EXPECT_EQ(result.iterations, 1);
  EXPECT_THAT(passes.log, ElementsAre("open", "lloyd", "label", "take"));
  EXPECT_THAT(result.labels, ElementsAre(0, 1, 1, 1));  // the labels of the last pass
}

TEST(KMeansLoop, EmptyClusterTakesTheFarthestRowAndLeavesSingleRowsAlone) {
  // Cluster 2 is empty; row 0 is cluster 0's only row, so the next farthest, row 3, moves.
  ScriptedPasses passes({{0, 1, 1, 1}, {0, 1, 1, 2}});
  passes.far = {{50, 0}, {30, 3}, {20, 2}};
  const auto result = fit(passes, {0, 5, 100}, {.tolerance = 0});
  EXPECT_THAT(result.centroids.values, ElementsAre(0, 4.5, 9));
  EXPECT_EQ(result.iterations, 2);  // the second pass moves nothing: a shift of 0 stops
}

TEST(KMeansLoop, RowsOnTheirCentroidAreNotRelocated) {
  ScriptedPasses passes({{1, 1, 1, 1}});
  passes.far = {{0, 0}, {0, 1}};
  const auto result = fit(passes, {100, 4}, {.tolerance = 0});
  EXPECT_THAT(result.centroids.values, ElementsAre(4.5, 4.5));  // the heaviest cluster's place
}

TEST(KMeansLoop, TakesOverWhatTheDeviceDidByItself) {
  ScriptedPasses passes({{0, 0, 1, 1}});
  passes.ahead = {{{1, 7}, 5, Standing::Goes}, {{2, 6}, 3, Standing::Ends}};
  Context ctx;
  std::vector<std::int64_t> steps;
  ctx.progress = [&](const Progress& progress) { steps.push_back(progress.step); };
  const auto result = fit(passes, {0, 9}, {.max_iterations = 20, .tolerance = 0}, 0, ctx);
  EXPECT_EQ(result.iterations, 8);
  EXPECT_EQ(result.passes, 9);  // the last one labels
  EXPECT_THAT(result.centroids.values, ElementsAre(2, 6));
  EXPECT_THAT(passes.log, ElementsAre("open", "lloyd", "lloyd", "label", "take"));
  EXPECT_THAT(passes.moves_left, ElementsAre(20, 15, 0));
  EXPECT_THAT(steps, ElementsAre(5, 8, 9));
}

TEST(KMeansLoop, MovesTheCentroidsWhereTheDeviceWaits) {
  ScriptedPasses passes({{0, 0, 1, 1}});
  passes.ahead = {{{0, 100}, 4, Standing::Waits}};
  const auto result = fit(passes, {0, 9}, {.max_iterations = 5, .tolerance = 0});
  EXPECT_EQ(result.iterations, 5);  // the device's four, and the one of the pass it waits after
  EXPECT_EQ(result.passes, 6);
  EXPECT_THAT(result.centroids.values, ElementsAre(0.5, 8.5));
  EXPECT_THAT(passes.log, ElementsAre("open", "lloyd", "label", "take"));
}

TEST(KMeansLoop, NoDeviceLooksAheadOverBlocks) {
  ScriptedPasses passes({{0, 0, 1, 1}});
  const auto result = fit(passes, {0, 9}, {.max_iterations = 1, .tolerance = 0}, 4);
  EXPECT_EQ(result.iterations, 1);
  EXPECT_THAT(passes.moves_left, ElementsAre(0, 0));
}

/// Fits with each size of blocks; all results must equal the first's.
KMeansResult<float> fit_in_blocks(const Matrix<float>& x, std::span<const double> weights,
                                  const KMeansModel<float>& model, const KMeansParams& params,
                                  std::initializer_list<std::int64_t> sizes) {
  std::vector<KMeansResult<float>> results;
  for (const std::int64_t block_rows : sizes) {
    SCOPED_TRACE(block_rows);
    const Context ctx;
    const auto passes = cpu::kmeans_passes<float>(x.view(), weights, ctx);
    const KMeansSource<float> source{.passes = *passes,
                                     .rows = x.rows,
                                     .cols = x.cols,
                                     .weights = weights,
                                     .block_rows = block_rows};
    results.push_back(run_kmeans<float>(source, frame_of(source), {&model, 1}, params, ctx)[0]);
    testing_support::expect_same(results.back(), results[0]);
  }
  return results[0];
}

TEST(KMeansLoop, BlocksOfAnySizeGiveTheSameBits) {
  const auto x = testing_support::make_rows<float>(3000, 4);
  std::vector<double> weights;
  for (int i = 0; i < 3000; ++i) weights.push_back(0.1 * (i % 11));
  fit_in_blocks(x, weights, {.clusters = 6}, {.restarts = 2, .seed = 9}, {0, 1, 7, 1024, 2999});
}

// The CPU keeps bounds only in passes over all rows and for many clusters, so with blocks it looks
// at every row, and must find the same.
TEST(KMeansLoop, SkippingRowsByTheirBoundsChangesNothing) {
  using testing_support::Shape;
  constexpr std::int64_t kRows = 8000, kCols = 6, kClusters = 200;
  std::int64_t most_iterations = 0;
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups,
                            Shape::Duplicates}) {
    SCOPED_TRACE(static_cast<int>(shape));
    const auto x = testing_support::make_rows<float>(kRows, kCols, shape);
    const KMeansModel<float> model{.clusters = kClusters,
                                   .starts = {{x.values.data(), kClusters, kCols, kCols}}};
    const auto result =
        fit_in_blocks(x, {}, model, {.max_iterations = 60, .tolerance = 0}, {0, kRows - 1});
    most_iterations = std::max(most_iterations, result.iterations);
  }
  EXPECT_GT(most_iterations, 20);  // bounds begin after a few passes
}

}  // namespace
}  // namespace coterie
