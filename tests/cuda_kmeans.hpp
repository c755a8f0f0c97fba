#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/device.hpp"
#include "core/frame.hpp"
#include "cuda_test.hpp"
#include "rows.hpp"
#include "testing.hpp"

// What the tests of the GPU's k-means share: data, and models driven by hand through the contract.

namespace coterie::testing_support {

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
    for (std::int64_t row = 0; row < data.x.rows; ++row) {
      models[m].labels[static_cast<std::size_t>(row)] = passes.label(row, static_cast<int>(m));
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

}  // namespace coterie::testing_support
