#pragma once

#include "core/contract/measures.hpp"

namespace coterie::cpu {

/// The passes of core/contract/measures.hpp.
template <class T>
void pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx);

template <class T>
ClusterMoments cluster_moments(MatrixView<const T> x, const Grouping& groups, const Context& ctx);

template <class T>
void mean_distances(MatrixView<const T> x, const Grouping& groups,
                    std::span<const std::int64_t> rows, std::span<MeanDistances> out,
                    const Context& ctx);

template <class T>
void mean_squared_distances(MatrixView<const T> x, const Grouping& groups,
                            const ClusterMoments& moments, std::span<const std::int64_t> rows,
                            std::span<MeanDistances> out, const Context& ctx);

}  // namespace coterie::cpu
