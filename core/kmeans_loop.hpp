#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "coterie/kmeans.hpp"

namespace coterie {

/// The rows that k-means runs over, as the loop sees them.
template <class T>
struct KMeansSource {
  KMeansPasses<T>& passes;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::span<const double> weights = {};  // empty: all 1
  std::int64_t block_rows = 0;           // rows a pass takes at a time; 0: all

  /// Calls use(block) for consecutive blocks.
  template <class Use>
  void for_each_block(const Use& use) const {
    const std::int64_t step = block_rows > 0 ? block_rows : rows;
    for (std::int64_t first = 0; first < rows; first += step) {
      use(RowBlock{first, step < rows - first ? step : rows - first});
    }
  }
  double max_weight() const { return weights.empty() ? 1.0 : *std::ranges::max_element(weights); }
  double weight(std::int64_t row) const {
    return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(row)];
  }
};

/// How a source's sums are scaled. Throws std::invalid_argument when a value is not finite.
template <class T>
Frame frame_of(const KMeansSource<T>& source);

/// Fits every model; params and models were checked.
template <class T>
std::vector<KMeansResult<T>> run_kmeans(const KMeansSource<T>& source, const Frame& frame,
                                        std::span<const KMeansModel<T>> models,
                                        const KMeansParams& params, const Context& ctx);

/// Labels and inertia for given centroids.
template <class T>
Assignment run_assign(const KMeansSource<T>& source, const Frame& frame,
                      MatrixView<const T> centroids);

/// Labels alone. Throws std::invalid_argument when a value of a row is not finite.
template <class T>
void run_predict(const KMeansSource<T>& source, MatrixView<const T> centroids,
                 std::span<std::int32_t> labels);

}  // namespace coterie
