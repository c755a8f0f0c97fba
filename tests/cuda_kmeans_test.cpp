// The GPU's passes of k-means against the CPU's, through the contract, bit for bit. On the
// CUDA-on-CPU layer in every order of threads; on a GPU the order changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "core/device.hpp"
#include "core/frame.hpp"
#include "coterie/kmeans.hpp"
#include "rows.hpp"
#include "testing.hpp"

namespace coterie {
namespace {

using testing_support::make_rows;
using testing_support::Rows;
using testing_support::Shape;

/// A suite of CUDA tests that runs in each order of the CUDA-on-CPU layer.
class CudaKMeans : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    setenv("COTERIE_EMULATED_ORDER", GetParam(), 1);
    if (testing_support::cuda_usable()) return;
    const char* required = std::getenv("COTERIE_REQUIRE_CUDA");
    const std::string detail = devices()[1].detail;
    if (required != nullptr && std::string(required) == "1") {
      FAIL() << "COTERIE_REQUIRE_CUDA=1, but " << detail;
    }
    GTEST_SKIP() << "NOT TESTED: " << detail;
  }
  void TearDown() override { unsetenv("COTERIE_EMULATED_ORDER"); }
};

INSTANTIATE_TEST_SUITE_P(Orders, CudaKMeans, ::testing::Values("forward", "reverse", "shuffled"),
                         [](const auto& info) { return "cuda_" + std::string(info.param); });

/// Rows of some shape with a gap after each, weights (every fifth 0), and their frame.
template <class T>
struct Data {
  Data(std::int64_t rows, std::int64_t cols, Shape shape, bool weighted = false)
      : x(rows, cols, 3) {
    const Matrix<T> made = make_rows<T>(rows, cols, shape);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) x(i, j) = made.view()(i, j);
      if (weighted) weights.push_back(i % 5 == 0 ? 0 : 0.37 * static_cast<double>(i % 11) + 0.1);
    }
    frame = make_frame(passes(Device::Cpu)->range({0, rows}), rows, max_weight());
  }

  std::unique_ptr<KMeansPasses<T>> passes(Device device) const {
    return device_table(device).functions<T>().kmeans(x.view(), weights, context);
  }
  double max_weight() const {
    return weights.empty() ? 1.0 : *std::max_element(weights.begin(), weights.end());
  }

  Rows<T> x;
  std::vector<double> weights;
  Frame frame;
  Context context;
};

/// A model while it is driven by hand: what core/ keeps of one, and the device's answers.
template <class T>
struct Driven {
  Driven(const Data<T>& data, std::int64_t clusters, bool sums_wanted = true)
      : centroids(clusters, data.x.cols), sums(clusters, data.x.cols), summed(sums_wanted) {
    for (std::int64_t c = 0; c < clusters; ++c) {
      const T* row = data.x.view().row(c * data.x.rows / clusters);
      std::copy_n(row, data.x.cols, centroids.view().row(c));
    }
  }

  Matrix<T> centroids;
  LloydSums sums;
  bool summed;
  std::int64_t changed = 0;
  std::int64_t rechecked = 0;
  std::vector<std::int32_t> labels;
};

template <class T>
void lloyd(KMeansPasses<T>& passes, const Data<T>& data, const std::vector<std::int64_t>& blocks,
           std::vector<Driven<T>>& models) {
  std::vector<LloydTask<T>> tasks;
  for (std::size_t m = 0; m < models.size(); ++m) {
    Driven<T>& model = models[m];
    tasks.push_back({.slot = static_cast<int>(m),
                     .centroids = std::as_const(model.centroids).view(),
                     .sums = model.summed ? &model.sums : nullptr});
    model.labels.resize(static_cast<std::size_t>(data.x.rows));
  }
  RowBlock block;
  for (const std::int64_t rows : blocks) {
    block = {block.first + block.rows, rows};
    passes.lloyd(block, data.frame, tasks);
  }
  for (std::size_t m = 0; m < models.size(); ++m) {
    models[m].changed = tasks[m].changed;
    models[m].rechecked = tasks[m].rechecked;
    passes.labels({0, data.x.rows}, static_cast<int>(m), models[m].labels);
  }
}

/// Centroids at the means of the sums; empty clusters stay.
template <class T>
void move_centroids(const Data<T>& data, Driven<T>& model) {
  const Frame& frame = data.frame;
  for (std::int64_t c = 0; c < model.centroids.rows; ++c) {
    const double weight =
        from_limbs(model.sums.weight[static_cast<std::size_t>(c)], frame.bits, frame.weight_scale);
    if (!(weight > 0)) continue;
    for (std::int64_t j = 0; j < data.x.cols; ++j) {
      const auto at = static_cast<std::size_t>(c * data.x.cols + j);
      const auto column = static_cast<std::size_t>(j);
      const double sum =
          from_limbs({model.sums.high[at], model.sums.low[at]}, frame.bits, frame.scale[column]);
      model.centroids.view()(c, j) = static_cast<T>(frame.shift[column] + sum / weight);
    }
  }
}

template <class T>
void expect_equal(const Driven<T>& gpu, const Driven<T>& cpu) {
  EXPECT_EQ(gpu.labels, cpu.labels);
  EXPECT_EQ(gpu.changed, cpu.changed);
  EXPECT_EQ(gpu.sums.high, cpu.sums.high);
  EXPECT_EQ(gpu.sums.low, cpu.sums.low);
  EXPECT_EQ(gpu.sums.count, cpu.sums.count);
  for (std::size_t c = 0; c < cpu.sums.weight.size(); ++c) {
    EXPECT_EQ(gpu.sums.weight[c].high, cpu.sums.weight[c].high);
    EXPECT_EQ(gpu.sums.weight[c].low, cpu.sums.weight[c].low);
  }
}

template <class T>
void expect_nearest(const Data<T>& data, const Driven<T>& model) {
  for (std::int64_t i = 0; i < data.x.rows; ++i) {
    ASSERT_EQ(model.labels[static_cast<std::size_t>(i)],
              testing_support::nearest_centroid(data.x.view().row(i),
                                                std::as_const(model.centroids).view()))
        << "row " << i;
  }
}

/// Drives both devices through a few passes with moving centroids.
template <class T>
void compare_lloyd(const Data<T>& data, const std::vector<std::int64_t>& blocks,
                   std::vector<Driven<T>> gpu_models, int passes = 3) {
  SCOPED_TRACE(testing::Message() << data.x.rows << " x " << data.x.cols << ", " << sizeof(T)
                                  << " bytes, " << blocks.size() << " blocks");
  std::vector<Driven<T>> cpu_models = gpu_models;
  const auto gpu = data.passes(Device::Cuda);
  const auto cpu = data.passes(Device::Cpu);
  for (std::size_t m = 0; m < gpu_models.size(); ++m) {
    gpu->open(static_cast<int>(m));
    cpu->open(static_cast<int>(m));
  }
  for (int pass = 0; pass < passes; ++pass) {
    lloyd(*gpu, data, blocks, gpu_models);
    lloyd(*cpu, data, {data.x.rows}, cpu_models);
    for (std::size_t m = 0; m < gpu_models.size(); ++m) {
      SCOPED_TRACE(testing::Message()
                   << "pass " << pass << ", k = " << cpu_models[m].centroids.rows);
      expect_equal(gpu_models[m], cpu_models[m]);
      expect_nearest(data, gpu_models[m]);
      if (testing::Test::HasFatalFailure()) return;
      move_centroids(data, gpu_models[m]);
      move_centroids(data, cpu_models[m]);
    }
  }
}

template <class T>
std::vector<Driven<T>> models_of(const Data<T>& data, const std::vector<std::int64_t>& clusters) {
  const std::set<std::int64_t> possible(clusters.begin(), clusters.end());
  std::vector<Driven<T>> models;
  for (const std::int64_t k : possible) {
    if (k <= data.x.rows) models.emplace_back(data, k);
  }
  return models;
}

template <class T>
void compare_all_sizes() {
  for (const std::int64_t rows : {1, 31, 32, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 16, 33, 65}) {
      const Data<T> data(rows, cols, Shape::Blobs);
      compare_lloyd(data, {rows}, models_of(data, {1, 2, 8, 64, rows < 100 ? rows : 1}));
    }
  }
}

TEST_P(CudaKMeans, LloydEqualsTheCpuInFloat32) { compare_all_sizes<float>(); }
TEST_P(CudaKMeans, LloydEqualsTheCpuInFloat64) { compare_all_sizes<double>(); }

TEST_P(CudaKMeans, LloydHasAClusterForEveryRow) {
  const Data<float> data(1025, 2, Shape::Blobs);
  compare_lloyd(data, {1025}, models_of(data, {1025}), 2);
}

TEST_P(CudaKMeans, LloydEqualsTheCpuOnHardData) {
  for (const Shape shape :
       {Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups, Shape::Duplicates}) {
    SCOPED_TRACE(static_cast<int>(shape));
    for (const std::int64_t cols : {2, 6, 33}) {
      const Data<float> narrow(700, cols, shape);
      compare_lloyd(narrow, {700}, models_of(narrow, {1, 2, 8, 64}));
      const Data<double> wide(700, cols, shape);
      compare_lloyd(wide, {700}, models_of(wide, {1, 2, 8, 64}));
    }
  }
}

TEST_P(CudaKMeans, LloydWeighsRows) {
  for (const std::int64_t cols : {3, 65}) {
    const Data<float> narrow(515, cols, Shape::Blobs, true);
    compare_lloyd(narrow, {515}, models_of(narrow, {1, 5, 40}));
    const Data<double> wide(515, cols, Shape::Blobs, true);
    compare_lloyd(wide, {515}, models_of(wide, {1, 5, 40}));
  }
}

TEST_P(CudaKMeans, LloydDoesNotSeeBlocks) {
  for (const std::int64_t cols : {4, 70}) {
    const Data<float> data(1025, cols, Shape::Integers, true);
    compare_lloyd(data, {1, 127, 300, 128, 469}, models_of(data, {2, 8}));
  }
}

TEST_P(CudaKMeans, LloydTakesMoreModelsThanOneLaunchHolds) {
  const Data<float> data(200, 5, Shape::Blobs);
  std::vector<Driven<float>> models;
  for (std::int64_t m = 0; m < 40; ++m) models.emplace_back(data, 1 + m % 9, m % 4 != 3);
  models.emplace_back(data, 200);  // goes by the other kernel
  models.emplace_back(data, 7);
  compare_lloyd(data, {200}, models);
}

TEST_P(CudaKMeans, LloydTakesSumsThatSharedMemoryDoesNotHold) {
  const Data<double> data(300, 64, Shape::Duplicates);  // seven distinct rows: few points compete
  compare_lloyd(data, {300}, models_of(data, {299}), 2);
}

/// Rows between two centroids, as far from one as from the other but for rounding: float32 cannot
/// tell which is nearer, and does not notice on other data when it wrongly tries.
TEST_P(CudaKMeans, RowsOnABisectorGoToTheCanonicallyNearest) {
  for (const std::int64_t cols : {3, 16, 40}) {
    Data<float> data(700, cols, Shape::Blobs);
    std::vector<Driven<float>> models = {Driven<float>(data, 2)};
    const MatrixView<float> c = models[0].centroids.view();
    double length = 0;
    for (std::int64_t j = 0; j < cols; ++j) length += std::pow(c(1, j) - c(0, j), 2);
    for (std::int64_t i = 0; i < data.x.rows; ++i) {
      double along = 0;
      for (std::int64_t j = 0; j < cols; ++j) {
        along += (data.x(i, j) - (c(0, j) + c(1, j)) / 2.0) * (c(1, j) - c(0, j));
      }
      for (std::int64_t j = 0; j < cols; ++j) {
        data.x(i, j) -= static_cast<float>(along / length * (c(1, j) - c(0, j)));
      }
    }
    data.frame = make_frame(data.passes(Device::Cpu)->range({0, 700}), 700, 1);
    compare_lloyd(data, {700}, models, 1);
  }
}

TEST_P(CudaKMeans, FilterLeavesFewRowsToTheCanonicalDistance) {
  const Data<float> data(1025, 8, Shape::TwoFarGroups);
  auto models = models_of(data, {2, 4});
  const auto gpu = data.passes(Device::Cuda);
  for (int slot = 0; slot < 2; ++slot) gpu->open(slot);
  lloyd(*gpu, data, {1025}, models);
  EXPECT_LT(models[0].rechecked, 20);
  const Data<float> ties(1025, 3, Shape::Integers);
  models = models_of(ties, {6});
  const auto tied = ties.passes(Device::Cuda);
  tied->open(0);
  lloyd(*tied, ties, {1025}, models);
  EXPECT_GT(models[0].rechecked, 20);
}

TEST_P(CudaKMeans, LabelsAreNoneAfterOpeningAgain) {
  const Data<float> data(50, 2, Shape::Blobs);
  const auto gpu = data.passes(Device::Cuda);
  auto models = models_of(data, {3});
  std::vector<std::int32_t> labels(50);
  gpu->open(0);
  lloyd(*gpu, data, {50}, models);
  gpu->close(0);
  gpu->open(0);
  gpu->labels({0, 50}, 0, labels);
  EXPECT_THAT(labels, testing::Each(-1));
  std::vector<float> row(2);
  gpu->copy_row(49, row);
  EXPECT_EQ(row, (std::vector<float>{data.x(49, 0), data.x(49, 1)}));
}

template <class T>
void compare_columns(std::int64_t rows, std::int64_t cols) {
  SCOPED_TRACE(testing::Message() << rows << " x " << cols);
  const Data<T> data(rows, cols, Shape::OffsetBlobs);
  const auto gpu = data.passes(Device::Cuda);
  const auto cpu = data.passes(Device::Cpu);
  const ColumnRange range = gpu->range({0, rows});
  EXPECT_EQ(range.low, cpu->range({0, rows}).low);
  EXPECT_EQ(range.high, cpu->range({0, rows}).high);
  EXPECT_EQ(range.bad_row, -1);
  const auto columns = static_cast<std::size_t>(cols);
  SpreadSums found{std::vector<FixedSum>(columns), std::vector<FixedSum>(columns)};
  SpreadSums expected = found;
  gpu->spread({0, rows / 2}, data.frame, found);
  gpu->spread({rows / 2, rows - rows / 2}, data.frame, found);
  cpu->spread({0, rows}, data.frame, expected);
  for (std::size_t j = 0; j < columns; ++j) {
    EXPECT_EQ(found.sum[j].high, expected.sum[j].high);
    EXPECT_EQ(found.sum[j].low, expected.sum[j].low);
    EXPECT_EQ(found.square[j].high, expected.square[j].high);
    EXPECT_EQ(found.square[j].low, expected.square[j].low);
  }
}

TEST_P(CudaKMeans, ColumnFactsEqualTheCpus) {
  for (const std::int64_t rows : {1, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33, 127, 128, 129, 300}) {
      compare_columns<float>(rows, cols);
      compare_columns<double>(rows, cols);
    }
  }
}

TEST_P(CudaKMeans, RangeNamesTheFirstValueThatIsNotFinite) {
  Data<float> data(1000, 5, Shape::Blobs);
  const auto bad = [&](RowBlock block) {
    const ColumnRange range = data.passes(Device::Cuda)->range(block);
    return std::pair(range.bad_row, range.bad_col);
  };
  data.x(900, 0) = -INFINITY;
  EXPECT_EQ(bad({0, 1000}), std::pair(std::int64_t{900}, std::int64_t{0}));
  data.x(700, 4) = NAN;
  data.x(700, 3) = INFINITY;
  EXPECT_EQ(bad({0, 1000}), std::pair(std::int64_t{700}, std::int64_t{3}));
  EXPECT_EQ(bad({701, 299}), std::pair(std::int64_t{900}, std::int64_t{0}));
  EXPECT_EQ(bad({0, 700}), std::pair(std::int64_t{-1}, std::int64_t{-1}));
}

template <class T>
void compare_distances(Shape shape, bool weighted) {
  SCOPED_TRACE(static_cast<int>(shape));
  const Data<T> data(1025, 7, shape, weighted);
  const auto gpu = data.passes(Device::Cuda);
  const auto cpu = data.passes(Device::Cpu);
  gpu->open(0);
  cpu->open(0);
  auto models = models_of(data, {5});
  lloyd(*gpu, data, {1025}, models);
  lloyd(*cpu, data, {1025}, models);
  const auto centroids = std::as_const(models[0].centroids).view();
  const double scale =
      limb_scale(distance_bound(data.frame, data.max_weight(), centroids), data.frame.bits);
  const FixedSum expected = cpu->inertia({0, 1025}, data.frame, 0, centroids, scale);
  FixedSum found = gpu->inertia({0, 400}, data.frame, 0, centroids, scale);
  found += gpu->inertia({400, 625}, data.frame, 0, centroids, scale);
  EXPECT_EQ(found.high, expected.high);
  EXPECT_EQ(found.low, expected.low);
  for (const RowBlock block : {RowBlock{10, 1000}, RowBlock{20, 30}}) {
    const auto far = gpu->farthest(block, 0, centroids, 40);
    const auto cpu_far = cpu->farthest(block, 0, centroids, 40);
    ASSERT_EQ(far.size(), cpu_far.size());
    for (std::size_t i = 0; i < far.size(); ++i) {
      ASSERT_EQ(far[i].row, cpu_far[i].row);
      ASSERT_EQ(far[i].distance, cpu_far[i].distance);
    }
  }
}

TEST_P(CudaKMeans, InertiaAndFarthestRowsEqualTheCpus) {
  compare_distances<float>(Shape::Blobs, false);
  compare_distances<float>(Shape::Integers, true);
  compare_distances<double>(Shape::OffsetBlobs, true);
  compare_distances<double>(Shape::Duplicates, false);
}

template <class T>
void compare_seeding(const Data<T>& data, const std::vector<std::int64_t>& blocks) {
  const auto gpu_passes = data.passes(Device::Cuda);
  const auto gpu = gpu_passes->seeding();
  const auto cpu = data.passes(Device::Cpu)->seeding();
  const RowBlock all{0, data.x.rows};
  double largest = data.max_weight();
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    const double scale = limb_scale(largest, limb_bits(data.x.rows));
    const std::int64_t total = cpu->total(all, scale);
    if (total == 0) return;  // every row is a seed
    Rows<T> candidates(3, data.x.cols, 1);
    for (std::int64_t t = 0; t < 3; ++t) {
      // The middle of the rows before which `target` lies, block by block as the loop does it.
      const std::int64_t target = total / 4 * (t + 1);
      const std::int64_t expected = cpu->pick(all, scale, target);
      std::int64_t left = target;
      RowBlock block;
      for (const std::int64_t rows : blocks) {
        block = {block.first + block.rows, rows};
        const std::int64_t here = gpu->total(block, scale);
        if (left < here) break;
        left -= here;
      }
      EXPECT_EQ(gpu->pick(block, scale, left), expected);
      std::copy_n(data.x.view().row(expected), data.x.cols, candidates.view().row(t));
    }
    std::vector<std::int64_t> found(3, 0), expected(3, 0);
    cpu->potentials(all, scale, std::as_const(candidates).view(), expected);
    double gpu_largest = 0;
    RowBlock block;
    for (const std::int64_t rows : blocks) {
      block = {block.first + block.rows, rows};
      gpu->potentials(block, scale, std::as_const(candidates).view(), found);
      const std::span<const T> seed(candidates.view().row(1),
                                    static_cast<std::size_t>(data.x.cols));
      gpu_largest = std::max(gpu_largest, gpu->add(block, seed));
    }
    EXPECT_EQ(found, expected);
    const std::span<const T> seed(candidates.view().row(1), static_cast<std::size_t>(data.x.cols));
    largest = cpu->add(all, seed);
    EXPECT_EQ(gpu_largest, largest);
  }
}

TEST_P(CudaKMeans, SeedingEqualsTheCpus) {
  compare_seeding(Data<float>(1, 3, Shape::Blobs), {1});
  compare_seeding(Data<float>(2500, 3, Shape::Blobs), {2500});
  compare_seeding(Data<float>(2500, 3, Shape::Integers, true), {1, 1500, 999});
  compare_seeding(Data<double>(1025, 33, Shape::OffsetBlobs, true), {512, 513});
}

template <class T>
void expect_same_fit(const KMeansResult<T>& gpu, const KMeansResult<T>& cpu) {
  EXPECT_EQ(gpu.labels, cpu.labels);
  EXPECT_EQ(gpu.centroids.values, cpu.centroids.values);
  EXPECT_EQ(gpu.inertia, cpu.inertia);
  EXPECT_EQ(gpu.iterations, cpu.iterations);
}

TEST_P(CudaKMeans, WholeFitEqualsTheCpus) {
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::TwoFarGroups}) {
    const Data<float> narrow(1000, 6, shape, true);
    const KMeansParams params{.clusters = 7, .restarts = 2, .seed = 3, .weights = narrow.weights};
    expect_same_fit(kmeans<float>(narrow.x.view(), params, Device::Cuda),
                    kmeans<float>(narrow.x.view(), params, Device::Cpu));
    const Data<double> wide(600, 70, shape);
    expect_same_fit(kmeans<double>(wide.x.view(), {.clusters = 5, .seed = 4}, Device::Cuda),
                    kmeans<double>(wide.x.view(), {.clusters = 5, .seed = 4}, Device::Cpu));
  }
}

TEST_P(CudaKMeans, SweepEqualsSingleFits) {
  const Data<float> data(400, 4, Shape::Blobs);
  std::vector<KMeansModel<float>> models;
  for (std::int64_t k = 2; k <= 8; ++k) models.push_back({.clusters = k});
  const auto sweep = kmeans_sweep<float>(data.x.view(), models, {.seed = 5}, Device::Cuda);
  for (const auto& fit : sweep) {
    const KMeansParams params{.clusters = fit.centroids.rows, .seed = 5};
    expect_same_fit(fit, kmeans<float>(data.x.view(), params, Device::Cpu));
  }
}

TEST_P(CudaKMeans, EmptyClusterMovesAsOnTheCpu) {
  const Data<float> data(300, 2, Shape::Duplicates);  // seven distinct rows
  const Matrix<float> far = make_rows<float>(6, 2, Shape::TwoFarGroups);
  const std::vector<KMeansModel<float>> models{{.clusters = 6, .starts = {far.view()}}};
  expect_same_fit(kmeans_sweep<float>(data.x.view(), models, {}, Device::Cuda)[0],
                  kmeans_sweep<float>(data.x.view(), models, {}, Device::Cpu)[0]);
}

TEST_P(CudaKMeans, InterruptedFitStops) {
  const Data<float> data(300, 2, Shape::Blobs);
  Context context = Device::Cuda;
  int asked = 0;
  context.interrupted = [&] { return ++asked > 3; };
  EXPECT_THROW(kmeans<float>(data.x.view(), {.clusters = 3}, context), Interrupted);
}

TEST_P(CudaKMeans, OutOfMemorySaysHowManyBytesWereNeeded) {
  if (devices()[1].detail.find("emulated") == std::string::npos) {
    GTEST_SKIP() << "only the CUDA-on-CPU layer can be made short of memory";
  }
  const Data<float> data(1000, 2, Shape::Blobs);
  setenv("COTERIE_EMULATED_MEMORY", "5000", 1);
  std::string message = "no error";
  try {
    data.passes(Device::Cuda);
  } catch (const std::bad_alloc& error) {
    message = error.what();
  }
  unsetenv("COTERIE_EMULATED_MEMORY");
  EXPECT_THAT(message, testing::HasSubstr("8000 bytes were needed, 5000 of 5000 are free"));
}

}  // namespace
}  // namespace coterie
