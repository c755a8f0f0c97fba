#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/distances.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Rows grouped by label. Clusters are numbered in the order of their labels' values; cluster c's
/// rows are rows[first[c]] to rows[first[c + 1] - 1], ascending.
struct Grouping {
  std::vector<std::int32_t> cluster;  // of each row
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> first;  // clusters + 1

  std::int64_t clusters() const { return static_cast<std::int64_t>(first.size()) - 1; }
  std::int64_t size(std::int64_t c) const {
    return first[static_cast<std::size_t>(c) + 1] - first[static_cast<std::size_t>(c)];
  }
};

/// Per cluster the mean row and the sums of the rows' distances to it.
struct ClusterMoments {
  Matrix<double> means;                  // clusters x cols
  std::vector<double> distance;          // sum of the distances
  std::vector<double> squared_distance;  // sum of their squares
};

/// Mean distance of a row to the other rows of its cluster (0 when there are none), and to the rows
/// of the other cluster where it is least.
struct MeanDistances {
  double own = 0;
  double other = 0;
};

/// out(i, j) = canonical distance of x's row i and y's row j, rounded once to T.
template <class T>
using PairwiseDistances = void (*)(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                                   MatrixView<T> out, const Context& ctx);

/// In float64, the same bits for any number of threads.
template <class T>
using ClusterMomentsPass = ClusterMoments (*)(MatrixView<const T> x, const Grouping& groups,
                                              const Context& ctx);

/// out[i] for x's row rows[i] against all rows. A cluster's sum adds the Euclidean distances in the
/// order of Grouping::rows, one at a time, so that every device gets the same bits.
template <class T>
using MeanDistancesPass = void (*)(MatrixView<const T> x, const Grouping& groups,
                                   std::span<const std::int64_t> rows, std::span<MeanDistances> out,
                                   const Context& ctx);

/// The same for squared Euclidean distances, from the moments: the mean squared distance of a row
/// to a cluster is that to the cluster's mean plus the cluster's own mean squared distance to it.
template <class T>
using MeanSquaredDistancesPass = void (*)(MatrixView<const T> x, const Grouping& groups,
                                          const ClusterMoments& moments,
                                          std::span<const std::int64_t> rows,
                                          std::span<MeanDistances> out, const Context& ctx);

}  // namespace coterie
