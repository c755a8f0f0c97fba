#pragma once

#include <cstdint>

#include "core/kmeans_loop.hpp"

namespace coterie {

/// Starting centroids by k-means|| (Bahmani et al., "Scalable k-means++", 2012): five rounds, each
/// drawing about 2 * clusters rows at once in proportion to their squared distance to the rows
/// drawn so far; then k-means, from k-means++ seeds, of these rows alone, weighted by the rows that
/// each is nearest to.
template <class T>
Matrix<T> parallel_starts(const KMeansSource<T>& source, const Frame& frame, std::int64_t clusters,
                          std::uint32_t restart, const KMeansParams& params, const Context& ctx);

}  // namespace coterie
