#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/contract/host_device.hpp"

namespace coterie {

/// v rounded to the nearest integer, ties to even; needs |v| < 2^51. One addition, the same on
/// every device and instruction set, and a vector unit without a conversion can do it.
COTERIE_HD inline std::int64_t to_integer(double v) {
  constexpr double kMagic = 0x1.8p52;
  constexpr std::int64_t kMagicBits = 0x4338000000000000;
  const double shifted = v + kMagic;
  std::int64_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  return bits - kMagicBits;
}

/// A sum of doubles as integers, so that neither order nor partition matters and what was added can
/// be taken away. `low` holds what `high` rounds off, 2^-bits as fine.
struct FixedSum {
  std::int64_t high = 0;
  std::int64_t low = 0;

  FixedSum& operator+=(const FixedSum& other) {
    high += other.high;
    low += other.low;
    return *this;
  }
  COTERIE_HD bool is_zero() const { return high == 0 && low == 0; }
};

/// Bits of one limb such that `rows` values cannot overflow 62 bits, nor to_integer() its range.
inline int limb_bits(std::int64_t rows) {
  int log2 = 0;
  while ((std::int64_t{1} << log2) < rows) ++log2;
  return log2 > 12 ? 62 - log2 : 50;
}

/// The power of two that brings values of magnitude <= bound below 2^bits. A bound of 0 (all values
/// are 0) or one out of a double's exponents gives a scale that still cannot overflow.
inline double limb_scale(double bound, int bits) {
  if (!(bound > 0)) return 1;
  int exponent;
  std::frexp(bound, &exponent);  // bound < 2^exponent
  const int power = bits - exponent;
  return std::ldexp(1.0, power > 1000 ? 1000 : power);
}

/// value * scale as two integer limbs: high = the nearest integer, low = the rest * 2^bits.
COTERIE_HD inline void to_limbs(double value, double scale, double limb, std::int64_t* high,
                                std::int64_t* low) {
  const double scaled = value * scale;  // exact: scale is a power of two
  *high = to_integer(scaled);
  *low = to_integer((scaled - static_cast<double>(*high)) * limb);  // exact difference, |.| <= 1/2
}

/// 2^exponent, for a normal double.
COTERIE_HD inline double power_of_two(int exponent) {
  const std::int64_t bits = static_cast<std::int64_t>(1023 + exponent) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

/// 1 / scale, for a power of two such that both are normal doubles: the exponent's sign turned.
COTERIE_HD inline double inverse_of(double scale) {
  std::int64_t bits;
  memcpy(&bits, &scale, sizeof bits);
  return power_of_two(1023 - static_cast<int>(bits >> 52));
}

/// value * 2^-bits, rounded once, ties to even; |value| < 2^127, bits < 128. Written out, so that
/// no compiler's own conversion has a say: what 64 bits do not hold is cut off, leaving its last
/// bit set if it was not 0. As 63 bits are left at least, that is all that rounding has to know.
COTERIE_HD inline double scaled_down(__int128 value, int bits) {
  auto rest = static_cast<unsigned __int128>(value < 0 ? -value : value);
  int exponent = -bits;
  for (int step = 32; step > 0; step /= 2) {
    if (rest >> (63 + step) == 0) continue;
    const bool lost = (rest & ((static_cast<unsigned __int128>(1) << step) - 1)) != 0;
    rest = rest >> step | static_cast<unsigned>(lost);
    exponent += step;
  }
  const double magnitude =
      static_cast<double>(static_cast<std::uint64_t>(rest)) * power_of_two(exponent);
  return value < 0 ? -magnitude : magnitude;
}

/// What the limbs stand for, rounded once. Times the inverse, as the same bits by a division cost a
/// GPU many times more.
COTERIE_HD inline double from_limbs(const FixedSum& sum, int bits, double scale) {
  return scaled_down((static_cast<__int128>(sum.high) << bits) + sum.low, bits) * inverse_of(scale);
}

/// The power of two that brings `largest` into [1/2, 1), kept within float32's exponents.
inline double magnitude_scale(double largest) {
  if (largest == 0) return 1;
  int exponent;
  std::frexp(largest, &exponent);
  return std::ldexp(1.0, exponent > 126 ? -126 : exponent < -127 ? 127 : -exponent);
}

/// How the sums of one data set are scaled; fixed before the first addition, from facts that do not
/// depend on the order of rows.
struct Frame {
  int bits = 50;               // of one limb
  std::vector<double> shift;   // mid-range of each column, subtracted before summing
  std::vector<double> reach;   // largest |x - shift| of each column
  std::vector<double> scale;   // of weight * (x - shift), a power of two
  double weight_scale = 1;     // of weights, a power of two
  double magnitude_scale = 1;  // brings max |x| into [1/2, 1): float32 filters cannot overflow
};

}  // namespace coterie
