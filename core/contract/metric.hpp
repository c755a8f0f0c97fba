#pragma once

#include <cmath>
#include <cstdint>

#include "core/contract/distance.hpp"
#include "core/contract/host_device.hpp"

namespace coterie {

/// What brings a row to length 1: x * scale * inverse, one after the other. The scale is a power of
/// two that brings the row near 1, so that no square overflows or vanishes; the inverse, that of
/// the scaled row's length, is 0 for a row of zeros, which has no direction.
struct Direction {
  double scale = 1;
  double inverse = 0;
};

template <class T>
COTERIE_HD inline Direction direction_of(const T* x, std::int64_t cols) {
  double largest = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double size = fabs(static_cast<double>(x[j]));
    largest = size > largest ? size : largest;
  }
  if (largest == 0) return {};
  int exponent = 0;
  frexp(largest, &exponent);
  Direction direction{ldexp(1.0, exponent < -1000 ? 1000 : -exponent)};
  double sum = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double scaled = static_cast<double>(x[j]) * direction.scale;
    sum += scaled * scaled;
  }
  direction.inverse = 1 / sqrt(sum);
  return direction;
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
