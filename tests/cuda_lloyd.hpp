#pragma once

#include <utility>
#include <vector>

#include "cuda_kmeans.hpp"

// Lloyd's pass on the GPU against the CPU's, through the contract.

namespace coterie::testing_support {

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
              nearest_centroid(data.x.view().row(i), std::as_const(model.centroids).view()))
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

}  // namespace coterie::testing_support
