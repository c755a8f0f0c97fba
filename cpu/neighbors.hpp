#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/contract/neighbors.hpp"
#include "core/contract/pair_filter.hpp"
#include "cpu/block_tree.hpp"

namespace coterie::cpu {

/// Rows under Cosine have a direction: none is all zeros.
template <class T>
class CpuNeighborPasses final : public NeighborPasses<T> {
 public:
  CpuNeighborPasses(MatrixView<const T> x, const PairMetric& metric, const Context& ctx);

  void find_core(double key, std::span<const double> weights, double least,
                 std::span<std::uint8_t> core, const Context& ctx) override;
  void connect(double key, std::span<const std::uint8_t> core, std::span<std::int32_t> roots,
               const Context& ctx) override;
  void nearest(MatrixView<const T> queries, std::int64_t k, std::span<std::int64_t> rows,
               std::span<double> keys, const Context& ctx) override;
  void nearest_others(std::int64_t k, std::span<std::int64_t> rows, std::span<double> keys,
                      const Context& ctx) override;
  void count_within(MatrixView<const T> queries, double key, std::span<std::int64_t> counts,
                    const Context& ctx) override;
  void list_within(MatrixView<const T> queries, double key, std::span<const std::int64_t> starts,
                   std::span<std::int64_t> rows, std::span<double> keys,
                   const Context& ctx) override;

 private:
  bool is_x(MatrixView<const T> queries) const {
    return queries.data == x_.data && queries.rows == x_.rows && queries.stride == x_.stride;
  }
  /// The rows' tree, built when it is first needed, and again after connect().
  const BlockTree& tree(const Context& ctx);

  MatrixView<const T> x_;
  std::vector<double> shift_;  // of float64 rows
  PairFilter filter_;
  std::vector<std::int32_t> order_;  // while there is no tree
  OwnedTree tree_;
};

/// Queries in leaves of their own, and what may be said of pairs of them and the rows.
struct QueryLeaves {
  PairFilter filter;
  OwnedTree tree;
};
template <class T>
QueryLeaves query_leaves(MatrixView<const T> queries, const PairFilter& filter, const Context& ctx);

template <class T>
std::unique_ptr<NeighborPasses<T>> neighbor_passes(MatrixView<const T> x, const PairMetric& metric,
                                                   const Context& ctx);

}  // namespace coterie::cpu
