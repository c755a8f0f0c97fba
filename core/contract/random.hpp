#pragma once

#include <cstdint>

#include "core/contract/host_device.hpp"

namespace coterie {

/// What a draw is for, so that draws for different purposes never share bits.
enum class Purpose : std::uint16_t {
  Seeding = 1,
  RandomRows = 2,
  Reference = 3,
  Sample = 4,
  Oversampling = 5
};

/// Names one draw. Never the number of clusters, a block or a thread: those must not change it.
struct DrawKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::Seeding;
  std::uint32_t restart = 0;
  std::uint32_t round = 0;  // below 2^24
  std::uint8_t trial = 0;
  std::uint64_t row = 0;  // below 2^48
};

/// 64 random bits of a key: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", 2011), the key as its counter and the seed as its key.
COTERIE_HD inline std::uint64_t random_bits(const DrawKey& key) {
  std::uint32_t c0 = static_cast<std::uint32_t>(key.row);
  std::uint32_t c1 =
      static_cast<std::uint32_t>(key.row >> 32) | static_cast<std::uint32_t>(key.purpose) << 16;
  std::uint32_t c2 = key.restart;
  std::uint32_t c3 = key.round << 8 | key.trial;
  std::uint32_t k0 = static_cast<std::uint32_t>(key.seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return std::uint64_t{c1} << 32 | c0;
}

/// bits * total / 2^64: uniform in [0, total).
COTERIE_HD inline std::int64_t random_below(std::uint64_t bits, std::int64_t total) {
  return static_cast<std::int64_t>(
      (static_cast<unsigned __int128>(bits) * static_cast<std::uint64_t>(total)) >> 64);
}

/// Uniform in [0, 1): the top 53 bits.
COTERIE_HD inline double random_unit(const DrawKey& key) {
  return static_cast<double>(random_bits(key) >> 11) * 0x1p-53;
}

}  // namespace coterie
