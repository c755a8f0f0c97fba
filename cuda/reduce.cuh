#pragma once

#include <cstring>

#include "cuda/runtime.cuh"

namespace coterie::cuda {

/// What 64-bit atomics work on. Signed sums wrap to the same bits.
using Word = unsigned long long;

__device__ inline void atomic_add(Word* sum, std::int64_t value) {
  atomicAdd(sum, static_cast<Word>(value));
}

__device__ inline std::int64_t warp_sum(std::int64_t value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  return value;
}

__device__ inline double warp_max(double value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const double other = __shfl_xor_sync(kAllLanes, value, step);
    if (other > value) value = other;
  }
  return value;
}

/// Adds the block's values to *sum: an atomic for each warp. Every thread of the block must call.
__device__ inline void block_add(Word* sum, std::int64_t value) {
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0 && value != 0) atomic_add(sum, value);
}

/// Order of the doubles as order of integers, so that integer atomics give their minimum and
/// maximum: negative numbers have all bits turned over, the others the sign bit.
__host__ __device__ inline Word ordered_key(double value) {
  constexpr Word kSign = Word{1} << 63;
  Word bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

__host__ __device__ inline double from_ordered_key(Word key) {
  constexpr Word kSign = Word{1} << 63;
  const Word bits = (key & kSign) != 0 ? key & ~kSign : ~key;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace coterie::cuda
