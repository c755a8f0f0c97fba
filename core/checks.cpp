#include "core/checks.hpp"

#include <cmath>
#include <vector>

#include "core/device.hpp"
#include "cpu/finite.hpp"

namespace coterie {
namespace {

template <class T>
[[noreturn]] void throw_not_finite_in(const T* values, const char* name, std::int64_t row) {
  std::int64_t j = 0;
  while (std::isfinite(values[j])) ++j;
  throw_not_finite(name, values[j], row, j);
}

/// Only a row that is not finite comes to the host.
template <class T>
void require_finite_on_gpu(MatrixView<const T> x, const char* name, const Context& ctx) {
  const auto passes = choose(x.memory, ctx, &DeviceFunctions<T>::kmeans, name)(x, {}, ctx);
  const std::int64_t bad_row = passes->range({0, x.rows}).bad_row;
  if (bad_row < 0) return;
  std::vector<T> values(static_cast<std::size_t>(x.cols));
  passes->copy_row(bad_row, values);
  throw_not_finite_in(values.data(), name, bad_row);
}

}  // namespace

void throw_not_finite(const char* name, double value, std::int64_t row, std::int64_t col) {
  const char* what = std::isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity";
  require_argument(false, name, " must be finite, got ", what, " in row ", row, ", column ", col);
  throw std::logic_error("unreachable");
}

template <class T>
void require_shape(MatrixView<const T> x, const char* name) {
  require_argument(x.rows >= 1 && x.cols >= 1, name, " must have at least 1 row and 1 column, got ",
                   x.rows, " x ", x.cols);
  require_argument(x.stride >= x.cols, name, "'s stride must be at least its ", x.cols,
                   " columns, got ", x.stride);
  require_argument(x.data != nullptr, name, " must point to data, got null");
}

template <class T>
void require_finite(MatrixView<const T> x, const char* name, const Context& ctx) {
  if (x.memory == Memory::Device) return require_finite_on_gpu(x, name, ctx);
  const std::int64_t row = cpu::first_bad_row(x, ctx);
  if (row >= 0) throw_not_finite_in(x.row(row), name, row);
}

void require_same_cols(std::int64_t x_cols, const char* x_name, std::int64_t y_cols,
                       const char* y_name) {
  require_argument(x_cols == y_cols, y_name, " must have ", x_name, "'s ", x_cols, " columns, got ",
                   y_cols);
}

template void require_shape(MatrixView<const float>, const char*);
template void require_shape(MatrixView<const double>, const char*);
template void require_finite(MatrixView<const float>, const char*, const Context&);
template void require_finite(MatrixView<const double>, const char*, const Context&);

}  // namespace coterie
