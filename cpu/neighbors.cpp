#include "cpu/neighbors.hpp"

#include <algorithm>
#include <cmath>

#include "cpu/column_facts.hpp"

namespace coterie::cpu {
namespace {

/// The largest |x - shift|.
double largest_offset(const ColumnRange& range, const double* shift) {
  double largest = 0;
  for (std::size_t j = 0; j < range.low.size(); ++j) {
    const double origin = shift == nullptr ? 0 : shift[j];
    largest =
        std::max({largest, std::abs(range.low[j] - origin), std::abs(range.high[j] - origin)});
  }
  return largest;
}

/// About the median of each column: rows of float64 are brought around 0, where float32 is finest,
/// and a few far ones do not matter. Those of float32 are exact as they are.
template <class T>
std::vector<double> shift_for(MatrixView<const T> x, const PairMetric& metric) {
  constexpr std::int64_t kMostLooked = 256;
  const bool bounded =
      metric.metric == NeighborMetric::Cosine || metric.metric == NeighborMetric::Haversine;
  if (bounded || sizeof(T) == sizeof(float)) return {};
  std::vector<double> medians;
  const std::int64_t step = (x.rows + kMostLooked - 1) / kMostLooked;
  for (std::int64_t j = 0; j < x.cols; ++j) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < x.rows; i += step) values.push_back(static_cast<double>(x(i, j)));
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    medians.push_back(*middle);
  }
  return medians;
}

}  // namespace

template <class T>
CpuNeighborPasses<T>::CpuNeighborPasses(MatrixView<const T> x, const PairMetric& metric,
                                        const Context& ctx)
    : x_(x) {
  const ColumnRange range = column_range(x, {0, x.rows}, ctx);
  shift_ = shift_for(x, metric);
  const double* shift = shift_.empty() ? nullptr : shift_.data();
  filter_ = pair_filter<T>(metric, x.cols, shift, largest_offset(range, shift));
  order_ = spatial_order(x, filter_, range, ctx);
}

template <class T>
const BlockTree& CpuNeighborPasses<T>::tree(const Context& ctx) {
  if (!order_.empty()) {
    tree_ = OwnedTree(x_, filter_, order_, ctx);  // which may be interrupted
    order_ = {};
  }
  return tree_.view();
}

template <class T>
QueryLeaves query_leaves(MatrixView<const T> queries, const PairFilter& filter,
                         const Context& ctx) {
  const ColumnRange range = column_range(queries, {0, queries.rows}, ctx);
  QueryLeaves leaves{with_queries(filter, largest_offset(range, filter.shift)), {}};
  leaves.tree =
      OwnedTree(queries, leaves.filter, spatial_order(queries, leaves.filter, range, ctx), ctx);
  return leaves;
}

template <class T>
std::unique_ptr<NeighborPasses<T>> neighbor_passes(MatrixView<const T> x, const PairMetric& metric,
                                                   const Context& ctx) {
  return std::make_unique<CpuNeighborPasses<T>>(x, metric, ctx);
}

template std::unique_ptr<NeighborPasses<float>> neighbor_passes(MatrixView<const float>,
                                                                const PairMetric&, const Context&);
template std::unique_ptr<NeighborPasses<double>> neighbor_passes(MatrixView<const double>,
                                                                 const PairMetric&, const Context&);
template const BlockTree& CpuNeighborPasses<float>::tree(const Context&);
template const BlockTree& CpuNeighborPasses<double>::tree(const Context&);
template QueryLeaves query_leaves(MatrixView<const float>, const PairFilter&, const Context&);
template QueryLeaves query_leaves(MatrixView<const double>, const PairFilter&, const Context&);

}  // namespace coterie::cpu
