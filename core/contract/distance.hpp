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

}  // namespace coterie
