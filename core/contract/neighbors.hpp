#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/contract/neighbor_metric.hpp"
#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Rows in a block tree on one device, and the passes over pairs of them. Near and far are decided
/// by canonical keys (PairMetric): a monotone function of the distance, in float64.
template <class T>
class NeighborPasses {
 public:
  virtual ~NeighborPasses() = default;

  /// core[i] = whether the weights (empty: all 1) of the rows whose key to row i is at most `key`,
  /// row i included, sum to at least `least`. The sum is exact, then rounded once.
  virtual void find_core(double key, std::span<const double> weights, double least,
                         std::span<std::uint8_t> core, const Context& ctx) = 0;
  /// roots[i] = for a core row the smallest core row of its component, for another the smallest
  /// such root among the core rows in reach, -1 where there is none.
  virtual void connect(double key, std::span<const std::uint8_t> core,
                       std::span<std::int32_t> roots, const Context& ctx) = 0;
  /// The k rows of the smallest keys to each query, ascending by key, then row; queries x k.
  virtual void nearest(MatrixView<const T> queries, std::int64_t k, std::span<std::int64_t> rows,
                       std::span<double> keys, const Context& ctx) = 0;
  /// The same for each row in the tree, without itself.
  virtual void nearest_others(std::int64_t k, std::span<std::int64_t> rows, std::span<double> keys,
                              const Context& ctx) = 0;
  /// How many rows lie within `key` of each query.
  virtual void count_within(MatrixView<const T> queries, double key, std::span<std::int64_t> counts,
                            const Context& ctx) = 0;
  /// These rows, ascending, and their keys, from starts[i] on.
  virtual void list_within(MatrixView<const T> queries, double key,
                           std::span<const std::int64_t> starts, std::span<std::int64_t> rows,
                           std::span<double> keys, const Context& ctx) = 0;
};

/// The rows stay the caller's and outlive the passes; at most kMostNeighborRows of them, finite.
template <class T>
using MakeNeighborPasses = std::unique_ptr<NeighborPasses<T>> (*)(MatrixView<const T> x,
                                                                  const PairMetric& metric,
                                                                  const Context& ctx);
inline constexpr std::int64_t kMostNeighborRows = (std::int64_t{1} << 31) - 1;

/// A missing value: which of the queries, and which of its columns.
struct MissingCell {
  std::int32_t query = 0;
  std::int32_t col = 0;
};

/// For each missing cell, given in ascending order of queries, the `k` rows of x nearest to its
/// query that have the column, ascending by key, then row; -1 and infinity where there are fewer.
/// The key is the squared distance over the columns which both rows have (canonical, ascending
/// columns), times cols over their number; rows that share none are no donors.
template <class T>
using FindDonors = void (*)(MatrixView<const T> x, MatrixView<const T> queries,
                            std::span<const MissingCell> cells, std::int64_t k,
                            std::span<std::int32_t> rows, std::span<double> keys,
                            const Context& ctx);

}  // namespace coterie
