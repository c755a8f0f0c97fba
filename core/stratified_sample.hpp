#pragma once

#include <cstdint>
#include <vector>

#include "core/contract/measures.hpp"

namespace coterie {

/// How many rows of each cluster make a sample of `sample_size`: in proportion to the clusters, but
/// no fewer than 2 of each where sample_size allows it (a variance needs two), else 1.
/// Throws std::invalid_argument when sample_size < clusters; needs sample_size <= rows.
std::vector<std::int64_t> allocate_sample(const Grouping& groups, std::int64_t sample_size);

/// That many rows of each cluster without replacement, cluster by cluster. The draw is keyed by the
/// row, so a cluster's rows do not depend on the other clusters.
std::vector<std::int64_t> draw_sample(const Grouping& groups,
                                      const std::vector<std::int64_t>& sizes, std::uint64_t seed);

}  // namespace coterie
