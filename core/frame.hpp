#pragma once

#include <cstdint>
#include <string>

#include "core/contract/kmeans.hpp"

namespace coterie {

/// How the sums of `rows` rows in `range` are scaled when no weight exceeds `max_weight`. Throws
/// std::invalid_argument when sums of weight * squared distance would overflow float64.
Frame make_frame(const ColumnRange& range, std::int64_t rows, double max_weight);

/// Mean of the columns' variances (divisor rows).
double mean_variance(const SpreadSums& sums, const Frame& frame, std::int64_t rows);

/// An upper bound of weight * squared distance between any row and any of the centroids.
template <class T>
double distance_bound(const Frame& frame, double max_weight, MatrixView<const T> centroids);

}  // namespace coterie
