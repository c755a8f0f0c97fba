#pragma once

#include <cstdint>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "core/contract/pair_filter.hpp"
#include "coterie/context.hpp"
#include "coterie/matrix.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {

/// What rows are ordered by: the filter's points before their last rounding, but for Haversine's,
/// which go by the angles.
template <class T>
class Coordinates {
 public:
  Coordinates(MatrixView<const T> x, const PairFilter& filter, const Context& ctx)
      : x_(x), filter_(filter) {
    if (filter.metric.metric != NeighborMetric::Cosine) return;
    directions_.resize(static_cast<std::size_t>(x.rows));
    parallel_for(ctx, chunk_count(x.rows), [&](std::int64_t chunk, int) {
      const RowBlock rows = chunk_of({0, x.rows}, chunk);
      for (std::int64_t i = rows.first; i < rows.first + rows.rows; ++i) {
        directions_[static_cast<std::size_t>(i)] = direction_of(x.row(i), x.cols);
      }
    });
  }

  double at(std::int64_t row, std::int64_t col) const {
    const double value = static_cast<double>(x_(row, col));
    if (!directions_.empty()) {
      const Direction& direction = directions_[static_cast<std::size_t>(row)];
      return value * direction.scale * direction.inverse;
    }
    return moved(value, col);
  }
  /// Where the columns' ranges end.
  double low(const ColumnRange& range, std::int64_t col) const {
    return directions_.empty() ? moved(range.low[static_cast<std::size_t>(col)], col) : -1;
  }
  double high(const ColumnRange& range, std::int64_t col) const {
    return directions_.empty() ? moved(range.high[static_cast<std::size_t>(col)], col) : 1;
  }

 private:
  double moved(double value, std::int64_t col) const {
    const double shift = filter_.shift == nullptr ? 0 : filter_.shift[col];
    return PairFilter::within_range((value - shift) * filter_.scale);
  }

  MatrixView<const T> x_;
  const PairFilter& filter_;
  std::vector<Direction> directions_;  // of Cosine's rows
};

}  // namespace coterie::cpu
