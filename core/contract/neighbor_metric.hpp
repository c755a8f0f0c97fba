#pragma once

#include <cmath>
#include <cstdint>

#include "core/contract/distance.hpp"
#include "core/contract/elementary.hpp"
#include "core/contract/metric.hpp"
#include "coterie/neighbors.hpp"

namespace coterie {

/// What pairs of rows are compared by. Keys are a monotone function of the distance, cheaper than
/// the distance itself, in float64; they are what scikit-learn calls reduced distances, so that
/// "within" means the same to the last bit: key(a, b) <= key_of(radius).
struct PairMetric {
  NeighborMetric metric = NeighborMetric::Euclidean;
  double p = 2;  // of Minkowski
};

/// The angles that Haversine takes, in radians: twelve digits of their differences are still right.
inline constexpr double kLargestAngle = kLargestSineArgument;

/// Minkowski's distance to the power of p, in ascending column order.
template <class T>
COTERIE_HD inline double minkowski_key(const T* a, const T* b, std::int64_t cols, double p) {
  double sum = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    sum += power(fabs(static_cast<double>(a[j]) - static_cast<double>(b[j])), p);
  }
  return sum;
}

/// The squared distance of the rows brought to length 1; a row of zeros is sqrt(2) from every row
/// (also from a row of zeros: that it is at no distance from itself is the caller's to know).
template <class T>
COTERIE_HD inline double cosine_key(const T* a, const Direction& of_a, const T* b,
                                    const Direction& of_b, std::int64_t cols) {
  if (of_a.inverse == 0 || of_b.inverse == 0) return 2;
  double sum = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double t = static_cast<double>(a[j]) * of_a.scale * of_a.inverse -
                     static_cast<double>(b[j]) * of_b.scale * of_b.inverse;
    sum += t * t;
  }
  return sum;
}

/// The squared sine of half the angle between two places: latitude, longitude.
template <class T>
COTERIE_HD inline double haversine_key(const T* a, const T* b) {
  const double a_latitude = static_cast<double>(a[0]), b_latitude = static_cast<double>(b[0]);
  const double of_latitudes = sine(0.5 * (a_latitude - b_latitude));
  const double of_longitudes = sine(0.5 * (static_cast<double>(a[1]) - static_cast<double>(b[1])));
  const double sum = of_latitudes * of_latitudes +
                     cosine(a_latitude) * cosine(b_latitude) * of_longitudes * of_longitudes;
  return sum < 0   ? 0
         : sum > 1 ? 1
                   : sum;  // rounding; latitudes beyond a pole make cosines negative
}

/// The key of two rows, the same whichever comes first.
template <class T>
COTERIE_HD inline double key(const PairMetric& metric, const T* a, const T* b, std::int64_t cols) {
  switch (metric.metric) {
    case NeighborMetric::Euclidean:
      return squared_distance(a, b, cols);
    case NeighborMetric::Manhattan:
      return manhattan_distance(a, b, cols);
    case NeighborMetric::Chebyshev:
      return chebyshev_distance(a, b, cols);
    case NeighborMetric::Minkowski:
      return minkowski_key(a, b, cols, metric.p);
    case NeighborMetric::Cosine:
      return cosine_key(a, direction_of(a, cols), b, direction_of(b, cols), cols);
    case NeighborMetric::Haversine:
      return haversine_key(a, b);
  }
  return 0;
}

/// The largest key of what is within a radius >= 0.
COTERIE_HD inline double key_of(const PairMetric& metric, double radius) {
  constexpr double kHalfTurn = 0x1.921fb54442d18p1;
  switch (metric.metric) {
    case NeighborMetric::Euclidean:
      return radius * radius;
    case NeighborMetric::Manhattan:
    case NeighborMetric::Chebyshev:
      return radius;
    case NeighborMetric::Minkowski:
      return power(radius, metric.p);
    case NeighborMetric::Cosine:
      return radius < 2 ? 2 * radius : HUGE_VAL;
    case NeighborMetric::Haversine: {
      if (radius >= kHalfTurn) return HUGE_VAL;
      const double half = sine(0.5 * radius);
      return half * half;
    }
  }
  return radius;
}

COTERIE_HD inline double distance_of(const PairMetric& metric, double key) {
  switch (metric.metric) {
    case NeighborMetric::Euclidean:
      return sqrt(key);
    case NeighborMetric::Manhattan:
    case NeighborMetric::Chebyshev:
      return key;
    case NeighborMetric::Minkowski:
      return power(key, 1 / metric.p);
    case NeighborMetric::Cosine:
      return cosine_distance(key);
    case NeighborMetric::Haversine:
      return 2 * arc_sine(sqrt(key));
  }
  return key;
}

}  // namespace coterie
