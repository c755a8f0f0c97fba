#pragma once

#include <memory>
#include <span>

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"

namespace coterie::cuda {

/// The passes of k-means over rows that are copied to the device. `ctx` outlives them.
template <class T>
std::unique_ptr<KMeansPasses<T>> kmeans_passes(MatrixView<const T> x,
                                               std::span<const double> weights, const Context& ctx);

}  // namespace coterie::cuda
