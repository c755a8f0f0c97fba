// Lloyd's pass on the GPU against the CPU's, through the contract, bit for bit. On the CUDA-on-CPU
// layer in every order of threads; on a GPU the order changes nothing.
#include <gmock/gmock.h>

#include <cmath>

#include "cuda_lloyd.hpp"

namespace coterie {
namespace {

using testing_support::compare_lloyd;
using testing_support::CudaTest;
using testing_support::Data;
using testing_support::Driven;
using testing_support::lloyd;
using testing_support::models_of;
using testing_support::Shape;

class CudaLloyd : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaLloyd);

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
  for (const std::int64_t cols : {3, 16, 40, 65, 128}) {
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
