#pragma once

#include <cstdint>
#include <vector>

#include "core/kmeans_loop.hpp"

namespace coterie {

/// Candidates of a k-means++ round: scikit-learn's 2 + floor(ln clusters) unless params say.
int seeding_trials(std::int64_t clusters, const KMeansParams& params);

/// The first `clusters` rows that greedy k-means++ picks (Arthur & Vassilvitskii 2007, with
/// several candidates a round). Fewer clusters from as many trials are a prefix.
template <class T>
std::vector<std::int64_t> plus_plus_rows(const KMeansSource<T>& source, const Frame& frame,
                                         std::int64_t clusters, int trials, std::uint32_t restart,
                                         std::uint64_t seed, const Context& ctx);

/// `clusters` distinct rows, drawn without replacement in proportion to their weights. Fewer
/// clusters are a prefix.
std::vector<std::int64_t> random_rows(std::int64_t rows, std::span<const double> weights,
                                      std::int64_t clusters, std::uint32_t restart,
                                      std::uint64_t seed);

}  // namespace coterie
