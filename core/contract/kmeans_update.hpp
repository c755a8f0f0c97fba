#pragma once

#include <cstdint>

#include "core/contract/fixed_point.hpp"

namespace coterie {

/// A cluster's mean in one column: of `sum` and the cluster's weight as doubles.
COTERIE_HD inline double mean_of(double sum, double weight, double shift) {
  return shift + sum / weight;
}

/// Whether the iterations end with this move, as in scikit-learn: no row changed its cluster, or
/// the centroids moved by `shift` (their squared distances, added in ascending order) or less.
COTERIE_HD inline bool stops(std::int64_t changed, double shift, double tolerance,
                             std::int64_t moves_left) {
  return changed == 0 || shift <= tolerance || moves_left == 0;
}

}  // namespace coterie
