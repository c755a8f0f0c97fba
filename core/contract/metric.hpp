#pragma once

#include <cmath>
#include <cstdint>

#include "core/contract/distance.hpp"
#include "core/contract/host_device.hpp"

namespace coterie {

/// out = x divided by its length, in float64; false for a row of zeros, which stays as it is. The
/// row is first brought near 1 by a power of two, so that no square overflows or vanishes.
template <class T>
COTERIE_HD inline bool unit_row(const T* x, std::int64_t cols, double* out) {
  double largest = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double size = fabs(static_cast<double>(x[j]));
    largest = size > largest ? size : largest;
  }
  int exponent = 0;
  frexp(largest, &exponent);
  const double scale = ldexp(1.0, exponent < -1000 ? 1000 : -exponent);
  double sum = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    out[j] = static_cast<double>(x[j]) * scale;
    sum += out[j] * out[j];
  }
  if (sum == 0) return false;
  const double length = sqrt(sum);
  for (std::int64_t j = 0; j < cols; ++j) out[j] /= length;
  return true;
}

/// Half the squared distance of two unit rows: unlike 1 - their product, it is exactly 0 for equal
/// rows and loses nothing where they nearly are.
COTERIE_HD inline double cosine_distance(double squared) { return squared < 4 ? squared / 2 : 2; }

/// Sum of the absolute differences, in ascending column order, in float64.
template <class T>
COTERIE_HD inline double manhattan_distance(const T* a, const T* b, std::int64_t cols) {
  double sum = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    sum += fabs(static_cast<double>(a[j]) - static_cast<double>(b[j]));
  }
  return sum;
}

/// The largest absolute difference, in float64.
template <class T>
COTERIE_HD inline double chebyshev_distance(const T* a, const T* b, std::int64_t cols) {
  double largest = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double size = fabs(static_cast<double>(a[j]) - static_cast<double>(b[j]));
    largest = size > largest ? size : largest;
  }
  return largest;
}

}  // namespace coterie
