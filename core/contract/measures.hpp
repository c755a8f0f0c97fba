#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "core/contract/host_device.hpp"
#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"
#include "coterie/distances.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Which cluster each row belongs to. Clusters are numbered in the order of their labels' values;
/// first[c] is the number of rows in the clusters before c.
struct Clusters {
  std::vector<std::int32_t> cluster;  // of each row
  std::vector<std::int64_t> first;    // clusters + 1

  std::int64_t clusters() const { return static_cast<std::int64_t>(first.size()) - 1; }
  std::int64_t size(std::int64_t c) const {
    return first[static_cast<std::size_t>(c) + 1] - first[static_cast<std::size_t>(c)];
  }
};

/// And the rows by cluster: those of cluster c are rows[first[c]] to rows[first[c + 1] - 1],
/// ascending.
struct Grouping : Clusters {
  std::vector<std::int64_t> rows;
};

/// Per cluster the mean row and the sum of the rows' distances to it.
struct ClusterMoments {
  Matrix<double> means;  // clusters x cols
  std::vector<double> distance;
};

/// The work of a cluster's moments on the device that holds the rows: integer sums, so that neither
/// order nor partition matters.
template <class T>
class ClusterPasses {
 public:
  virtual ~ClusterPasses() = default;
  virtual ColumnRange range() = 0;
  /// Per cluster and column the sum of x - shift: clusters x cols, scaled as the frame says.
  virtual std::vector<FixedSum> sums(const Frame& frame) = 0;
  /// Per cluster the sum of the rows' distances to its mean, limbs of `scale` and `bits`. The
  /// metric is Euclidean or squared Euclidean.
  virtual std::vector<FixedSum> distances(MatrixView<const double> means, Metric metric, int bits,
                                          double scale) = 0;
};

/// The passes over x's rows and their clusters, both of which outlive them.
template <class T>
using MakeClusterPasses = std::unique_ptr<ClusterPasses<T>> (*)(MatrixView<const T> x,
                                                                const Clusters& clusters,
                                                                const Context& ctx);

/// Mean distance of a row to the other rows of its cluster (0 when there are none), and to the rows
/// of the other cluster where it is least.
struct MeanDistances {
  double own = 0;
  double other = 0;
};

/// Rousseeuw's silhouette; 0 for a cluster of one row, or where all rows are equal.
COTERIE_HD inline double silhouette_of(const MeanDistances& means, bool alone) {
  const double most = means.own < means.other ? means.other : means.own;
  return alone || most == 0 ? 0 : (means.other - means.own) / most;
}

/// out(i, j) = distance_between() of x's row i and y's row j, rounded once to T. Where x and y are
/// one matrix, a row's distance to itself is 0. Returns whether all values of x and y are finite;
/// else out is left unsaid.
template <class T>
using PairwiseDistances = bool (*)(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                                   MatrixView<T> out, const Context& ctx);

/// The silhouette of some of x's rows, or of all of them where `rows` is empty, against all rows. A
/// cluster's sum adds the Euclidean distances in the order of Grouping::rows, one at a time, so
/// that every device gets the same bits. Returns whether all values of x are finite; else out is
/// left unsaid.
template <class T>
using Silhouettes = bool (*)(MatrixView<const T> x, const Grouping& groups,
                             std::span<const std::int64_t> rows, std::span<double> out,
                             const Context& ctx);

/// The same for squared Euclidean distances, from the moments: the mean squared distance of a row
/// to a cluster is that to the cluster's mean plus the cluster's own mean squared distance to it.
template <class T>
using SquaredSilhouettes = void (*)(MatrixView<const T> x, const Clusters& clusters,
                                    const ClusterMoments& moments,
                                    std::span<const std::int64_t> rows, std::span<double> out,
                                    const Context& ctx);

}  // namespace coterie
