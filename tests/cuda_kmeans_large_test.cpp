// Lloyd's pass by tensor cores (float32 rows with many columns or many centroids) against the
// CPU's, bit for bit.
#include <gmock/gmock.h>

#include <array>

#include "cuda_lloyd.hpp"

namespace coterie {
namespace {

using testing_support::compare_lloyd;
using testing_support::CudaTest;
using testing_support::Data;
using testing_support::Driven;
using testing_support::expect_equal;
using testing_support::lloyd;
using testing_support::models_of;
using testing_support::Shape;

class CudaLloydLarge : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaLloydLarge);

TEST_P(CudaLloydLarge, EqualsTheCpuAtTheEdgesOfTiles) {
  for (const std::int64_t rows : {1, 31, 32, 33}) {
    for (const std::int64_t cols : {65, 100, 128, 257}) {
      const Data<float> data(rows, cols, Shape::Blobs);
      compare_lloyd(data, {rows}, models_of(data, {1, 17, rows}), 2);
    }
  }
}

TEST_P(CudaLloydLarge, EqualsTheCpuWithManyRows) {
  const Data<float> data(1025, 100, Shape::Blobs, true);
  compare_lloyd(data, {1025}, models_of(data, {17, 100}));
}

TEST_P(CudaLloydLarge, EqualsTheCpuWithManyCentroids) {
  const Data<float> data(1025, 20, Shape::Blobs);
  compare_lloyd(data, {1025}, models_of(data, {1000, 1025}), 1);
}

TEST_P(CudaLloydLarge, EqualsTheCpuWhereOneKernelTakesOverFromAnother) {
  const Data<float> fused(130, 64, Shape::Blobs);
  compare_lloyd(fused, {130}, models_of(fused, {63, 64, 65}), 1);
  // Rows that shared memory holds 128, 64, 32 and none of.
  for (const std::int64_t cols : {416, 417, 832, 833, 1680, 1681}) {
    const Data<float> data(70, cols, Shape::Blobs);
    compare_lloyd(data, {70}, models_of(data, {3}), 1);
  }
}

TEST_P(CudaLloydLarge, EqualsTheCpuOnHardData) {
  for (const Shape shape :
       {Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups, Shape::Duplicates}) {
    SCOPED_TRACE(static_cast<int>(shape));
    for (const std::int64_t cols : {65, 100}) {
      const Data<float> data(300, cols, shape);
      compare_lloyd(data, {300}, models_of(data, {2, 17, 70}));
    }
  }
}

/// Integers of 12 columns among 66: many rows lie as far from one centroid as from another.
TEST_P(CudaLloydLarge, TiesGoToTheLowestCentroid) {
  Data<float> data(500, 66, Shape::Integers);
  for (std::int64_t i = 0; i < 500; ++i) {
    for (std::int64_t j = 12; j < 66; ++j) data.x(i, j) = static_cast<float>(j);
  }
  data.frame = make_frame(data.passes(Device::Cpu)->range({0, 500}), 500, 1);
  auto models = models_of(data, {90});
  compare_lloyd(data, {500}, models, 2);
  const auto gpu = data.passes(Device::Cuda);
  gpu->open(0);
  lloyd(*gpu, data, {500}, models);
  EXPECT_GT(models[0].rechecked, 20);
}

TEST_P(CudaLloydLarge, DoesNotSeeBlocks) {
  const Data<float> data(300, 70, Shape::Integers, true);
  compare_lloyd(data, {1, 127, 33, 139}, models_of(data, {2, 80}));
}

/// In the second pass a product is taken once, which leaves more rows, but not many.
TEST_P(CudaLloydLarge, LeavesFewRowsToTheCanonicalDistance) {
  for (const Shape shape : {Shape::Blobs, Shape::OffsetBlobs}) {
    const Data<float> data(1025, 65, shape);
    auto models = models_of(data, {5});
    const auto gpu = data.passes(Device::Cuda);
    gpu->open(0);
    lloyd(*gpu, data, {1025}, models);
    EXPECT_EQ(models[0].rechecked, 0);
    lloyd(*gpu, data, {1025}, models);
    EXPECT_GT(models[0].rechecked, 0);
    EXPECT_LT(models[0].rechecked, 100);
    // That is too many: the third pass takes three products again.
    lloyd(*gpu, data, {1025}, models);
    EXPECT_EQ(models[0].rechecked, 0);
  }
}

TEST_P(CudaLloydLarge, AFarRowDoesNotCostTheOthersTheirCertainty) {
  Data<float> data(300, 80, Shape::Blobs);
  for (std::int64_t j = 0; j < 80; ++j) data.x(150, j) = 1e6F;
  data.frame = make_frame(data.passes(Device::Cpu)->range({0, 300}), 300, 1);
  auto models = models_of(data, {10});  // row 150 is a centroid
  compare_lloyd(data, {300}, models, 2);
  const auto gpu = data.passes(Device::Cuda);
  gpu->open(0);
  lloyd(*gpu, data, {300}, models);
  EXPECT_LT(models[0].rechecked, 10);
}

/// Squares that overflow float32, or nearly: no row may be settled by what that leaves.
TEST_P(CudaLloydLarge, CentroidsOutOfRangeLeaveAllRowsToTheCanonicalDistance) {
  for (const float far : {1e8F, 1e19F, 1e30F, -3e38F}) {
    const Data<float> data(40, 70, Shape::Blobs);
    auto gpu_models = models_of(data, {5});
    for (const std::int64_t c : {0, 3}) {
      for (std::int64_t j = 0; j < 70; ++j) gpu_models[0].centroids.view()(c, j) = far;
    }
    auto cpu_models = gpu_models;
    const auto gpu = data.passes(Device::Cuda);
    const auto cpu = data.passes(Device::Cpu);
    gpu->open(0);
    cpu->open(0);
    lloyd(*gpu, data, {40}, gpu_models);
    lloyd(*cpu, data, {40}, cpu_models);
    expect_equal(gpu_models[0], cpu_models[0]);
    EXPECT_EQ(gpu_models[0].rechecked, 40);
  }
}

}  // namespace
}  // namespace coterie
