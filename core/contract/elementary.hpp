#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/contract/fixed_point.hpp"
#include "core/contract/host_device.hpp"

namespace coterie {

// Elementary functions of float64 from additions, products, quotients, roots and bits alone, so
// that every device, compiler and C library gives the same bits, which CUDA's and the C libraries'
// own do not. All are within one unit in the last place, arc_sine() within three.

/// A number as an unevaluated sum; |low| is at most half a unit in the last place of high.
struct TwoDoubles {
  double high;
  double low;
};

/// a + b exactly.
COTERIE_HD inline TwoDoubles exact_sum(double a, double b) {
  const double sum = a + b;
  const double of_b = sum - a;
  return {sum, (a - (sum - of_b)) + (b - of_b)};
}

/// a * b exactly (Dekker, "A floating-point technique for extending the available precision",
/// 1971); the factors are below 2^996 and nothing underflows.
COTERIE_HD inline TwoDoubles exact_product(double a, double b) {
  constexpr double kSplit = 0x1p27 + 1;
  const double a_high = a * kSplit - (a * kSplit - a), a_low = a - a_high;
  const double b_high = b * kSplit - (b * kSplit - b), b_low = b - b_high;
  const double product = a * b;
  return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

// ------------------------------------------------------------------------------ sine and cosine

/// Arguments of sine() and cosine() are at most so large.
inline constexpr double kLargestSineArgument = 0x1p20;

/// What is left of an angle after the nearest number of quarter turns, within an eighth of a turn.
struct QuarterTurns {
  std::int64_t turns;
  TwoDoubles rest;
};

/// The first three parts of a quarter turn have 33 bits each, so that their multiples are exact.
COTERIE_HD inline QuarterTurns quarter_turns(double angle) {
  const std::int64_t turns = to_integer(angle * 0x1.45f306dc9c883p-1);
  const double n = static_cast<double>(turns);
  const TwoDoubles first = exact_sum(angle - n * 0x1.921fb544p+0, -n * 0x1.0b4611a6p-34);
  const TwoDoubles second = exact_sum(first.high, -n * 0x1.3198a2ep-69);
  return {turns, exact_sum(second.high, first.low + (second.low - n * 0x1.b839a252049c1p-104))};
}

/// Taylor's series up to the 17th power, within an eighth of a turn.
COTERIE_HD inline double small_sine(TwoDoubles angle) {
  const double x = angle.high, z = x * x;
  double sum = 1.0 / 355687428096000;
  sum = sum * z - 1.0 / 1307674368000;
  sum = sum * z + 1.0 / 6227020800;
  sum = sum * z - 1.0 / 39916800;
  sum = sum * z + 1.0 / 362880;
  sum = sum * z - 1.0 / 5040;
  sum = sum * z + 1.0 / 120;
  sum = sum * z - 1.0 / 6;
  return x + (x * z * sum + angle.low * (1 - 0.5 * z));
}
/// Up to the 18th power.
COTERIE_HD inline double small_cosine(TwoDoubles angle) {
  const double x = angle.high, z = x * x;
  double sum = -1.0 / 6402373705728000;
  sum = sum * z + 1.0 / 20922789888000;
  sum = sum * z - 1.0 / 87178291200;
  sum = sum * z + 1.0 / 479001600;
  sum = sum * z - 1.0 / 3628800;
  sum = sum * z + 1.0 / 40320;
  sum = sum * z - 1.0 / 720;
  sum = sum * z + 1.0 / 24;
  const TwoDoubles start = exact_sum(1, -0.5 * z);
  return start.high + (start.low + (z * z * sum - x * angle.low));
}

COTERIE_HD inline double sine(double angle) {
  const QuarterTurns reduced = quarter_turns(angle);
  const double size =
      (reduced.turns & 1) != 0 ? small_cosine(reduced.rest) : small_sine(reduced.rest);
  return (reduced.turns & 2) != 0 ? -size : size;
}

COTERIE_HD inline double cosine(double angle) {
  const QuarterTurns reduced = quarter_turns(angle);
  const double size =
      (reduced.turns & 1) != 0 ? small_sine(reduced.rest) : small_cosine(reduced.rest);
  return ((reduced.turns + 1) & 2) != 0 ? -size : size;
}

/// For x in [0, 1]: Newton's steps on the sine from a few terms of the series, below 1/2; there the
/// rest of the range goes by asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)).
COTERIE_HD inline double arc_sine(double x) {
  const double small = x <= 0.5 ? x : sqrt((1 - x) / 2);
  const double z = small * small;
  double angle = small + small * z * (1.0 / 6 + z * (3.0 / 40 + z * (15.0 / 336)));
  for (int step = 0; step < 2; ++step) {
    angle += (small - small_sine({angle, 0})) / small_cosine({angle, 0});
  }
  if (x <= 0.5) return angle;
  return 0x1.921fb54442d18p+0 - (2 * angle - 0x1.1a62633145c07p-54);
}

// --------------------------------------------------------------------------------------- powers

/// log 2; the high part has 40 bits, so that its multiples by an exponent are exact.
inline constexpr double kLog2High = 0x1.62e42fefa2p-1;
inline constexpr double kLog2Low = 0x1.9ef35793c7673p-41;

/// 2^exponent, for a normal number.
COTERIE_HD inline double two_to(std::int64_t exponent) {
  const std::int64_t bits = (exponent + 1023) << 52;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The natural logarithm of a positive finite x, to about 64 bits: with x = m * 2^e, m near 1, it
/// is e log 2 + 2 atanh(s), s = (m - 1) / (m + 1), whose series starts s + s^3/3.
COTERIE_HD inline TwoDoubles logarithm(double x) {
  std::int64_t exponent = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    exponent = -54;
  }
  std::int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  constexpr std::int64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
  const std::int64_t e = (bits - kRootOfHalf) >> 52;
  exponent += e;
  bits -= e * (std::int64_t{1} << 52);
  double m;
  memcpy(&m, &bits, sizeof m);

  const TwoDoubles divisor = exact_sum(m, 1);
  const double s = (m - 1) / divisor.high;
  const TwoDoubles product = exact_product(s, divisor.high);
  const double s_low = (((m - 1 - product.high) - product.low) - s * divisor.low) / divisor.high;
  const TwoDoubles square = exact_product(s, s);
  const double z = square.high, z_low = square.low + 2 * s * s_low;
  const double third = z / 3;
  const TwoDoubles thrice = exact_product(third, 3);
  const double third_low = ((z - thrice.high) - thrice.low + z_low) / 3;

  double tail = 1.0 / 29;
  for (int power = 27; power >= 5; power -= 2) tail = tail * z + 1.0 / power;
  const TwoDoubles terms = exact_sum(third, z * z * tail);
  const TwoDoubles more = exact_product(s, terms.high);
  const TwoDoubles half = exact_sum(s, more.high);
  const double half_low =
      half.low + (s_low + (more.low + (s * (terms.low + third_low) + s_low * terms.high)));

  const double n = static_cast<double>(exponent);
  const TwoDoubles sum = exact_sum(n * kLog2High, 2 * half.high);
  return exact_sum(sum.high, sum.low + (n * kLog2Low + 2 * half_low));
}

/// e to the power of x, for |x| < 800.
COTERIE_HD inline double exponential(TwoDoubles x) {
  const std::int64_t exponent = to_integer(x.high * 0x1.71547652b82fep+0);
  const double n = static_cast<double>(exponent);
  const TwoDoubles r = exact_sum(x.high - n * kLog2High, x.low - n * kLog2Low);
  double sum = 1.0 / 87178291200;
  sum = sum * r.high + 1.0 / 6227020800;
  sum = sum * r.high + 1.0 / 479001600;
  sum = sum * r.high + 1.0 / 39916800;
  sum = sum * r.high + 1.0 / 3628800;
  sum = sum * r.high + 1.0 / 362880;
  sum = sum * r.high + 1.0 / 40320;
  sum = sum * r.high + 1.0 / 5040;
  sum = sum * r.high + 1.0 / 720;
  sum = sum * r.high + 1.0 / 120;
  sum = sum * r.high + 1.0 / 24;
  sum = sum * r.high + 1.0 / 6;
  sum = sum * r.high + 1.0 / 2;
  const double value = 1 + (r.high + (r.low + r.high * r.high * sum));
  const std::int64_t half = exponent >> 1;
  return value * two_to(half) * two_to(exponent - half);  // twice: either alone may be out of range
}

/// x to the power of p, for x >= 0 and a finite p > 0.
COTERIE_HD inline double power(double x, double p) {
  if (x == 0 || x == 1 || x == HUGE_VAL) return x;
  const TwoDoubles log = logarithm(x);
  if (p * log.high > 710) return HUGE_VAL;
  if (p * log.high < -746) return 0;
  const TwoDoubles product = exact_product(p, log.high);
  return exponential(exact_sum(product.high, product.low + p * log.low));
}

}  // namespace coterie
