#pragma once

#include "core/contract/measures.hpp"
#include "coterie/context.hpp"

namespace coterie {

/// Means from integer sums and, for Euclidean or squared Euclidean, the sums of the distances to
/// them; the same bits on any device. `what` names the call.
/// Throws std::invalid_argument where a value is not finite or sums would overflow.
template <class T>
ClusterMoments cluster_moments(MatrixView<const T> x, const Clusters& clusters, Metric metric,
                               const char* what, const Context& ctx);

extern template ClusterMoments cluster_moments(MatrixView<const float>, const Clusters&, Metric,
                                               const char*, const Context&);
extern template ClusterMoments cluster_moments(MatrixView<const double>, const Clusters&, Metric,
                                               const char*, const Context&);

}  // namespace coterie
