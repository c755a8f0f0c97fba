#pragma once

#include <cstdint>
#include <span>

#include "core/contract/measures.hpp"

namespace coterie {

/// Numbers the clusters of rows with these labels. Throws std::invalid_argument unless there is a
/// label for each row and 2 to rows - 1 distinct ones: no measure here means anything otherwise.
Clusters number_clusters(std::span<const std::int32_t> labels, std::int64_t rows);

/// The same, and sorts the rows by cluster.
Grouping group_rows(std::span<const std::int32_t> labels, std::int64_t rows);

}  // namespace coterie
