// The GPU's other passes of k-means, and whole fits, against the CPU's, bit for bit. On the
// CUDA-on-CPU layer in every order of threads; on a GPU the order changes nothing.
#include <gmock/gmock.h>

#include <cmath>

#include "coterie/kmeans.hpp"
#include "cuda_kmeans.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::Data;
using testing_support::lloyd;
using testing_support::make_rows;
using testing_support::models_of;
using testing_support::Rows;
using testing_support::Shape;

class CudaKMeansPasses : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaKMeansPasses);

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

TEST_P(CudaKMeansPasses, ColumnFactsEqualTheCpus) {
  for (const std::int64_t rows : {1, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 33, 127, 128, 129, 300}) {
      compare_columns<float>(rows, cols);
      compare_columns<double>(rows, cols);
    }
  }
}

TEST_P(CudaKMeansPasses, RangeNamesTheFirstRowThatIsNotFinite) {
  Data<float> data(1000, 5, Shape::Blobs);
  const auto bad = [&](RowBlock block) { return data.passes(Device::Cuda)->range(block).bad_row; };
  data.x(900, 0) = -INFINITY;
  EXPECT_EQ(bad({0, 1000}), 900);
  data.x(700, 4) = NAN;
  data.x(700, 3) = INFINITY;
  EXPECT_EQ(bad({0, 1000}), 700);
  EXPECT_EQ(bad({701, 299}), 900);
  EXPECT_EQ(bad({0, 700}), -1);
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
  const auto inertia = [&](KMeansPasses<T>& passes, const std::vector<RowBlock>& blocks) {
    LloydTask<T> task{.centroids = centroids, .inertia_scale = scale};
    for (const RowBlock block : blocks) passes.lloyd(block, data.frame, {&task, 1});
    return task.inertia;
  };
  const FixedSum expected = inertia(*cpu, {{0, 1025}});
  const FixedSum found = inertia(*gpu, {{0, 400}, {400, 625}});
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

template <class T>
void compare_predictions(std::int64_t rows, std::int64_t cols, std::int64_t clusters) {
  const Data<T> data(rows, cols, Shape::Integers);
  std::vector<std::int32_t> found(static_cast<std::size_t>(rows)), expected(found.size());
  const MatrixView<const T> centroids{data.x.values.data(), clusters, cols, cols};
  const RowBlock all{0, rows};
  EXPECT_EQ(data.passes(Device::Cpu)->predict(all, centroids, expected), -1);
  EXPECT_EQ(data.passes(Device::Cuda)->predict(all, centroids, found), -1);
  EXPECT_EQ(found, expected) << rows << " x " << cols << ", " << clusters;
}

TEST_P(CudaKMeansPasses, PredictionsEqualTheCpus) {
  for (const std::int64_t rows : {1, 31, 1025}) {
    compare_predictions<float>(rows, 3, 1);
    compare_predictions<double>(rows, 33, std::min<std::int64_t>(rows, 20));
  }
}

TEST_P(CudaKMeansPasses, InertiaAndFarthestRowsEqualTheCpus) {
  compare_distances<float>(Shape::Blobs, false);
  compare_distances<float>(Shape::Integers, true);
  compare_distances<double>(Shape::OffsetBlobs, true);
  compare_distances<double>(Shape::Duplicates, false);
}

template <class T>
void compare_seeding(const Data<T>& data, const std::vector<RowBlock>& parts) {
  const auto gpu_passes = data.passes(Device::Cuda);
  const auto gpu = gpu_passes->seeding();
  const auto cpu_passes = data.passes(Device::Cpu);
  const auto cpu = cpu_passes->seeding();
  const RowBlock all{0, data.x.rows};
  double largest = data.max_weight();
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    const double scale = limb_scale(largest, limb_bits(data.x.rows));
    const std::int64_t total = cpu->total(all, scale);
    if (total == 0) return;  // every row is a seed
    Rows<T> candidates(3, data.x.cols, 1);
    for (std::int64_t t = 0; t < 3; ++t) {
      const std::int64_t target = total / 4 * (t + 1);
      const std::int64_t expected = cpu->pick(all, scale, target);
      std::int64_t left = target;
      auto part = parts.begin();
      for (; left >= gpu->total(*part, scale); ++part) left -= gpu->total(*part, scale);
      EXPECT_EQ(gpu->pick(*part, scale, left), expected);
      std::copy_n(data.x.view().row(expected), data.x.cols, candidates.view().row(t));
    }
    const std::span<const T> seed(candidates.view().row(1), static_cast<std::size_t>(data.x.cols));
    if (round > 0) {  // the scale fits distances only once there is a seed
      std::vector<std::int64_t> found(3, 0), expected(3, 0);
      cpu->potentials(all, scale, std::as_const(candidates).view(), expected);
      for (const RowBlock part : parts) {
        gpu->potentials(part, scale, std::as_const(candidates).view(), found);
      }
      EXPECT_EQ(found, expected);
    }
    largest = cpu->add(all, seed);
    double gpu_largest = 0;
    for (const RowBlock part : parts) gpu_largest = std::max(gpu_largest, gpu->add(part, seed));
    EXPECT_EQ(gpu_largest, largest);
  }
}

TEST_P(CudaKMeansPasses, SeedingEqualsTheCpus) {
  compare_seeding(Data<float>(1, 3, Shape::Blobs), {{0, 1}});
  compare_seeding(Data<float>(2500, 3, Shape::Blobs), {{0, 2500}});
  compare_seeding(Data<float>(2500, 3, Shape::Integers, true), {{0, 1}, {1, 1500}, {1501, 999}});
  compare_seeding(Data<double>(1025, 33, Shape::OffsetBlobs, true), {{0, 512}, {512, 513}});
}

TEST_P(CudaKMeansPasses, PickKnowsOfASeedTakenInSinceTheTotal) {
  Data<float> data(10, 1, Shape::Blobs);
  for (std::int64_t i = 0; i < 10; ++i) data.x(i, 0) = static_cast<float>(i);
  const auto passes = data.passes(Device::Cuda);
  const auto seeding = passes->seeding();
  EXPECT_EQ(seeding->total({0, 10}, 1), 10);  // one each, as there is no seed
  EXPECT_EQ(seeding->pick({0, 10}, 1, 4), 4);
  EXPECT_EQ(seeding->add({0, 10}, std::span<const float>(data.x.view().row(0), 1)), 81);
  EXPECT_EQ(seeding->pick({0, 10}, 1, 4), 2);  // 0 + 1 + 4 exceeds 4
}

TEST_P(CudaKMeansPasses, WholeFitEqualsTheCpus) {
  for (const Shape shape : {Shape::Blobs, Shape::Integers, Shape::TwoFarGroups}) {
    const Data<float> narrow(1000, 6, shape, true);
    const KMeansParams params{.clusters = 7, .restarts = 2, .seed = 3, .weights = narrow.weights};
    testing_support::expect_same(kmeans<float>(narrow.x.view(), params, Device::Cuda),
                                 kmeans<float>(narrow.x.view(), params, Device::Cpu));
    const Data<double> wide(600, 70, shape);
    testing_support::expect_same(
        kmeans<double>(wide.x.view(), {.clusters = 5, .seed = 4}, Device::Cuda),
        kmeans<double>(wide.x.view(), {.clusters = 5, .seed = 4}, Device::Cpu));
  }
}

TEST_P(CudaKMeansPasses, SweepEqualsSingleFits) {
  const Data<float> data(400, 4, Shape::Blobs);
  std::vector<KMeansModel<float>> models;
  for (std::int64_t k = 2; k <= 8; ++k) models.push_back({.clusters = k});
  const auto sweep = kmeans_sweep<float>(data.x.view(), models, {.seed = 5}, Device::Cuda);
  for (const auto& fit : sweep) {
    const KMeansParams params{.clusters = fit.centroids.rows, .seed = 5};
    testing_support::expect_same(fit, kmeans<float>(data.x.view(), params, Device::Cpu));
  }
}

TEST_P(CudaKMeansPasses, EmptyClusterMovesAsOnTheCpu) {
  const Data<float> data(300, 2, Shape::Duplicates);  // seven distinct rows
  const Matrix<float> far = make_rows<float>(6, 2, Shape::TwoFarGroups);
  const std::vector<KMeansModel<float>> models{{.clusters = 6, .starts = {far.view()}}};
  testing_support::expect_same(kmeans_sweep<float>(data.x.view(), models, {}, Device::Cuda)[0],
                               kmeans_sweep<float>(data.x.view(), models, {}, Device::Cpu)[0]);
}

TEST_P(CudaKMeansPasses, InterruptedFitStops) {
  const Data<float> data(300, 2, Shape::Blobs);
  Context context = Device::Cuda;
  int asked = 0;
  context.interrupted = [&] { return ++asked > 3; };
  EXPECT_THROW(kmeans<float>(data.x.view(), {.clusters = 3}, context), Interrupted);
}

TEST_P(CudaKMeansPasses, OutOfMemorySaysHowManyBytesWereNeeded) {
  if (devices()[1].detail.find("emulated") == std::string::npos) {
    GTEST_SKIP() << "only the CUDA-on-CPU layer can be made short of memory";
  }
  const Data<float> data(1000, 2, Shape::Blobs);
  setenv("COTERIE_EMULATED_MEMORY", "5000", 1);
  std::string message = "no error";
  try {
    kmeans<float>(data.x.view(), {.clusters = 2}, Device::Cuda);
  } catch (const OutOfMemory& error) {
    message = error.what();
  }
  unsetenv("COTERIE_EMULATED_MEMORY");
  EXPECT_THAT(message, testing::HasSubstr("8000 bytes were needed, 5000 of 5000 are free"));
}

}  // namespace
}  // namespace coterie
