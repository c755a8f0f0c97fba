#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace coterie {

/// Whether no value is NaN or infinite. Looks at the exponents as integers: one of all ones carries
/// into the sign bit. Unlike a floating-point test, it vectorises with any instruction set.
template <class T>
bool all_finite(const T* x, std::int64_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits kExponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  constexpr Bits kSign = Bits{1} << (8 * sizeof(T) - 1);
  constexpr Bits kOne = kSign - kExponent;  // of the exponent
  Bits found = 0;
  for (std::int64_t i = 0; i < count; ++i) found |= (std::bit_cast<Bits>(x[i]) & kExponent) + kOne;
  return (found & kSign) == 0;
}

}  // namespace coterie
