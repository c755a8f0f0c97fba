#pragma once

// What a kernel may call. The names are CUDA's.

#include <atomic>
#include <cstring>
#include <type_traits>

#include "emulated/grid.hpp"

#define COTERIE_DYNAMIC_SHARED(T, name) \
  T* const name = reinterpret_cast<T*>(::cuda_on_cpu::dynamic_shared_memory())

#define COTERIE_SHARED(T, name, count)                                                     \
  T* const name = [] {                                                                     \
    static const std::size_t offset =                                                      \
        ::cuda_on_cpu::reserve_static_shared(static_cast<std::size_t>(count) * sizeof(T)); \
    return reinterpret_cast<T*>(::cuda_on_cpu::static_shared_memory(offset));              \
  }()

#define COTERIE_TEXT_OF(x) #x
#define COTERIE_TEXT(x) COTERIE_TEXT_OF(x)
#define __syncthreads() \
  ::cuda_on_cpu::wait_at_barrier("__syncthreads at " __FILE__ ":" COTERIE_TEXT(__LINE__))

namespace cuda_on_cpu {

template <class T>
std::uint64_t to_bits(T value) {
  static_assert(sizeof value <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// The integers that CUDA's atomics take. No floating point: sums of those depend on the order.
template <class T>
concept AtomicInteger =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

}  // namespace cuda_on_cpu

inline void __syncwarp(unsigned mask = 0xffffffffU) {
  cuda_on_cpu::exchange("__syncwarp", mask, 0);
}

/// The value of the lane whose number differs in the bits of lane_mask; the own one when that lane
/// is not in mask, which CUDA leaves open.
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask) {
  const auto* values = cuda_on_cpu::exchange("__shfl_xor_sync", mask, cuda_on_cpu::to_bits(value));
  const unsigned from = cuda_on_cpu::lane() ^ static_cast<unsigned>(lane_mask);
  return (mask >> from & 1) != 0 ? cuda_on_cpu::from_bits<T>(values[from]) : value;
}

/// The value of a lane, which must be in mask.
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  const auto* values = cuda_on_cpu::exchange("__shfl_sync", mask, cuda_on_cpu::to_bits(value));
  return cuda_on_cpu::from_bits<T>(values[lane % static_cast<int>(cuda_on_cpu::kWarpSize)]);
}

/// A bit for each lane: whether its condition holds.
inline unsigned __ballot_sync(unsigned mask, int condition) {
  const auto* values = cuda_on_cpu::exchange("__ballot_sync", mask, condition != 0 ? 1 : 0);
  unsigned ballot = 0;
  for (unsigned i = 0; i < cuda_on_cpu::kWarpSize; ++i) {
    if ((mask >> i & 1) != 0 && values[i] != 0) ballot |= 1U << i;
  }
  return ballot;
}

// A fiber is never interrupted; that these are atomic matters to ThreadSanitizer.
template <cuda_on_cpu::AtomicInteger T>
T atomicAdd(T* to, T value) {
  return std::atomic_ref<T>(*to).fetch_add(value, std::memory_order_relaxed);
}

template <cuda_on_cpu::AtomicInteger T>
T atomicMin(T* to, T value) {
  const std::atomic_ref<T> atom(*to);
  const T old = atom.load(std::memory_order_relaxed);
  if (value < old) atom.store(value, std::memory_order_relaxed);
  return old;
}

template <cuda_on_cpu::AtomicInteger T>
T atomicMax(T* to, T value) {
  const std::atomic_ref<T> atom(*to);
  const T old = atom.load(std::memory_order_relaxed);
  if (value > old) atom.store(value, std::memory_order_relaxed);
  return old;
}

/// What was there; replaced by `value` if it was `expected`.
template <cuda_on_cpu::AtomicInteger T>
T atomicCAS(T* to, T expected, T value) {
  std::atomic_ref<T>(*to).compare_exchange_strong(expected, value, std::memory_order_relaxed);
  return expected;
}

inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }
namespace cuda_on_cpu {

template <AtomicInteger T>
T load_relaxed(const T* from) {
  return std::atomic_ref<T>(*const_cast<T*>(from)).load(std::memory_order_relaxed);
}

template <AtomicInteger T>
void store_relaxed(T* to, T value) {
  std::atomic_ref<T>(*to).store(value, std::memory_order_relaxed);
}

}  // namespace cuda_on_cpu

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
