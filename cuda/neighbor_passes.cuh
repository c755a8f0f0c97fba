#pragma once

#include "core/contract/neighbors.hpp"

namespace coterie::cuda {

template <class T>
std::unique_ptr<NeighborPasses<T>> neighbor_passes(MatrixView<const T> x, const PairMetric& metric,
                                                   const Context& ctx);

}  // namespace coterie::cuda
