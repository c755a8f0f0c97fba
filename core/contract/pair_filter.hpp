#pragma once

#include <cmath>
#include <cstdint>

#include "core/contract/block_tree.hpp"
#include "core/contract/host_device.hpp"
#include "core/contract/neighbor_metric.hpp"

namespace coterie {

/// Which float32 point stands for a row, and what the float32 value D of two points says about the
/// canonical key of their rows. D is the value of the form (FilterForm).
///
/// Why it holds. Let N be the norm of the form (L2, L1 or the largest) between the exact rows,
/// scaled; D is N, or its square, but for
///  - the rounding of points: each column is off by at most `rounding` of what it stands for, so
///    that the norm of a pair is off by at most away = 2 * rounding * sqrt(cols) (L2), 2 * rounding
///    * cols (L1) or 2 * rounding;
///  - the rounding of D: relatively by at most gamma = k u / (1 - k u), u = 2^-24, k = cols + 6
///    (two for the difference, one for the square, cols for the additions; what is left over also
///    covers the canonical key's own (cols + 3) 2^-53), and by at most 2^-126 a column where
///    squares vanish.
/// Minkowski's distance L_p is compared with L2: with f = cols^(1/2 - 1/p), L_2 <= max(1, f) L_p,
/// and L_p <= L_2 / min(1, f), for every p > 0. A cosine's key is the squared distance of unit
/// rows; haversine's is a quarter of the squared chord between two places on the unit sphere.
struct PairFilter {
  PairMetric metric;
  FilterForm form = FilterForm::Squares;
  std::int64_t cols = 0;          // of the rows
  std::int64_t point_cols = 0;    // of the points
  const double* shift = nullptr;  // taken from each column before scaling; null: nothing
  double scale = 1;               // a power of two
  double rounding = 0;            // of the columns of points
  bool relative = false;          // whether that falls with their size
  double reach_factor = 1;        // L2 is at most so many times the metric's distance,
  double sure_factor = 1;         // and at least so many
  bool decides = true;            // false: every pair is taken canonically
  bool clamped = false;           // whether there are queries further out than their points

  /// The norm of the form that belongs to a key, exact but for 2^-40 of it.
  COTERIE_HD double norm_of(double key) const {
    switch (metric.metric) {
      case NeighborMetric::Euclidean:
        return sqrt(key) * scale;
      case NeighborMetric::Cosine:
        return sqrt(key);
      case NeighborMetric::Haversine:
        return 2 * sqrt(key);
      default:
        return distance_of(metric, key) * scale;
    }
  }
  COTERIE_HD double away() const {
    const double columns = static_cast<double>(point_cols);
    const double share = form == FilterForm::Squares ? sqrt(columns)
                         : form == FilterForm::Sum   ? columns
                                                     : 1;
    return 2 * rounding * share * (1 + 0x1p-40);
  }
  COTERIE_HD double gamma() const {
    const double errors = static_cast<double>(point_cols + 6) * 0x1p-24;
    return errors / (1 - errors);
  }
  /// What squares that vanish in float32 may have taken from D.
  COTERIE_HD double vanishing() const { return static_cast<double>(point_cols + 1) * 0x1p-126; }
  /// What squares that vanish in float64 may have taken from a canonical key.
  COTERIE_HD double vanished() const { return static_cast<double>(cols) * 0x1p-1073; }

  /// D of two points whose norm is at most so large is at most this.
  COTERIE_HD float highest(double norm) const {
    constexpr double kLargest = 0x1.fffffep127;
    const double exact = form == FilterForm::Squares ? norm * norm : norm;
    const double value = exact * (1 + gamma()) * (1 + 0x1p-22) + vanishing();
    return decides && value < kLargest ? static_cast<float>(value) : 0x1.fffffep127f;
  }

  /// A pair whose D is at most this has a canonical key of at most `key`; -1: no D says so.
  COTERIE_HD float sure(double key) const {
    constexpr double kLargest = 0x1.fffffep127;
    if (!decides || !(key > vanished())) return -1;
    const double norm = norm_of(key - vanished()) * sure_factor * (1 - 0x1p-38) - away();
    if (!(norm >= 0)) return -1;
    const double exact = form == FilterForm::Squares ? norm * norm : norm;
    const double value = exact * (1 - gamma()) * (1 - 0x1p-22) - vanishing();
    if (clamped && value > far()) return static_cast<float>(far());
    return value < kLargest ? static_cast<float>(value) : 0x1.fffffep127f;
  }

  /// A pair whose canonical key is at most `key` has a D of at most this.
  COTERIE_HD float reach(double key) const {
    return highest(norm_of(key + vanished()) * reach_factor * (1 + 0x1p-38) + away());
  }

  /// A pair whose D is `value` has a canonical key of at most this.
  COTERIE_HD double highest_key(float value) const {
    if (clamped && static_cast<double>(value) > far()) return HUGE_VAL;
    const double most = (static_cast<double>(value) + vanishing()) * (1 + 2 * gamma());
    const double of_form = form == FilterForm::Squares ? sqrt(most) : most;
    const double norm = (of_form + away()) / sure_factor * (1 + 0x1p-38);
    switch (metric.metric) {
      case NeighborMetric::Cosine:
        return norm * norm;
      case NeighborMetric::Haversine:
        return norm * norm / 4;
      default:
        return key_of(metric, norm / scale) + vanished();
    }
  }

  /// A pair whose canonical key is at most that of a pair whose D is `value` has a D of at most
  /// this.
  COTERIE_HD float reach_of(float value) const { return reach(highest_key(value)); }

  /// The same filter for pairs of a key or D that means at most `key`, one of which has a point of
  /// columns of at most `size`: the other's are then at most the norm larger, and both are rounded
  /// by half a unit of what they are.
  COTERIE_HD PairFilter for_size(double size, double key) const {
    PairFilter local = *this;
    if (!relative) return local;
    const double largest = (size + norm_of(key + vanished()) * reach_factor) * (1 + 0x1p-20);
    const double unit = largest * 0x1p-24 + 0x1p-149;
    if (unit < rounding) local.rounding = unit;
    return local;
  }

  /// The point of a row, its columns kBlock apart.
  template <class T>
  COTERIE_HD void put_point(const T* row, float* out) const {
    if (metric.metric == NeighborMetric::Haversine) {
      const double latitude = static_cast<double>(row[0]), longitude = static_cast<double>(row[1]);
      out[0] = static_cast<float>(cosine(latitude) * cosine(longitude));
      out[kBlock] = static_cast<float>(cosine(latitude) * sine(longitude));
      out[2 * kBlock] = static_cast<float>(sine(latitude));
      return;
    }
    if (metric.metric == NeighborMetric::Cosine) {
      const Direction direction = direction_of(row, cols);
      for (std::int64_t j = 0; j < cols; ++j) {
        out[j * kBlock] =
            static_cast<float>(static_cast<double>(row[j]) * direction.scale * direction.inverse);
      }
      return;
    }
    for (std::int64_t j = 0; j < cols; ++j) {
      const double moved = static_cast<double>(row[j]) - (shift == nullptr ? 0 : shift[j]);
      out[j * kBlock] = static_cast<float>(within_range(moved * scale));
    }
  }

  /// Points are brought so high that neither the squares of the largest leave float32's range nor
  /// those of far smaller ones vanish.
  static constexpr int kHeight = 40;
  static constexpr double kWidest = 0x1p52;  // of queries; beyond, they are clamped
  /// Pairs of a clamped query have a larger D, which is too small.
  COTERIE_HD double far() const {
    constexpr double kNear = kWidest / 4;
    return form == FilterForm::Squares ? kNear * kNear : kNear;
  }
  COTERIE_HD static double within_range(double v) {
    return v > kWidest ? kWidest : v < -kWidest ? -kWidest : v;
  }
};

/// The filter of rows of which `largest` is the largest |x - shift|. Rows of float32 need no shift:
/// their points are exact. Those of float64 are best shifted by a value amid each column. Cosine
/// and Haversine take no shift, and Cosine no `largest`.
template <class T>
PairFilter pair_filter(const PairMetric& metric, std::int64_t cols, const double* shift,
                       double largest) {
  PairFilter filter{.metric = metric, .cols = cols, .point_cols = cols, .shift = shift};
  constexpr double kHalfUnit = 0x1.00001p-25;  // of a float32 in [1/2, 1], and float64's own errors
  const bool exact = sizeof(T) == sizeof(float) && shift == nullptr;
  filter.rounding = exact ? 0 : std::ldexp(kHalfUnit, PairFilter::kHeight);
  filter.relative = !exact;
  switch (metric.metric) {
    case NeighborMetric::Cosine:
      filter.rounding = kHalfUnit;
      filter.relative = false;
      break;
    case NeighborMetric::Haversine:
      filter.point_cols = 3;
      // Differences of large angles are rounded, and what cancels beyond a pole is 2^-50 of a key.
      filter.rounding = 2 * kHalfUnit + largest * 0x1p-50;
      filter.relative = false;
      break;
    case NeighborMetric::Manhattan:
      filter.form = FilterForm::Sum;
      break;
    case NeighborMetric::Chebyshev:
      filter.form = FilterForm::Largest;
      break;
    case NeighborMetric::Minkowski: {
      const double factor = std::pow(static_cast<double>(cols), 0.5 - 1 / metric.p);
      filter.reach_factor = factor > 1 ? factor : 1;
      filter.sure_factor = factor < 1 ? factor : 1;
      break;
    }
    case NeighborMetric::Euclidean:
      break;
  }
  const bool bounded =
      metric.metric == NeighborMetric::Cosine || metric.metric == NeighborMetric::Haversine;
  if (!bounded && largest > 0) {
    int exponent = 0;
    std::frexp(largest, &exponent);
    exponent -= PairFilter::kHeight;
    filter.scale = std::ldexp(1.0, exponent < -1000 ? 1000 : -exponent);
  }
  // A root of a small power magnifies the key's own errors.
  const bool steep = metric.metric == NeighborMetric::Minkowski && metric.p < 0x1p-8;
  filter.decides = !steep && static_cast<double>(filter.point_cols + 6) * 0x1p-24 < 0x1p-4;
  return filter;
}

/// The same filter for pairs of these rows and queries of which `largest` is the largest
/// |x - shift|.
inline PairFilter with_queries(PairFilter filter, double largest) {
  if (filter.metric.metric == NeighborMetric::Cosine) return filter;
  if (filter.metric.metric == NeighborMetric::Haversine) {
    filter.rounding += largest * 0x1p-50;
    return filter;
  }
  const double size = largest * filter.scale;
  filter.clamped = !(size < PairFilter::kWidest);
  const double times =
      std::ldexp(filter.clamped ? PairFilter::kWidest : size, -PairFilter::kHeight);
  if (times > 1) filter.rounding *= 2 * times;
  return filter;
}

}  // namespace coterie
