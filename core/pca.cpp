#include "coterie/pca.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/checks.hpp"
#include "core/device.hpp"
#include "cpu/eigen.hpp"

namespace coterie {
namespace {

constexpr std::int64_t kSampleRows = 63;

/// Some rows, the first and the last among them.
template <class T>
Matrix<T> sample_rows(MatrixView<const T> x, const Context& ctx) {
  Matrix<T> sample(std::min(kSampleRows, x.rows), x.cols);
  std::vector<std::int64_t> rows;
  for (std::int64_t s = 0; s < sample.rows; ++s) {
    rows.push_back(s * (x.rows - 1) / (sample.rows - 1));
  }
  if (x.memory == Memory::Device) {
    choose(x.memory, ctx, &DeviceFunctions<T>::copy_rows, "pca")(x, rows, sample.values.data(),
                                                                 ctx);
    return sample;
  }
  T* to = sample.values.data();
  for (const std::int64_t row : rows) to = std::copy_n(x.row(row), x.cols, to);
  return sample;
}

/// Near each column's middle: the median of some rows, which no outlier moves. Sums of squares
/// about it are a few times those about the mean, so that going over to the mean loses nothing.
template <class T>
std::vector<double> column_shift(MatrixView<const T> x, const Context& ctx) {
  const Matrix<T> sample = sample_rows(x, ctx);
  std::vector<double> shift(static_cast<std::size_t>(x.cols));
  std::vector<T> column(static_cast<std::size_t>(sample.rows));
  for (std::int64_t j = 0; j < x.cols; ++j) {
    for (std::int64_t s = 0; s < sample.rows; ++s) {
      const T value = sample.view()(s, j);
      if (!std::isfinite(value)) require_finite(x, "x", ctx);
      column[static_cast<std::size_t>(s)] = value;
    }
    const auto middle = column.begin() + sample.rows / 2;
    std::nth_element(column.begin(), middle, column.end());
    shift[static_cast<std::size_t>(j)] = *middle;
  }
  return shift;
}

/// Means, covariance (upper triangle) and its trace.
struct Moments {
  std::vector<double> mean;
  Matrix<double> covariance;
  double total_variance = 0;
};

template <class T>
Moments moments_of(MatrixView<const T> x, const std::vector<double>& shift, const Context& ctx) {
  Scatter scatter = choose(x.memory, ctx, &DeviceFunctions<T>::scatter, "pca")(x, shift, ctx);
  const auto rows = static_cast<double>(x.rows);
  Moments moments{std::move(scatter.sums), std::move(scatter.products)};  // sums at first
  const auto covariance = moments.covariance.view();
  for (std::int64_t i = 0; i < x.cols; ++i) {
    const double mean = moments.mean[static_cast<std::size_t>(i)] / rows;  // of x - shift
    for (std::int64_t j = i; j < x.cols; ++j) {
      const double sum = moments.mean[static_cast<std::size_t>(j)];
      covariance(i, j) = (covariance(i, j) - mean * sum) / (rows - 1);
    }
    moments.total_variance += covariance(i, i);
  }
  for (std::size_t j = 0; j < shift.size(); ++j) {
    moments.mean[j] = shift[j] + moments.mean[j] / rows;
  }
  return moments;
}

/// Makes an axis's entry of largest magnitude positive, the first of equals.
void orient(double* axis, std::int64_t cols) {
  const double* largest = std::max_element(
      axis, axis + cols, [](double a, double b) { return std::abs(a) < std::abs(b); });
  if (*largest >= 0) return;
  for (std::int64_t j = 0; j < cols; ++j) axis[j] = -axis[j];
}

Pca leading_axes(Moments moments, std::int64_t axes, const Context& ctx) {
  auto pairs = cpu::leading_eigenpairs(std::as_const(moments.covariance).view(), axes, ctx);
  // Rounding may put an eigenvalue of 0 below 0.
  for (double& value : pairs.values) value = std::max(value, 0.0);
  for (std::int64_t a = 0; a < axes; ++a) {
    orient(pairs.vectors.view().row(a), pairs.vectors.cols);
  }
  return {std::move(moments.mean), std::move(pairs.values), std::move(pairs.vectors),
          moments.total_variance};
}

void require_axes(MatrixView<const double> axes, const std::vector<double>& mean) {
  require_shape(axes, "axes");
  require_on_host(axes, "axes");
  const auto means = static_cast<std::int64_t>(mean.size());
  require_argument(means == axes.cols, "mean must have one value for each of ", axes.cols,
                   " columns, got ", means);
}

Matrix<double> transposed(MatrixView<const double> matrix) {
  Matrix<double> turned(matrix.cols, matrix.rows);
  for (std::int64_t i = 0; i < matrix.rows; ++i) {
    for (std::int64_t j = 0; j < matrix.cols; ++j) turned.view()(j, i) = matrix(i, j);
  }
  return turned;
}

template <class T>
void project(MatrixView<const T> x, const Projection& onto, MatrixView<T> out, const char* what,
             const Context& ctx) {
  require_shape(x, "x");
  require_argument(out.rows == x.rows && out.cols == onto.axes.rows, "out must be ", x.rows, " x ",
                   onto.axes.rows, ", got ", out.rows, " x ", out.cols);
  require_shape(MatrixView<const T>(out), "out");
  require_argument(out.memory == Memory::Host || x.memory == Memory::Device,
                   "out must lie in host memory, as x does");
  const auto pass = choose(x.memory, ctx, &DeviceFunctions<T>::project, what);
  if (!pass(x, onto, out, ctx)) require_finite(x, "x", ctx);
}

}  // namespace

template <class T>
Pca pca(MatrixView<const T> x, const PcaParams& params, const Context& ctx) {
  require_shape(x, "x");
  require_argument(x.rows >= 2, "x must have at least 2 rows, got ", x.rows);
  const std::int64_t most = std::min(x.rows, x.cols);
  require_argument(0 <= params.components && params.components <= most,
                   "components must be in [0, ", most, "], got ", params.components);
  const std::int64_t axes = params.components == 0 ? most : params.components;
  Moments moments = moments_of(x, column_shift(x, ctx), ctx);
  if (!std::isfinite(moments.total_variance)) {
    require_finite(x, "x", ctx);
    require_argument(false, "x spans too wide a range: its variances overflow float64; ",
                     "scale it down");
  }
  return leading_axes(std::move(moments), axes, ctx);
}

template <class T>
void pca_transform(MatrixView<const T> x, const std::vector<double>& mean,
                   MatrixView<const double> axes, MatrixView<T> out, const Context& ctx) {
  require_same_cols(x.cols, "x", axes.cols, "axes");
  require_axes(axes, mean);
  const std::vector<double> nowhere(static_cast<std::size_t>(axes.rows));
  project(x, {.shift = mean, .axes = axes, .offset = nowhere}, out, "pca_transform", ctx);
}

template <class T>
void pca_inverse_transform(MatrixView<const T> x, const std::vector<double>& mean,
                           MatrixView<const double> axes, MatrixView<T> out, const Context& ctx) {
  require_axes(axes, mean);
  require_argument(x.cols == axes.rows, "x must have one column for each of ", axes.rows,
                   " axes, got ", x.cols);
  const Matrix<double> turned = transposed(axes);
  const std::vector<double> nowhere(static_cast<std::size_t>(axes.rows));
  project(x, {.shift = nowhere, .axes = turned.view(), .offset = mean}, out,
          "pca_inverse_transform", ctx);
}

template Pca pca(MatrixView<const float>, const PcaParams&, const Context&);
template Pca pca(MatrixView<const double>, const PcaParams&, const Context&);
template void pca_transform(MatrixView<const float>, const std::vector<double>&,
                            MatrixView<const double>, MatrixView<float>, const Context&);
template void pca_transform(MatrixView<const double>, const std::vector<double>&,
                            MatrixView<const double>, MatrixView<double>, const Context&);
template void pca_inverse_transform(MatrixView<const float>, const std::vector<double>&,
                                    MatrixView<const double>, MatrixView<float>, const Context&);
template void pca_inverse_transform(MatrixView<const double>, const std::vector<double>&,
                                    MatrixView<const double>, MatrixView<double>, const Context&);

}  // namespace coterie
