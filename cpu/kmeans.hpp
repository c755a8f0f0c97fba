#pragma once

#include <memory>
#include <span>

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"

namespace coterie::cpu {

/// The passes of k-means over rows in memory. `ctx` outlives them.
template <class T>
std::unique_ptr<KMeansPasses<T>> kmeans_passes(MatrixView<const T> x,
                                               std::span<const double> weights, const Context& ctx);

}  // namespace coterie::cpu
