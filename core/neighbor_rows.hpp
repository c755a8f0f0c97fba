#pragma once

#include <cstdint>
#include <vector>

#include "core/contract/neighbor_metric.hpp"
#include "coterie/context.hpp"
#include "coterie/matrix.hpp"
#include "coterie/neighbors.hpp"

namespace coterie {

inline PairMetric pair_metric(const NeighborParams& params) { return {params.metric, params.p}; }

/// What rows must be so that neighbours can be searched among them: finite, of two columns of
/// angles for Haversine, at most kMostNeighborRows; and Minkowski's p finite and above 0.
template <class T>
void require_neighbor_rows(MatrixView<const T> x, const char* name, const NeighborParams& params,
                           const Context& ctx);

/// The rows that have a direction, for Cosine: those of zeros are `zeros`, ascending. A copy in
/// host memory where some had to be left out or x lies on a GPU.
template <class T>
struct DirectedRows {
  MatrixView<const T> rows;
  std::vector<std::int64_t> zeros;
  Matrix<T> copy;
};

template <class T>
DirectedRows<T> directed_rows(MatrixView<const T> x, const Context& ctx);

extern template void require_neighbor_rows(MatrixView<const float>, const char*,
                                           const NeighborParams&, const Context&);
extern template void require_neighbor_rows(MatrixView<const double>, const char*,
                                           const NeighborParams&, const Context&);
extern template DirectedRows<float> directed_rows(MatrixView<const float>, const Context&);
extern template DirectedRows<double> directed_rows(MatrixView<const double>, const Context&);

}  // namespace coterie
