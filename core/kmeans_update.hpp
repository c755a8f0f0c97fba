#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/kmeans_loop.hpp"

namespace coterie {

/// The clusters of no weight, ascending.
std::vector<std::int64_t> empty_clusters(const LloydSums& sums);

/// Gives each empty cluster one of the rows farthest from their own centroid, taken from the sums
/// of the cluster it is in (never its last row of positive weight). `far` are candidates, farthest
/// first; rows that equal their centroid stay.
template <class T>
void relocate(const KMeansSource<T>& source, const Frame& frame, int slot,
              std::span<const std::int64_t> empty, std::span<const FarRow> far, LloydSums& sums);

/// Each cluster's weighted mean; a cluster that is still empty goes to the heaviest cluster's.
template <class T>
Matrix<T> means(const LloydSums& sums, const Frame& frame, std::int64_t clusters,
                std::int64_t cols);

/// Sum over the clusters of the squared distance moved.
template <class T>
double squared_shift(MatrixView<const T> before, MatrixView<const T> after);

}  // namespace coterie
