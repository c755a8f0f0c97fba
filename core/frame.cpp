#include "core/frame.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace coterie {
namespace {

/// A column's middle, rounded to a millionth of its range: then x - shift is a multiple of the last
/// bit of x or of that millionth, and one limb holds nearly every float32 value exactly.
double coarse_middle(double low, double high) {
  if (low == high) return low;  // a constant column's mean is its value, to the last bit
  const double middle = low / 2 + high / 2;
  int exponent;
  std::frexp(high / 2 - low / 2, &exponent);
  const double step = std::ldexp(1.0, exponent - 20);
  const double steps = middle / step;
  return step > 0 && std::isfinite(steps) ? std::nearbyint(steps) * step : middle;
}

}  // namespace

Frame make_frame(const ColumnRange& range, std::int64_t rows, double max_weight) {
  Frame frame;
  frame.bits = limb_bits(rows);
  frame.weight_scale = limb_scale(max_weight, frame.bits);
  frame.magnitude_scale = magnitude_scale(largest_magnitude(range));
  double squared_diameter = 0;
  for (std::size_t j = 0; j < range.low.size(); ++j) {
    const double shift = coarse_middle(range.low[j], range.high[j]);
    // Rounding is monotone, so the ends reach at least as far as any row between them.
    const double reach = std::max(range.high[j] - shift, shift - range.low[j]);
    frame.shift.push_back(shift);
    frame.reach.push_back(reach);
    frame.scale.push_back(limb_scale(max_weight * reach, frame.bits));
    squared_diameter += 4 * reach * reach;
  }
  const double largest_sum =
      std::max(squared_diameter, 1.0) * std::max(max_weight, 1.0) * static_cast<double>(rows);
  if (!std::isfinite(largest_sum)) {
    throw std::invalid_argument(
        "x or its weights span too wide a range: sums of weight * squared distance overflow "
        "float64; scale them down");
  }
  return frame;
}

double mean_variance(const SpreadSums& sums, const Frame& frame, std::int64_t rows) {
  double total = 0;
  const auto n = static_cast<double>(rows);
  for (std::size_t j = 0; j < sums.sum.size(); ++j) {
    const double reach = frame.reach[j];
    const double mean = from_limbs(sums.sum[j], frame.bits, limb_scale(reach, frame.bits)) / n;
    const double mean_square =
        from_limbs(sums.square[j], frame.bits, limb_scale(reach * reach, frame.bits)) / n;
    total += std::max(0.0, mean_square - mean * mean);
  }
  return total / static_cast<double>(sums.sum.size());
}

template <class T>
double distance_bound(const Frame& frame, double max_weight, MatrixView<const T> centroids) {
  double bound = 0;
  for (std::int64_t j = 0; j < centroids.cols; ++j) {
    const auto column = static_cast<std::size_t>(j);
    double farthest = 0;
    for (std::int64_t c = 0; c < centroids.rows; ++c) {
      farthest =
          std::max(farthest, std::abs(static_cast<double>(centroids(c, j)) - frame.shift[column]));
    }
    const double side = frame.reach[column] + farthest;
    bound += side * side;
  }
  return 1.001 * max_weight * bound;  // more than these few roundings can take away
}

template double distance_bound(const Frame&, double, MatrixView<const float>);
template double distance_bound(const Frame&, double, MatrixView<const double>);

}  // namespace coterie
