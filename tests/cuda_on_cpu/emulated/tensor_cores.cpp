#include "emulated/tensor_cores.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

#include "emulated/grid.hpp"

namespace cuda_on_cpu {
namespace {

constexpr unsigned kCutOff = 0x1fff;  // the bits of a float32 that tensor cores do not read

float operand(std::uint64_t bits) {
  return std::bit_cast<float>(static_cast<unsigned>(bits) & ~kCutOff);
}

/// Cut off to float32, as the hardware may: a kernel that counts on rounding fails its tests here.
float add_cut_off(double sum, double product) {
  const double exact = sum + product;
  const auto rounded = static_cast<float>(exact);
  return std::fabs(rounded) > std::fabs(exact) ? std::nextafter(rounded, 0.0F) : rounded;
}

/// Two registers of every lane, the second in the upper half.
const std::uint64_t* exchange_pair(unsigned first, unsigned second) {
  constexpr unsigned kAllLanes = 0xffffffffU;
  return exchange("multiply_add_tf32", kAllLanes, std::uint64_t{second} << 32 | first);
}

}  // namespace

unsigned to_tf32(float value) {
  const auto bits = std::bit_cast<unsigned>(value);
  return std::isfinite(value) ? (bits + (kCutOff + 1) / 2) & ~kCutOff : bits & ~kCutOff;
}

void multiply_add_tf32(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  const unsigned group = lane() / 4;
  const unsigned column = lane() % 4 * 2;
  float left[2][8];   // of the rows `group` and `group` + 8
  float right[2][8];  // of the columns `column` and `column` + 1
  for (unsigned half = 0; half < 2; ++half) {
    const std::uint64_t* values = exchange_pair(a[half * 2], a[half * 2 + 1]);
    for (unsigned k = 0; k < 4; ++k) {
      left[0][half * 4 + k] = operand(values[group * 4 + k]);
      left[1][half * 4 + k] = operand(values[group * 4 + k] >> 32);
    }
  }
  const std::uint64_t* values = exchange_pair(b[0], b[1]);
  for (unsigned c = 0; c < 2; ++c) {
    for (unsigned k = 0; k < 4; ++k) {
      right[c][k] = operand(values[(column + c) * 4 + k]);
      right[c][4 + k] = operand(values[(column + c) * 4 + k] >> 32);
    }
  }
  for (unsigned r = 0; r < 4; ++r) {
    for (unsigned k = 0; k < 8; ++k) {
      sum[r] = add_cut_off(sum[r], static_cast<double>(left[r / 2][k]) * right[r % 2][k]);
    }
  }
}

}  // namespace cuda_on_cpu
