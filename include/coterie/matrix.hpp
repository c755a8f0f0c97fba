#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace coterie {

/// Where numbers lie.
enum class Memory {
  Host,
  Device  // on the GPU that CUDA has current: the call runs there, and reads and writes in place
};

/// Rows of numbers that somebody else owns: row-major, `stride` elements from a row to the next.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  // elements; at least cols
  Memory memory = Memory::Host;

  constexpr T* row(std::int64_t i) const { return data + i * stride; }
  constexpr T& operator()(std::int64_t i, std::int64_t j) const { return data[i * stride + j]; }
  /// A view of the same rows that only reads.
  template <std::same_as<const T> Reading>
  requires(!std::is_const_v<T>) constexpr operator MatrixView<Reading>() const {
    return {data, rows, cols, stride, memory};
  }
};

/// Rows of numbers, owned and contiguous.
template <class T>
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<T> values;  // rows * cols

  Matrix() = default;
  Matrix(std::int64_t row_count, std::int64_t col_count)
      : rows(row_count), cols(col_count), values(static_cast<std::size_t>(row_count * col_count)) {}

  MatrixView<T> view() { return {values.data(), rows, cols, cols}; }
  MatrixView<const T> view() const { return {values.data(), rows, cols, cols}; }
};

}  // namespace coterie
