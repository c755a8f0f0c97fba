#pragma once

// What the project takes of CUB's radix sort, as a host loop: it says nothing about CUB itself.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "emulated/host_functions.hpp"

namespace cub {

template <class T>
struct DoubleBuffer {
  DoubleBuffer(T* current, T* alternate) : d_buffers{current, alternate} {}
  T* Current() { return d_buffers[selector]; }
  T* Alternate() { return d_buffers[selector ^ 1]; }

  T* d_buffers[2];
  int selector = 0;
};

struct DeviceRadixSort {
  /// Stable, by the bits of the keys from first_bit to last_bit. The result is in the buffers'
  /// other halves, as it may be on a GPU.
  template <class Key, class Value>
  static cudaError_t SortPairs(void* scratch, std::size_t& scratch_bytes, DoubleBuffer<Key>& keys,
                               DoubleBuffer<Value>& values, std::int64_t count, int first_bit,
                               int last_bit, cudaStream_t) {
    if (scratch == nullptr) {
      scratch_bytes = 1;
      return cudaSuccess;
    }
    const int bits = last_bit - first_bit;
    const Key mask = bits < 64 ? (Key{1} << bits) - 1 : ~Key{0};
    std::vector<std::int64_t> places(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<std::int64_t>(i);
    const auto digit = [&](std::int64_t i) { return keys.Current()[i] >> first_bit & mask; };
    std::stable_sort(places.begin(), places.end(),
                     [&](std::int64_t i, std::int64_t j) { return digit(i) < digit(j); });
    for (std::size_t i = 0; i < places.size(); ++i) {
      keys.Alternate()[i] = keys.Current()[places[i]];
      values.Alternate()[i] = values.Current()[places[i]];
    }
    keys.selector ^= 1;
    values.selector ^= 1;
    return cudaSuccess;
  }
};

}  // namespace cub
