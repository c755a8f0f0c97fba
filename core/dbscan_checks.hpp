#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "coterie/dbscan.hpp"

namespace coterie {

/// Throws std::invalid_argument unless eps and min_samples are above 0 and there is a finite weight
/// for each row, or none at all.
void require_dbscan(const DbscanParams& params, std::span<const double> weights, std::int64_t rows);

/// The weights cut down to min_samples where some are above and none is negative, else none: a
/// neighbour that heavy makes a row core by itself, and far above, the bits of the others would go.
std::vector<double> bounded_weights(std::span<const double> weights, std::int64_t min_samples);

/// Sums of weights (empty: all 1) in which neither order nor partition matters, rounded once.
class WeightSums {
 public:
  WeightSums(std::span<const double> weights, std::int64_t rows);

  void add(std::int64_t row, FixedSum& sum) const;
  double rounded(const FixedSum& sum) const { return from_limbs(sum, bits_, scale_); }

 private:
  std::span<const double> weights_;
  int bits_;
  double scale_;
  double limb_;
};

/// The rows that are core, ascending.
std::vector<std::int64_t> listed(std::span<const std::uint8_t> core);

}  // namespace coterie
