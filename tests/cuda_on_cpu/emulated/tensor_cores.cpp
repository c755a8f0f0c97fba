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

}  // namespace

unsigned to_tf32(float value) {
  const auto bits = std::bit_cast<unsigned>(value);
  return std::isfinite(value) ? (bits + (kCutOff + 1) / 2) & ~kCutOff : bits & ~kCutOff;
}

void multiply_add_tf32(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  constexpr unsigned kAllLanes = 0xffffffffU;
  float left[16][8];
  float right[8][8];
  for (unsigned r = 0; r < 4; ++r) {
    const std::uint64_t* values = exchange("multiply_add_tf32", kAllLanes, a[r]);
    for (unsigned i = 0; i < kWarpSize; ++i) {
      left[i / 4 + r % 2 * 8][i % 4 + r / 2 * 4] = operand(values[i]);
    }
  }
  for (unsigned r = 0; r < 2; ++r) {
    const std::uint64_t* values = exchange("multiply_add_tf32", kAllLanes, b[r]);
    for (unsigned i = 0; i < kWarpSize; ++i) right[i % 4 + r * 4][i / 4] = operand(values[i]);
  }
  for (unsigned r = 0; r < 4; ++r) {
    const unsigned row = lane() / 4 + r / 2 * 8;
    const unsigned column = lane() % 4 * 2 + r % 2;
    for (unsigned k = 0; k < 8; ++k) {
      sum[r] = add_cut_off(sum[r], static_cast<double>(left[row][k]) * right[k][column]);
    }
  }
}

}  // namespace cuda_on_cpu
