#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "coterie/matrix.hpp"

namespace coterie::testing_support {

/// Rows for a test to fill. What lies between the columns and the stride is NaN, so that a result
/// shows when it was read.
template <class T>
struct Rows {
  Rows(std::int64_t rows, std::int64_t cols, std::int64_t gap = 0)
      : rows(rows),
        cols(cols),
        stride(cols + gap),
        values(static_cast<std::size_t>(rows * stride), std::numeric_limits<T>::quiet_NaN()) {}

  T& operator()(std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(i * stride + j)];
  }
  T operator()(std::int64_t i, std::int64_t j) const {
    return values[static_cast<std::size_t>(i * stride + j)];
  }
  MatrixView<T> view() { return {values.data(), rows, cols, stride}; }
  MatrixView<const T> view() const { return {values.data(), rows, cols, stride}; }

  std::int64_t rows, cols, stride;
  std::vector<T> values;
};

/// Standard normal values plus `offset`; the same for the same seed.
template <class T>
Rows<T> normal_rows(std::int64_t rows, std::int64_t cols, std::uint64_t seed, double offset = 0,
                    std::int64_t gap = 0) {
  Rows<T> x(rows, cols, gap);
  std::mt19937_64 bits(seed);
  std::normal_distribution<double> normal;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) x(i, j) = static_cast<T>(offset + normal(bits));
  }
  return x;
}

/// Squared distance of two rows in the widest arithmetic there is.
template <class T>
long double wide_squared_distance(const Rows<T>& x, std::int64_t i, const Rows<T>& y,
                                  std::int64_t k) {
  long double sum = 0;
  for (std::int64_t j = 0; j < x.cols; ++j) {
    const long double t = static_cast<long double>(x(i, j)) - static_cast<long double>(y(k, j));
    sum += t * t;
  }
  return sum;
}

}  // namespace coterie::testing_support
