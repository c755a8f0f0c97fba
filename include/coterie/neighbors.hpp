#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "coterie/context.hpp"
#include "coterie/export.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// How far apart two rows are.
enum class NeighborMetric {
  Euclidean,
  Manhattan,  // sum of the absolute differences
  Chebyshev,  // largest absolute difference
  Minkowski,  // p-th root of the sum of the absolute differences to the power of p
  Cosine,     // 1 - the cosine of the angle; 1 to and from a row of zeros, but 0 to itself
  Haversine   // angle at the centre of a sphere; the columns are latitude and longitude in radians
};

/// What makes a row a neighbour.
struct NeighborParams {
  NeighborMetric metric = NeighborMetric::Euclidean;
  double p = 2;  // of Minkowski, > 0
};

/// The nearest rows of each query, nearest first; equally near ones by ascending row.
struct NearestRows {
  Matrix<double> distances;   // queries x k
  Matrix<std::int64_t> rows;  // queries x k
};

/// The rows within a radius of each query, by ascending row: those of query i lie from starts[i] to
/// starts[i + 1].
struct RowsWithin {
  std::vector<std::int64_t> starts;  // queries + 1
  std::vector<std::int64_t> rows;
  std::vector<double> distances;
};

/// Exact neighbours of rows in linear memory, from a tree of blocks of 32 rows. Distances are
/// computed from differences in float64: the same bits for any number of threads, instruction set
/// and device.
template <class T>
class COTERIE_API NearestNeighbors {
 public:
  /// Puts x, which stays the caller's and must outlive this, into the tree: O(n log n) time, at
  /// most 4 * cols + 64 bytes a row. Throws std::invalid_argument when a value is not finite, when
  /// p is not positive, or when Haversine is not given two columns.
  explicit NearestNeighbors(MatrixView<const T> x, const NeighborParams& params = {},
                            const Context& ctx = {});
  ~NearestNeighbors();
  NearestNeighbors(NearestNeighbors&&) noexcept;
  NearestNeighbors& operator=(NearestNeighbors&&) noexcept;

  /// The k nearest rows of each query; 1 <= k <= x.rows. A query is no row of x, even where it lies
  /// in the same memory.
  NearestRows nearest(MatrixView<const T> queries, std::int64_t k, const Context& ctx = {}) const;
  /// The k nearest other rows of each row of x; 1 <= k < x.rows.
  NearestRows nearest_others(std::int64_t k, const Context& ctx = {}) const;
  /// The rows at a distance of at most `radius`, which is not negative.
  RowsWithin within(MatrixView<const T> queries, double radius, const Context& ctx = {}) const;
  /// The other rows at a distance of at most `radius` of each row of x.
  RowsWithin others_within(double radius, const Context& ctx = {}) const;

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
};

extern template class COTERIE_API NearestNeighbors<float>;
extern template class COTERIE_API NearestNeighbors<double>;

}  // namespace coterie
