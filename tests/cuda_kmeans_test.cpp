// Lloyd's pass on the GPU against the CPU's, through the contract, bit for bit. On the CUDA-on-CPU
// layer in every order of threads; on a GPU the order changes nothing.
#include "cuda_kmeans.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::Data;
using testing_support::Driven;
using testing_support::lloyd;
using testing_support::models_of;
using testing_support::Shape;

class CudaLloyd : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaLloyd);

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
void compare_all_sizes() {
  for (const std::int64_t rows : {1, 31, 32, 33, 1025}) {
    for (const std::int64_t cols : {1, 2, 16, 33, 65}) {
      const Data<T> data(rows, cols, Shape::Blobs);
      compare_lloyd(data, {rows}, models_of(data, {1, 2, 8, 64, rows < 100 ? rows : 1}));
    }
  }
}

TEST_P(CudaLloyd, LloydEqualsTheCpuInFloat32) { compare_all_sizes<float>(); }
TEST_P(CudaLloyd, LloydEqualsTheCpuInFloat64) { compare_all_sizes<double>(); }

TEST_P(CudaLloyd, LloydHasAClusterForEveryRow) {
  const Data<float> data(1025, 2, Shape::Blobs);
  compare_lloyd(data, {1025}, models_of(data, {1025}), 2);
}

TEST_P(CudaLloyd, LloydEqualsTheCpuOnHardData) {
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

TEST_P(CudaLloyd, LloydWeighsRows) {
  for (const std::int64_t cols : {3, 65}) {
    const Data<float> narrow(515, cols, Shape::Blobs, true);
    compare_lloyd(narrow, {515}, models_of(narrow, {1, 5, 40}));
    const Data<double> wide(515, cols, Shape::Blobs, true);
    compare_lloyd(wide, {515}, models_of(wide, {1, 5, 40}));
  }
}

TEST_P(CudaLloyd, LloydDoesNotSeeBlocks) {
  for (const std::int64_t cols : {4, 70}) {
    const Data<float> data(1025, cols, Shape::Integers, true);
    compare_lloyd(data, {1, 127, 300, 128, 469}, models_of(data, {2, 8}));
  }
}

TEST_P(CudaLloyd, LloydTakesMoreModelsThanOneLaunchHolds) {
  const Data<float> data(200, 5, Shape::Blobs);
  std::vector<Driven<float>> models;
  for (std::int64_t m = 0; m < 40; ++m) models.emplace_back(data, 1 + m % 9, m % 4 != 3);
  models.emplace_back(data, 200);  // goes by the other kernel
  models.emplace_back(data, 7);
  compare_lloyd(data, {200}, models);
}

TEST_P(CudaLloyd, LloydTakesSumsThatSharedMemoryDoesNotHold) {
  const Data<double> data(300, 64, Shape::Duplicates);  // seven distinct rows: few points compete
  compare_lloyd(data, {300}, models_of(data, {299}), 2);
}

/// Rows between two centroids, as far from one as from the other but for rounding: float32 cannot
/// tell which is nearer, and does not notice on other data when it wrongly tries.
TEST_P(CudaLloyd, RowsOnABisectorGoToTheCanonicallyNearest) {
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

TEST_P(CudaLloyd, FilterLeavesFewRowsToTheCanonicalDistance) {
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

TEST_P(CudaLloyd, LabelsAreNoneAfterOpeningAgain) {
  const Data<float> data(50, 2, Shape::Blobs);
  const auto gpu = data.passes(Device::Cuda);
  auto models = models_of(data, {3});
  gpu->open(0);
  lloyd(*gpu, data, {50}, models);
  gpu->close(0);
  gpu->open(0);
  EXPECT_EQ(gpu->label(49, 0), -1);
  EXPECT_THAT(gpu->take_labels(0), testing::Each(-1));
  std::vector<float> row(2);
  gpu->copy_row(49, row);
  EXPECT_EQ(row, (std::vector<float>{data.x(49, 0), data.x(49, 1)}));
}

}  // namespace
}  // namespace coterie
