#pragma once

#include <cstdint>

#include "core/contract/host_device.hpp"

namespace coterie {

/// The distance that defines every decision: differences in float64, each square rounded, added in
/// ascending column order. Contraction is off in every build, so every device gets these bits.
template <class T, class U>
COTERIE_HD inline double squared_distance(const T* a, const U* b, std::int64_t cols) {
  double sum = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double t = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += t * t;
  }
  return sum;
}

/// How much larger the second smallest squared distance must be than the smallest, relatively.
/// Each float32 squared distance is off by a factor of at most 1 +- (cols + 3) 2^-24 (the rounded
/// difference twice, the rounded square, up to cols additions), and by far less than 2^-100 of the
/// scaled magnitude where it underflows. So when the second is larger than the best by more than
/// both errors, no other centroid can be nearer canonically either. Overflow gives infinity or NaN,
/// which never passes.
inline float certificate(std::int64_t cols) {
  return static_cast<float>(2.03 * static_cast<double>(cols + 6) * 0x1p-24 * (1 + 0x1p-8));
}

}  // namespace coterie
