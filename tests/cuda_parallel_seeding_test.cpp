// The GPU's passes of k-means|| against the CPU's, bit for bit. On the CUDA-on-CPU layer in every
// order of threads; on a GPU the order changes nothing.
#include <gtest/gtest.h>

#include "cuda_kmeans.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::Data;
using testing_support::Shape;

class CudaParallelSeeding : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaParallelSeeding);

/// Three rounds on the GPU by parts and on the CPU at once. The factor decides how many are drawn.
template <class T>
void compare(const Data<T>& data, const std::vector<RowBlock>& parts, std::int64_t factor) {
  const auto gpu_passes = data.passes(Device::Cuda);
  const auto cpu_passes = data.passes(Device::Cpu);
  const auto gpu = gpu_passes->parallel_seeding();
  const auto cpu = cpu_passes->parallel_seeding();
  const RowBlock all{0, data.x.rows};
  std::vector<std::int64_t> seeds{data.x.rows / 2};
  std::int64_t count = 0;
  for (std::uint32_t round = 1; round < 4 && !seeds.empty(); ++round) {
    SCOPED_TRACE(round);
    Matrix<T> points(static_cast<std::int64_t>(seeds.size()), data.x.cols);
    for (std::int64_t s = 0; s < points.rows; ++s) {
      std::copy_n(data.x.view().row(seeds[static_cast<std::size_t>(s)]), data.x.cols,
                  points.view().row(s));
    }
    const double largest = cpu->add(all, points.view(), count);
    double gpu_largest = 0;
    for (const RowBlock part : parts) {
      gpu_largest = std::max(gpu_largest, gpu->add(part, points.view(), count));
    }
    ASSERT_EQ(gpu_largest, largest);
    count += points.rows;
    Oversampling sampling{.key = {.seed = 8, .purpose = Purpose::Oversampling, .round = round},
                          .scale = limb_scale(largest, limb_bits(data.x.rows)),
                          .factor = factor};
    sampling.total = cpu->total(all, sampling.scale);
    std::int64_t gpu_total = 0;
    for (const RowBlock part : parts) gpu_total += gpu->total(part, sampling.scale);
    ASSERT_EQ(gpu_total, sampling.total);
    if (sampling.total == 0) break;
    std::vector<std::int64_t> gpu_seeds;
    seeds.clear();
    cpu->draw(all, sampling, seeds);
    for (const RowBlock part : parts) gpu->draw(part, sampling, gpu_seeds);
    ASSERT_EQ(gpu_seeds, seeds);
  }
  std::vector<FixedSum> found(static_cast<std::size_t>(count)), expected = found;
  cpu->weigh(all, data.frame, expected);
  for (const RowBlock part : parts) gpu->weigh(part, data.frame, found);
  for (std::size_t s = 0; s < found.size(); ++s) {
    ASSERT_EQ(found[s].high, expected[s].high);
    ASSERT_EQ(found[s].low, expected[s].low);
  }
}

TEST_P(CudaParallelSeeding, EqualsTheCpus) {
  compare(Data<float>(1, 3, Shape::Blobs), {{0, 1}}, 4);
  compare(Data<float>(2500, 3, Shape::Blobs), {{0, 2500}}, 30);
  compare(Data<float>(2500, 3, Shape::Integers, true), {{0, 1}, {1, 1500}, {1501, 999}}, 9);
  compare(Data<double>(1025, 33, Shape::OffsetBlobs, true), {{0, 512}, {512, 513}}, 12);
}

TEST_P(CudaParallelSeeding, DrawsMoreRowsThanItHasRoomFor) {
  // Room is made for 2 * 1 + 1000 rows, but a total that is too small draws all of them.
  const Data<float> data(3000, 1, Shape::Blobs);
  const auto passes = data.passes(Device::Cuda);
  const auto gpu = passes->parallel_seeding();
  const std::vector<float> seed{1e6f};
  gpu->add({0, 3000}, {seed.data(), 1, 1, 1}, 0);
  std::vector<std::int64_t> rows;
  gpu->draw({0, 3000}, {.key = {.seed = 1}, .scale = 1, .total = 10, .factor = 1}, rows);
  ASSERT_EQ(rows.size(), 3000u);
  for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], static_cast<std::int64_t>(i));
}

}  // namespace
}  // namespace coterie
