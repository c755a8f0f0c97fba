#pragma once

#include "core/contract/measures.hpp"

namespace coterie::cpu {

/// The passes of core/contract/measures.hpp.
template <class T>
bool pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx);

template <class T>
std::unique_ptr<ClusterPasses<T>> cluster_passes(MatrixView<const T> x, const Clusters& clusters,
                                                 const Context& ctx);

template <class T>
bool silhouettes(MatrixView<const T> x, const Grouping& groups, std::span<const std::int64_t> rows,
                 std::span<double> out, const Context& ctx);

template <class T>
void squared_silhouettes(MatrixView<const T> x, const Clusters& clusters,
                         const ClusterMoments& moments, std::span<const std::int64_t> rows,
                         std::span<double> out, const Context& ctx);

}  // namespace coterie::cpu
