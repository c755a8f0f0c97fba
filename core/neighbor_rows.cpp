#include "core/neighbor_rows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checks.hpp"
#include "core/contract/neighbors.hpp"
#include "core/device.hpp"

namespace coterie {
namespace {

/// Also sees whether the angles are finite.
template <class T>
void require_angles(MatrixView<const T> x, const char* name, const Context& ctx) {
  require_argument(x.cols == 2, name,
                   " must have 2 columns for haversine, latitude and longitude, ", "got ", x.cols);
  const auto passes = choose(x.memory, ctx, &DeviceFunctions<T>::kmeans, name)(x, {}, ctx);
  const ColumnRange range = passes->range({0, x.rows});
  if (range.bad_row >= 0) require_finite(x, name, ctx);
  const double largest = largest_magnitude(range);
  require_argument(largest <= kLargestAngle, name, " must hold angles in radians of at most ",
                   kLargestAngle, " for haversine, got ", largest);
}

template <class T>
Matrix<T> fetched(MatrixView<const T> x, const Context& ctx) {
  constexpr std::int64_t kBlockRows = 1 << 16;
  Matrix<T> copy(x.rows, x.cols);
  const auto copy_rows = choose(x.memory, ctx, &DeviceFunctions<T>::copy_rows, "cosine");
  std::vector<std::int64_t> rows;
  for (std::int64_t start = 0; start < x.rows; start += kBlockRows) {
    rows.resize(static_cast<std::size_t>(std::min(kBlockRows, x.rows - start)));
    std::iota(rows.begin(), rows.end(), start);
    copy_rows(x, rows, copy.view().row(start), ctx);
  }
  return copy;
}

template <class T>
std::vector<std::int64_t> rows_of_zeros(MatrixView<const T> x) {
  std::vector<std::int64_t> zeros;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const T* const row = x.row(i);
    if (std::all_of(row, row + x.cols, [](T value) { return value == 0; })) zeros.push_back(i);
  }
  return zeros;
}

}  // namespace

template <class T>
void require_neighbor_rows(MatrixView<const T> x, const char* name, const NeighborParams& params,
                           const Context& ctx) {
  require_shape(x, name);
  require_argument(x.rows <= kMostNeighborRows, name, " must have at most ", kMostNeighborRows,
                   " rows, got ", x.rows);
  const bool needs_p = params.metric == NeighborMetric::Minkowski;
  require_argument(!needs_p || (params.p > 0 && std::isfinite(params.p)),
                   "p must be finite and above 0, got ", params.p);
  if (params.metric == NeighborMetric::Haversine) return require_angles(x, name, ctx);
  require_finite(x, name, ctx);
}

template <class T>
DirectedRows<T> directed_rows(MatrixView<const T> x, const Context& ctx) {
  DirectedRows<T> directed;
  if (x.memory == Memory::Device) {
    directed.copy = fetched(x, ctx);
    x = std::as_const(directed.copy).view();
  }
  directed.zeros = rows_of_zeros(x);
  directed.rows = x;
  if (directed.zeros.empty()) return directed;
  Matrix<T> kept(x.rows - static_cast<std::int64_t>(directed.zeros.size()), x.cols);
  T* next = kept.values.data();
  auto zero = directed.zeros.begin();
  for (std::int64_t i = 0; i < x.rows; ++i) {
    if (zero != directed.zeros.end() && *zero == i) {
      ++zero;
    } else {
      next = std::copy_n(x.row(i), x.cols, next);
    }
  }
  directed.copy = std::move(kept);
  directed.rows = std::as_const(directed.copy).view();
  return directed;
}

template void require_neighbor_rows(MatrixView<const float>, const char*, const NeighborParams&,
                                    const Context&);
template void require_neighbor_rows(MatrixView<const double>, const char*, const NeighborParams&,
                                    const Context&);
template DirectedRows<float> directed_rows(MatrixView<const float>, const Context&);
template DirectedRows<double> directed_rows(MatrixView<const double>, const Context&);

}  // namespace coterie
