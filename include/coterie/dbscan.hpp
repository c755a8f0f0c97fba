#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"
#include "coterie/neighbors.hpp"

namespace coterie {

struct DbscanParams {
  double eps = 0.5;              // rows at most so far apart are neighbours; > 0
  std::int64_t min_samples = 5;  // weight of a core row's neighbours, itself included; >= 1
  NeighborParams neighbors = {};
};

struct DbscanResult {
  std::vector<std::int32_t> labels;     // of each row; -1: noise
  std::vector<std::int64_t> core_rows;  // ascending
  std::int64_t clusters = 0;
};

/// DBSCAN (Ester, Kriegel, Sander, Xu, "A density-based algorithm for discovering clusters in large
/// spatial databases with noise", 1996), exact. A cluster's number is the rank of its smallest core
/// row; a row that is not core takes the smallest number among the core rows in its reach, so the
/// labels depend on nothing but x. Weights (empty: all 1) may be negative; sums of them are exact
/// to 2^-80 of the largest (of min_samples, if that is less and none is negative), for up to 2^22
/// rows. Throws std::invalid_argument when eps is not positive, min_samples < 1, a value or a
/// weight is not finite, or sizes disagree. At most 4 * cols + 64 bytes a row; time near O(n log n)
/// where eps reaches few rows and cols is small, O(n^2 * cols) at worst.
template <class T>
DbscanResult dbscan(MatrixView<const T> x, std::span<const double> weights = {},
                    const DbscanParams& params = {}, const Context& ctx = {});

/// Gives new rows the labels of a clustering: that of the nearest core row where this lies within
/// eps, the smallest label of equally near ones; else -1.
template <class T>
class COTERIE_API DbscanPredictor {
 public:
  /// Copies the core rows, which lie in host memory, and their labels, and puts them into a tree.
  /// Throws std::invalid_argument as dbscan does, or when a core row's label is below 0.
  DbscanPredictor(MatrixView<const T> core, std::span<const std::int32_t> labels,
                  const DbscanParams& params = {}, const Context& ctx = {});

  /// The queries lie in host memory.
  std::vector<std::int32_t> predict(MatrixView<const T> queries, const Context& ctx = {}) const;

 private:
  DbscanParams params_;
  std::vector<std::int32_t> labels_;  // ascending
  Matrix<T> core_;                    // in the order of their labels
  NearestNeighbors<T> tree_;
};

/// Distances as a sparse matrix: the entries of row i lie from starts[i] to starts[i + 1]. Rows
/// without an entry between them are out of reach, but a row is at distance 0 from itself.
struct DistanceGraph {
  std::span<const std::int64_t> starts;  // rows + 1
  std::span<const std::int64_t> columns;
  std::span<const double> distances;
};

/// DBSCAN from distances that are given, a square matrix or a graph; `params.neighbors` is ignored.
/// They are read along the rows and need not be symmetric: clusters grow from the core rows in
/// ascending order, each taking what can be reached along core rows and no cluster has yet. On the
/// CPU, in O(n) memory. Throws std::invalid_argument as dbscan does, or when a distance is
/// negative.
template <class T>
DbscanResult dbscan_precomputed(MatrixView<const T> distances, std::span<const double> weights = {},
                                const DbscanParams& params = {}, const Context& ctx = {});
COTERIE_API DbscanResult dbscan_precomputed(const DistanceGraph& graph,
                                            std::span<const double> weights = {},
                                            const DbscanParams& params = {},
                                            const Context& ctx = {});

extern template class COTERIE_API DbscanPredictor<float>;
extern template class COTERIE_API DbscanPredictor<double>;
extern template COTERIE_API DbscanResult dbscan(MatrixView<const float>, std::span<const double>,
                                                const DbscanParams&, const Context&);
extern template COTERIE_API DbscanResult dbscan(MatrixView<const double>, std::span<const double>,
                                                const DbscanParams&, const Context&);
extern template COTERIE_API DbscanResult dbscan_precomputed(MatrixView<const float>,
                                                            std::span<const double>,
                                                            const DbscanParams&, const Context&);
extern template COTERIE_API DbscanResult dbscan_precomputed(MatrixView<const double>,
                                                            std::span<const double>,
                                                            const DbscanParams&, const Context&);

}  // namespace coterie
